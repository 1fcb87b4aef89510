"""The worker: each task once, to the end that its handler gives it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from daemon.context import Context
from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, Snooze
from daemon.engine.verdict import MOST_SNOOZES
from state.records import Lane, Severity, TaskState
from state.snapshot import read
from tests.house import NOW, Answers, Gate, House, Stubborn

# How an attempt ends


async def test_a_task_that_is_done_is_kept_with_its_summary(house: House) -> None:
    house.add_handler("work", Answers(Done(items=12)))
    await house.start()

    task_id = await house.promised()

    task = await house.known(task_id)
    assert (task.state, task.attempt, task.summary, task.error) == (
        TaskState.COMPLETED,
        1,
        {"items": 12},
        None,
    )
    assert (task.started_at, task.finished_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        (Cancel(reason="nothing to do"), TaskState.CANCELLED, "nothing to do"),
        (HandlerError("no such room", permanent=True), TaskState.DISCARDED, "no such room"),
        ("rubbish", TaskState.DISCARDED, "the handler answered str, not Done, Snooze or Cancel"),
        (SystemExit(3), TaskState.DISCARDED, "the handler raised SystemExit"),
        (KeyboardInterrupt(), TaskState.DISCARDED, "the handler raised KeyboardInterrupt"),
        (Snooze(minutes=float("nan"), reason="?"), TaskState.DISCARDED, "Snooze(minutes=nan)"),
        (Snooze(minutes="5", reason="?"), TaskState.DISCARDED, "Snooze(minutes='5')"),  # type: ignore[arg-type]
    ],
    ids=repr,
)
async def test_an_answer_that_ends_the_task_at_once(
    house: House, answer: Any, state: TaskState, says: str
) -> None:
    house.add_handler("work", Answers(answer))
    await house.start()

    task = await house.known(await house.promised(max_attempts=3))

    assert task.state is state
    assert says in (task.error or "")
    assert len(house.ran) == 1


class Wild(BaseException):
    """What no handler should raise."""


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Forgetful(HandlerError):
    def __init__(self) -> None:
        """Does not call the constructor it inherits."""


@pytest.mark.parametrize(
    "error",
    [
        Wild("x"),
        GeneratorExit(),
        asyncio.CancelledError(),
        Unspeakable(),
        Forgetful(),
        HandlerError("later", retry_after=timedelta.max),
        HandlerError("later", retry_after=timedelta.min),
        HandlerError("later", retry_after=5),  # type: ignore[arg-type]
        ValueError("half a pair \ud800"),
        ValueError("x" * 1_000_000),
        BaseExceptionGroup("many", [SystemExit(1), ValueError("two")]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_handler_raises_is_a_failure_and_the_daemon_lives(
    house: House, error: BaseException
) -> None:
    house.limit(concurrency=1)
    house.add_handler("work", Answers(error))
    house.add_handler("next")
    await house.start()

    task = await house.known(await house.promised(max_attempts=2))
    await house.promised("next")

    assert task.state in (TaskState.RETRYABLE, TaskState.DISCARDED)
    assert task.error
    assert len(task.error) <= 2000
    assert len(house.handled("next")) == 1
    assert house.app.worker.running == []


@pytest.mark.parametrize(
    "summary",
    [
        {"path": object()},
        {"number": 2**70},
        {"text": "\ud800"},
        {"deep": [[[{"at": NOW}]]], "set": {1}},
        {"much": "x" * 1_000_000},
    ],
    ids=lambda summary: next(iter(summary)),
)
async def test_a_summary_that_no_file_can_hold_does_not_undo_the_work(
    house: House, summary: dict[str, Any]
) -> None:
    house.add_handler("work", Answers(Done(**summary)))
    house.add_handler("other")
    await house.start()
    await house.app.queue.enqueue("other")

    task = await house.known(await house.promised())
    await house.app.saver.save_now()

    assert task.state is TaskState.COMPLETED
    kept = read(house.home.state_file)
    assert [run["handler"] for run in kept["taskHistory"]] == ["other", "work"]
    assert len(kept["taskHistory"][-1]["summary"]) == len(task.summary or {})


async def test_a_handler_that_is_no_coroutine_fails_and_hurts_nobody(house: House) -> None:
    async def answer(ctx: Context) -> Outcome:
        return await 5  # type: ignore[misc,no-any-return]

    house.add_handler("work", answer)
    await house.start()

    assert "can't be used in 'await'" in ((await house.known(await house.promised())).error or "")


async def test_a_task_of_a_handler_that_is_gone_is_discarded(house: House) -> None:
    house.add_handler("work", Gate())
    await house.start()
    task_id = await house.promised()
    await house.kill()
    del house.handlers["work"]

    await house.start()

    task = await house.known(task_id)
    assert (task.state, task.error) == (TaskState.DISCARDED, "there is no handler 'work' any more")
    assert house.alerts == ["task.failed"]


# Time


async def test_a_handler_that_obeys_is_timed_out(house: House) -> None:
    house.add_handler("work", Gate(), timeout=timedelta(seconds=30))
    await house.start()
    task_id = await house.promised(max_attempts=1)

    await house.clock.advance(seconds=29)
    assert (await house.known(task_id)).state is TaskState.EXECUTING
    await house.clock.advance(seconds=1)

    task = await house.known(task_id)
    assert (task.state, task.error) == (TaskState.DISCARDED, "timed out after 30s")
    assert house.app.worker.left_behind == 0


async def test_a_handler_that_swallows_its_cancellation_is_walked_away_from(house: House) -> None:
    stubborn = Stubborn()
    house.limit(concurrency=1)
    house.add_handler("work", stubborn, timeout=timedelta(seconds=30))
    house.add_handler("next")
    await house.start()
    task_id = await house.promised(max_attempts=1)
    await house.app.queue.enqueue("next")

    await house.clock.advance(seconds=34)
    assert house.handled("next") == []
    await house.clock.advance(seconds=2)

    task = await house.known(task_id)
    assert (task.state, task.error) == (TaskState.DISCARDED, "timed out after 30s and would not stop")
    assert house.app.worker.left_behind == 1
    assert sorted(house.alerts) == ["handler.stuck", "task.failed"]
    assert len(house.handled("next")) == 1
    stubborn.released.set()
    await house.settle()
    assert house.app.worker.left_behind == 0
    assert (await house.known(task_id)).state is TaskState.DISCARDED


async def test_the_alarm_over_a_stuck_handler_ends_with_the_process(house: House) -> None:
    stubborn = Stubborn()
    house.add_handler("work", stubborn, timeout=timedelta(seconds=30))
    await house.start()
    await house.promised(max_attempts=1)
    await house.clock.advance(minutes=1)
    stubborn.released.set()
    await house.stop()

    await house.start()

    assert house.alerts == ["task.failed"]


async def test_a_handler_that_fails_on_its_way_out_has_timed_out(house: House) -> None:
    async def work(ctx: Context) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while cleaning up")
        return Done()

    house.add_handler("work", work, timeout=timedelta(seconds=30))
    await house.start()
    task_id = await house.promised(max_attempts=1)

    await house.clock.advance(minutes=1)

    assert (await house.known(task_id)).error == "timed out after 30s"


# Trying again


async def test_a_failure_is_tried_again_until_it_is_discarded(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no")))
    await house.start()
    task_id = await house.promised(max_attempts=4)

    await house.clock.advance(hours=2)

    task = await house.known(task_id)
    assert (task.state, task.attempt, task.error) == (TaskState.DISCARDED, 4, "ValueError: no")
    assert len(house.ran) == 4
    runs = [(row["attempt"], row["state"]) for row in await house.rows("run")]
    assert runs == [(1, "retryable"), (2, "retryable"), (3, "retryable"), (4, "discarded")]


async def test_a_failure_that_passes_is_done_in_the_end(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no"), ValueError("no"), Done()))
    await house.start()
    task_id = await house.promised(max_attempts=3)

    await house.clock.advance(hours=1)

    task = await house.known(task_id)
    assert (task.state, task.attempt, task.error) == (TaskState.COMPLETED, 3, None)


async def test_nobody_is_asked_again_sooner_than_he_wants(house: House) -> None:
    house.add_handler("work", Answers(HandlerError("busy", retry_after=timedelta(hours=3)), Done()))
    await house.start()
    await house.promised(max_attempts=2)

    await house.clock.advance(hours=2, minutes=59)
    assert len(house.ran) == 1
    await house.clock.advance(minutes=1)

    assert len(house.ran) == 2


async def test_a_snooze_costs_no_attempt_and_leaves_no_run(house: House) -> None:
    house.add_handler("work", Answers(*[Snooze(minutes=15, reason="not yet")] * 3, Done()))
    await house.start()
    task_id = await house.promised(max_attempts=1)

    await house.clock.advance(minutes=45)

    task = await house.known(task_id)
    assert (task.state, task.attempt) == (TaskState.COMPLETED, 1)
    assert len(await house.rows("run")) == 1
    assert [run.started_at for run in house.ran] == [NOW + timedelta(minutes=15 * n) for n in range(4)]


async def test_snoozing_has_an_end_that_can_be_seen(house: House) -> None:
    house.add_handler("work", Answers(Snooze(minutes=1, reason="not yet")))
    await house.start()
    task_id = await house.promised(max_attempts=1)

    await house.clock.advance(hours=10)

    task = await house.known(task_id)
    assert task.state is TaskState.DISCARDED
    assert task.error == f"put off {MOST_SNOOZES} times, last because not yet"
    assert len(house.ran) == MOST_SNOOZES + 1
    assert house.alerts == ["task.failed"]


# What is remembered


async def test_the_history_has_the_last_fifty_and_no_heartbeats(house: House) -> None:
    house.add_handler("work")
    house.add_handler("heartbeat", in_history=False)
    app = await house.start()
    ids = []
    for _ in range(60):
        ids.append(await house.promised())
        await house.promised("heartbeat")

    for _ in range(2):
        assert [task.id for task in app.store.history] == ids[-50:]
        assert app.store.runs_total == 60
        await house.kill()
        app = await house.start()

    assert app.store.handlers["heartbeat"].runs == 61 + 2  # each start beats once


async def test_many_ends_at_once_are_counted_right(house: House) -> None:
    gate = Gate()

    async def fail(ctx: Context) -> Outcome:
        await gate(ctx)
        raise HandlerError("no", permanent=True)

    house.limit(concurrency=100)
    house.add_handler("good", gate)
    house.add_handler("bad", fail)
    app = await house.start()
    for n in range(100):
        await app.queue.enqueue("bad" if n % 2 else "good")
    await house.settle()

    gate.opened.set()
    await house.settle()

    records = {name: (it.runs, it.failures, it.failure_streak) for name, it in app.store.handlers.items()}
    assert records == {"good": (50, 0, 0), "bad": (50, 50, 50)}
    assert len(await house.rows("run")) == 100
    assert sum(alert.count for alert in app.store.alerts.values()) == 50


async def test_no_more_run_at_once_than_there_are_places(house: House) -> None:
    gate = Gate()
    house.limit(concurrency=3, catch_up_concurrency=2, alert_concurrency=1)
    house.add_handler("work", gate)
    app = await house.start()
    for lane in Lane:
        for _ in range(10):
            await app.queue.enqueue("work", lane=lane)
    await house.settle()

    running = [task.lane for task in app.worker.running]
    gate.opened.set()
    await house.settle()

    assert {lane: running.count(lane) for lane in Lane} == {Lane.NORMAL: 3, Lane.CATCH_UP: 2, Lane.ALERTS: 1}
    assert len(house.ran) == 30


async def test_three_failures_in_a_row_are_critical_and_a_success_ends_the_alarm(house: House) -> None:
    house.add_handler("work", Answers(*[HandlerError("no", permanent=True)] * 3, Done()))
    app = await house.start()

    seen = []
    for _ in range(4):
        await house.promised()
        seen.append({alert.name: alert.severity for alert in app.alerts.open})

    assert seen[0] == seen[1] == {"task.failed": Severity.ERROR}
    assert seen[2] == {"task.failed": Severity.ERROR, "handler.failing": Severity.CRITICAL}
    assert seen[3] == {}
    assert all(alert.resolved_at for alert in app.store.alerts.values())

"""The worker: each task once, whatever handlers, disks and crashes do."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon.context import Context
from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, Snooze
from daemon.engine.verdict import MOST_INTERRUPTIONS, MOST_SNOOZES
from state.database import StoreFull
from state.records import Lane, Severity, Task, TaskState
from state.snapshot import read
from tests.house import NOW, Answers, Gate, House, Stubborn

Enqueue = Callable[..., Any]


async def promised(house: House, handler: str = "work", **fields: Any) -> str:
    """Enqueue one task, have it started, and say its id."""
    accepted = await house.app.queue.enqueue(handler, **fields)
    await house.settle()
    task_id: str = accepted.task.id
    return task_id


async def known(house: House, task_id: str) -> Task:
    task = await house.app.queue.find(task_id)
    assert task is not None
    return task


# How an attempt ends


async def test_a_task_that_is_done_is_kept_with_its_summary(house: House) -> None:
    house.add_handler("work", Answers(Done(items=12)))
    await house.start()

    task_id = await promised(house)

    task = await known(house, task_id)
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

    task = await known(house, await promised(house, max_attempts=3))

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

    task = await known(house, await promised(house, max_attempts=2))
    await promised(house, "next")

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

    task = await known(house, await promised(house))
    await house.app.saver.save_now()

    assert task.state is TaskState.COMPLETED
    kept = read(house.home.state_file)
    assert [run["handler"] for run in kept["taskHistory"]] == ["other", "work"]
    assert len(kept["taskHistory"][-1]["summary"]) == len(task.summary or {})


async def test_a_handler_that_is_no_coroutine_fails_and_hurts_nobody(house: House) -> None:
    async def answer(ctx: Context) -> Outcome:
        return await 5  # type: ignore[misc]

    house.add_handler("work", answer)
    await house.start()

    assert "can't be used in 'await'" in ((await known(house, await promised(house))).error or "")


async def test_a_task_of_a_handler_that_is_gone_is_discarded(house: House) -> None:
    house.add_handler("work", Gate())
    await house.start()
    task_id = await promised(house)
    await house.kill()
    del house.handlers["work"]

    await house.start()

    task = await known(house, task_id)
    assert (task.state, task.error) == (TaskState.DISCARDED, "there is no handler 'work' any more")
    assert house.alerts == ["task.failed"]


# Time


async def test_a_handler_that_obeys_is_timed_out(house: House) -> None:
    house.add_handler("work", Gate(), timeout=timedelta(seconds=30))
    await house.start()
    task_id = await promised(house, max_attempts=1)

    await house.clock.advance(seconds=29)
    assert (await known(house, task_id)).state is TaskState.EXECUTING
    await house.clock.advance(seconds=1)

    task = await known(house, task_id)
    assert (task.state, task.error) == (TaskState.DISCARDED, "timed out after 30s")
    assert house.app.worker.left_behind == 0


async def test_a_handler_that_swallows_its_cancellation_is_walked_away_from(house: House) -> None:
    stubborn = Stubborn()
    house.limit(concurrency=1)
    house.add_handler("work", stubborn, timeout=timedelta(seconds=30))
    house.add_handler("next")
    await house.start()
    task_id = await promised(house, max_attempts=1)
    await house.app.queue.enqueue("next")

    await house.clock.advance(seconds=34)
    assert house.handled("next") == []
    await house.clock.advance(seconds=2)

    task = await known(house, task_id)
    assert (task.state, task.error) == (TaskState.DISCARDED, "timed out after 30s and would not stop")
    assert house.app.worker.left_behind == 1
    assert sorted(house.alerts) == ["handler.stuck", "task.failed"]
    assert len(house.handled("next")) == 1
    stubborn.released.set()
    await house.settle()
    assert house.app.worker.left_behind == 0
    assert (await known(house, task_id)).state is TaskState.DISCARDED


async def test_the_alarm_over_a_stuck_handler_ends_with_the_process(house: House) -> None:
    stubborn = Stubborn()
    house.add_handler("work", stubborn, timeout=timedelta(seconds=30))
    await house.start()
    await promised(house, max_attempts=1)
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
    task_id = await promised(house, max_attempts=1)

    await house.clock.advance(minutes=1)

    assert (await known(house, task_id)).error == "timed out after 30s"


# Trying again


async def test_a_failure_is_tried_again_until_it_is_discarded(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no")))
    await house.start()
    task_id = await promised(house, max_attempts=4)

    await house.clock.advance(hours=2)

    task = await known(house, task_id)
    assert (task.state, task.attempt, task.error) == (TaskState.DISCARDED, 4, "ValueError: no")
    assert len(house.ran) == 4
    runs = [(row["attempt"], row["state"]) for row in await house.rows("run")]
    assert runs == [(1, "retryable"), (2, "retryable"), (3, "retryable"), (4, "discarded")]


async def test_a_failure_that_passes_is_done_in_the_end(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no"), ValueError("no"), Done()))
    await house.start()
    task_id = await promised(house, max_attempts=3)

    await house.clock.advance(hours=1)

    task = await known(house, task_id)
    assert (task.state, task.attempt, task.error) == (TaskState.COMPLETED, 3, None)


async def test_nobody_is_asked_again_sooner_than_he_wants(house: House) -> None:
    house.add_handler("work", Answers(HandlerError("busy", retry_after=timedelta(hours=3)), Done()))
    await house.start()
    await promised(house, max_attempts=2)

    await house.clock.advance(hours=2, minutes=59)
    assert len(house.ran) == 1
    await house.clock.advance(minutes=1)

    assert len(house.ran) == 2


async def test_a_snooze_costs_no_attempt_and_leaves_no_run(house: House) -> None:
    house.add_handler("work", Answers(*[Snooze(minutes=15, reason="not yet")] * 3, Done()))
    await house.start()
    task_id = await promised(house, max_attempts=1)

    await house.clock.advance(minutes=45)

    task = await known(house, task_id)
    assert (task.state, task.attempt) == (TaskState.COMPLETED, 1)
    assert len(await house.rows("run")) == 1
    assert [run.started_at for run in house.ran] == [NOW + timedelta(minutes=15 * n) for n in range(4)]


async def test_snoozing_has_an_end_that_can_be_seen(house: House) -> None:
    house.add_handler("work", Answers(Snooze(minutes=1, reason="not yet")))
    await house.start()
    task_id = await promised(house, max_attempts=1)

    await house.clock.advance(hours=10)

    task = await known(house, task_id)
    assert task.state is TaskState.DISCARDED
    assert task.error == f"put off {MOST_SNOOZES} times, last because not yet"
    assert len(house.ran) == MOST_SNOOZES + 1
    assert house.alerts == ["task.failed"]


# Crashes and stops


async def test_what_a_crash_cut_off_is_owed_again_with_the_attempt_counted(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    await house.start()
    task_id = await promised(house, max_attempts=3)
    await house.kill()
    gate.opened.set()

    app = await house.start()

    task = await known(house, task_id)
    assert (task.state, task.attempt) == (TaskState.COMPLETED, 2)
    assert [(run.attempt, run.state) for run in app.store.history] == [
        (1, TaskState.RETRYABLE),
        (2, TaskState.COMPLETED),
    ]
    assert "interrupted" in (app.store.history[0].error or "")


async def test_a_task_that_always_brings_the_daemon_down_is_discarded_in_the_end(house: House) -> None:
    house.add_handler("work", Gate())
    await house.start()
    task_id = await promised(house, max_attempts=2)
    lives = 0

    while (await known(house, task_id)).state is not TaskState.DISCARDED:
        await house.kill()
        await house.start()
        lives += 1

    assert lives == 2 + MOST_INTERRUPTIONS
    assert "task.failed" in house.alerts


async def test_a_stop_lets_work_finish_within_its_grace(house: House) -> None:
    async def work(ctx: Context) -> Outcome:
        await house.clock.sleep(10)
        return Done()

    house.add_handler("work", work)
    app = await house.start()
    task_id = await promised(house)

    stopping = asyncio.create_task(app.worker.stop(20))
    await house.clock.advance(seconds=10)

    assert stopping.done()
    assert (await known(house, task_id)).state is TaskState.COMPLETED


async def test_a_stop_puts_back_what_will_not_finish_and_counts_no_attempt(house: House) -> None:
    house.add_handler("work", Gate())
    house.add_handler("stubborn", stubborn := Stubborn())
    app = await house.start()
    for handler in ("work", "stubborn"):
        await promised(house, handler, max_attempts=1)
    waiting = (await app.queue.enqueue("work", scheduled_at=NOW + timedelta(hours=1))).task.id

    await house.clock.settle()
    stopping = asyncio.create_task(app.worker.stop(20))
    await house.clock.advance(seconds=22)

    assert stopping.done()
    rows = {row["id"]: row for row in await house.rows("task")}
    assert {row["state"] for row in rows.values()} == {"available", "scheduled"}
    assert {row["attempt"] for row in rows.values()} == {0}
    assert waiting in rows
    assert await house.rows("run") == []
    stubborn.released.set()


async def test_nothing_is_left_executing_after_a_stop_under_load(house: House) -> None:
    gate = Gate()
    house.limit(concurrency=5)
    house.add_handler("work", gate)
    app = await house.start()
    enqueueing = [asyncio.create_task(app.queue.enqueue("work")) for _ in range(50)]
    await asyncio.sleep(0)

    await house.stop()
    await asyncio.gather(*enqueueing)
    gate.opened.set()
    house.ran.clear()
    app = await house.start()
    await house.clock.advance(minutes=1)

    assert len(house.ran) == 50
    assert {run.attempt for run in app.store.history} == {1}
    assert [alert.name for alert in app.store.alerts.values()] == []


async def test_a_stop_comes_to_its_end_on_a_full_disk(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    task_id = await promised(house)
    house.disk.is_full = True
    gate.opened.set()
    await house.settle()

    stopping = asyncio.create_task(app.end())
    await house.clock.advance(seconds=28)

    assert stopping.done()
    assert stopping.exception() is None
    house.disk.is_full = False
    assert [row["state"] for row in await house.rows("task")] == ["executing"]
    await house.kill()
    app = await house.start()
    assert (await known(house, task_id)).attempt == 2


# A disk that refuses


async def test_a_start_that_cannot_be_stored_is_no_start(house: House) -> None:
    house.limit(concurrency=2)
    house.add_handler("work")
    app = await house.start()
    ids = []
    for n in range(5):
        later = NOW + timedelta(seconds=10, milliseconds=n)
        ids.append((await app.queue.enqueue("work", scheduled_at=later)).task.id)
    house.disk.is_full = True

    await house.clock.advance(minutes=1)
    assert house.ran == []
    house.disk.is_full = False
    await house.clock.advance(seconds=2)

    assert [task.id for task in house.ran] == ids
    assert {task.attempt for task in house.ran} == {1}


async def test_a_refused_start_is_offered_once_a_second_however_much_goes_on(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    await app.queue.enqueue("work", scheduled_at=NOW + timedelta(seconds=1))
    house.disk.is_full = True
    offers = 0
    submit = app.store.submit

    def counted(*args: Any) -> None:
        nonlocal offers
        offers += 1
        submit(*args)

    app.store.submit = counted  # type: ignore[method-assign]
    for _ in range(30):
        await house.clock.advance(seconds=1)
        app.worker.pump()
        await house.settle()
        app.worker.pump()
        await house.settle()

    assert offers <= 31


async def test_an_end_that_cannot_be_stored_is_kept_and_nothing_is_run_twice(house: House) -> None:
    gate = Gate()
    house.limit(concurrency=3)
    house.add_handler("work", gate)
    app = await house.start()
    for _ in range(5):
        await app.queue.enqueue("work")
    await house.settle()
    house.disk.is_full = True
    gate.opened.set()
    await house.clock.advance(minutes=1)
    assert len(house.ran) == 3
    assert len(app.store.tasks) == 5

    house.disk.is_full = False
    await house.clock.advance(seconds=2)

    assert app.store.tasks == {}
    assert len(house.ran) == 5
    assert len(await house.rows("run")) == 5
    assert app.store.handlers["work"].runs == 5


async def test_a_failure_that_waits_for_the_disk_is_counted_once(house: House) -> None:
    gate = Gate()

    async def work(ctx: Context) -> Outcome:
        await gate(ctx)
        raise ValueError("no")

    house.add_handler("work", work)
    app = await house.start()
    await promised(house, max_attempts=1)
    house.disk.is_full = True
    gate.opened.set()
    await house.clock.advance(minutes=1)
    house.disk.is_full = False
    await house.clock.advance(seconds=2)

    [alert] = app.store.alerts.values()
    assert (alert.name, alert.count) == ("task.failed", 1)
    assert app.store.handlers["work"].failures == 1


async def test_an_end_refused_before_a_later_one_does_not_put_the_counts_back(house: House) -> None:
    gates = [Gate(), Gate()]

    async def work(ctx: Context) -> Outcome:
        await gates[ctx.task.args["n"]](ctx)
        raise ValueError("no")

    house.add_handler("work", work)
    app = await house.start()
    for n in range(2):
        await promised(house, args={"n": n}, max_attempts=1)
    house.disk.is_full = True
    gates[0].opened.set()
    await house.settle()
    house.disk.is_full = False
    gates[1].opened.set()
    await house.settle()
    await house.clock.advance(seconds=2)

    assert app.store.handlers["work"].failures == 2
    [alert] = app.store.alerts.values()
    assert alert.count == 2


async def test_an_attempt_that_the_history_has_already_still_ends(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    task_id = await promised(house)
    statement = "INSERT INTO run (id, handler, args, state, trigger, lane, attempt, max_attempts,"
    statement += " scheduled_at, finished_at) SELECT id, handler, args, 'retryable', trigger, lane, 1, 1,"
    statement += " scheduled_at, scheduled_at FROM task"
    await app.store.run(lambda connection: connection.execute(statement).rowcount)
    other = await promised(house)

    gate.opened.set()
    await house.clock.advance(seconds=2)

    assert app.store.tasks == {}
    assert (await known(house, other)).state is TaskState.COMPLETED
    assert task_id not in app.store.tasks


# Cancelling


async def test_a_running_task_is_cancelled(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()
    task_id = await promised(house)

    assert await app.worker.cancel(task_id, "not wanted")
    await house.settle()

    task = await known(house, task_id)
    assert (task.state, task.error) == (TaskState.CANCELLED, "not wanted")
    assert app.store.handlers == {}


async def test_a_waiting_task_is_cancelled_and_never_runs(house: House) -> None:
    house.limit(concurrency=1)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    await promised(house)
    waiting = await promised(house)

    assert await app.worker.cancel(waiting, "not wanted")
    gate.opened.set()
    await house.settle()

    assert (await known(house, waiting)).state is TaskState.CANCELLED
    assert len(house.ran) == 1


async def test_a_task_that_waits_to_be_tried_again_is_cancelled(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no")))
    app = await house.start()
    task_id = await promised(house, max_attempts=3)

    assert await app.worker.cancel(task_id, "not wanted")
    await house.clock.advance(hours=1)

    assert len(house.ran) == 1
    task = await app.worker.wait_for(task_id)
    assert task is not None
    assert task.state is TaskState.CANCELLED


@pytest.mark.parametrize("hops", range(12))
async def test_a_task_that_is_cancelled_while_it_starts_or_ends_has_one_end(house: House, hops: int) -> None:
    house.add_handler("work", Answers(ValueError("no"), Done()))
    app = await house.start()
    task_id = (await app.queue.enqueue("work", max_attempts=2)).task.id
    for _ in range(hops):
        await asyncio.sleep(0)

    was_cancelled = await app.worker.cancel(task_id, "not wanted")
    await house.clock.advance(hours=1)

    task = await known(house, task_id)
    assert was_cancelled == (task.state is TaskState.CANCELLED)
    assert app.store.tasks == {}
    final = [row for row in await house.rows("run") if row["state"] != "retryable"]
    assert len(final) == 1


async def test_a_task_cancelled_by_many_at_once_has_one_end(house: House) -> None:
    house.limit(concurrency=1)
    house.add_handler("work", Gate())
    app = await house.start()
    await promised(house)
    waiting = await promised(house)

    answers = await asyncio.gather(*(app.worker.cancel(waiting, "not wanted") for _ in range(5)))

    assert answers == [True, False, False, False, False]
    assert len(await house.rows("run")) == 1


async def test_a_cancelling_that_cannot_be_stored_leaves_the_task_in_its_place(house: House) -> None:
    house.limit(concurrency=1)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    ids = [await promised(house) for _ in range(3)]
    house.disk.is_full = True

    with pytest.raises(StoreFull):
        await app.worker.cancel(ids[1], "not wanted")
    house.disk.is_full = False
    gate.opened.set()
    await house.settle()

    assert [task.id for task in house.ran] == ids


async def test_a_place_that_comes_free_during_a_refused_cancelling_is_not_lost(house: House) -> None:
    house.limit(concurrency=1)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    ids = [await promised(house) for _ in range(2)]
    house.disk.is_full = True
    cancelling = asyncio.create_task(app.worker.cancel(ids[1], "not wanted"))
    await asyncio.sleep(0)
    house.disk.is_full = False
    gate.opened.set()

    with pytest.raises(StoreFull):
        await cancelling
    await house.settle()

    assert [task.id for task in house.ran] == ids


async def test_what_is_unknown_or_over_cannot_be_cancelled(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    task_id = await promised(house)

    assert not await app.worker.cancel(task_id, "too late")
    assert not await app.worker.cancel("no-such-task", "never was")


# Waiting for an end


async def test_who_waits_for_a_task_is_told_its_end(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    task_id = await promised(house)
    waiting = [asyncio.create_task(app.worker.wait_for(task_id)) for _ in range(3)]
    await house.settle()
    assert not any(it.done() for it in waiting)
    gate.opened.set()

    told = [await it for it in waiting]

    assert [task and task.state for task in told] == [TaskState.COMPLETED] * 3
    after = await app.worker.wait_for(task_id)
    assert after is not None
    assert after.state is TaskState.COMPLETED
    assert await app.worker.wait_for("no-such-task") is None


async def test_who_stops_waiting_disturbs_nobody(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    task_id = await promised(house)
    waiting = [asyncio.create_task(app.worker.wait_for(task_id)) for _ in range(3)]
    await house.settle()

    waiting[0].cancel()
    gate.opened.set()

    assert [(await it or house.ran[0]).state for it in waiting[1:]] == [TaskState.COMPLETED] * 2


async def test_who_waits_through_a_retry_is_told_only_the_last_word(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no"), Done()))
    app = await house.start()
    task_id = await promised(house, max_attempts=2)
    waiting = asyncio.create_task(app.worker.wait_for(task_id))

    await house.clock.advance(minutes=10)

    task = await waiting
    assert task is not None
    assert (task.state, task.attempt) == (TaskState.COMPLETED, 2)


# What is remembered


async def test_the_history_has_the_last_fifty_and_no_heartbeats(house: House) -> None:
    house.add_handler("work")
    house.add_handler("heartbeat", in_history=False)
    app = await house.start()
    ids = []
    for _ in range(60):
        ids.append(await promised(house))
        await promised(house, "heartbeat")

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
        await promised(house)
        seen.append({alert.name: alert.severity for alert in app.alerts.open})

    assert seen[0] == seen[1] == {"task.failed": Severity.ERROR}
    assert seen[2] == {"task.failed": Severity.ERROR, "handler.failing": Severity.CRITICAL}
    assert seen[3] == {}
    assert all(alert.resolved_at for alert in app.store.alerts.values())

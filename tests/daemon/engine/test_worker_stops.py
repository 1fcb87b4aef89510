"""The worker through crashes, stops and disks that refuse: nothing lost, nothing run twice."""

import asyncio
from datetime import timedelta
from typing import Any

from daemon.context import Context
from daemon.engine.handler import Done, Outcome
from daemon.engine.verdict import MOST_INTERRUPTIONS
from state.records import TaskState
from tests.house import NOW, Gate, House, Stubborn

# Crashes and stops


async def test_what_a_crash_cut_off_is_owed_again_with_the_attempt_counted(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    await house.start()
    task_id = await house.promised(max_attempts=3)
    await house.kill()
    gate.opened.set()

    app = await house.start()

    task = await house.known(task_id)
    assert (task.state, task.attempt) == (TaskState.COMPLETED, 2)
    assert [(run.attempt, run.state) for run in app.store.history] == [
        (1, TaskState.RETRYABLE),
        (2, TaskState.COMPLETED),
    ]
    assert "interrupted" in (app.store.history[0].error or "")


async def test_a_task_that_always_brings_the_daemon_down_is_discarded_in_the_end(house: House) -> None:
    house.add_handler("work", Gate())
    await house.start()
    task_id = await house.promised(max_attempts=2)
    lives = 0

    while (await house.known(task_id)).state is not TaskState.DISCARDED:
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
    task_id = await house.promised()

    stopping = asyncio.create_task(app.worker.stop(20))
    await house.clock.advance(seconds=10)

    assert stopping.done()
    assert (await house.known(task_id)).state is TaskState.COMPLETED


async def test_a_stop_puts_back_what_will_not_finish_and_counts_no_attempt(house: House) -> None:
    house.add_handler("work", Gate())
    house.add_handler("stubborn", stubborn := Stubborn())
    app = await house.start()
    for handler in ("work", "stubborn"):
        await house.promised(handler, max_attempts=1)
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
    task_id = await house.promised()
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
    assert (await house.known(task_id)).attempt == 2


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

    app.store.submit = counted  # type: ignore[assignment,method-assign]
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
    await house.promised(max_attempts=1)
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
        await house.promised(args={"n": n}, max_attempts=1)
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
    task_id = await house.promised()
    statement = "INSERT INTO run (id, handler, args, state, trigger, lane, attempt, max_attempts,"
    statement += " scheduled_at, finished_at) SELECT id, handler, args, 'retryable', trigger, lane, 1, 1,"
    statement += " scheduled_at, scheduled_at FROM task"
    await app.store.run(lambda connection: connection.execute(statement).rowcount)
    other = await house.promised()

    gate.opened.set()
    await house.clock.advance(seconds=2)

    assert app.store.tasks == {}
    assert (await house.known(other)).state is TaskState.COMPLETED
    assert task_id not in app.store.tasks

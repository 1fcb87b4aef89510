"""Cancelling a task, and waiting for one: each has one end, and whoever waits is told it."""

import asyncio

import pytest

from daemon.engine.handler import Done
from state.database import StoreFull
from state.records import TaskState
from tests.house import Answers, Gate, House

# Cancelling


async def test_a_running_task_is_cancelled(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()
    task_id = await house.promised()

    assert await app.worker.cancel(task_id, "not wanted")
    await house.settle()

    task = await house.known(task_id)
    assert (task.state, task.error) == (TaskState.CANCELLED, "not wanted")
    assert app.store.handlers == {}


async def test_a_waiting_task_is_cancelled_and_never_runs(house: House) -> None:
    house.limit(concurrency=1)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    await house.promised()
    waiting = await house.promised()

    assert await app.worker.cancel(waiting, "not wanted")
    gate.opened.set()
    await house.settle()

    assert (await house.known(waiting)).state is TaskState.CANCELLED
    assert len(house.ran) == 1


async def test_a_task_that_waits_to_be_tried_again_is_cancelled(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no")))
    app = await house.start()
    task_id = await house.promised(max_attempts=3)

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

    task = await house.known(task_id)
    assert was_cancelled == (task.state is TaskState.CANCELLED)
    assert app.store.tasks == {}
    final = [row for row in await house.rows("run") if row["state"] != "retryable"]
    assert len(final) == 1


async def test_a_task_cancelled_by_many_at_once_has_one_end(house: House) -> None:
    house.limit(concurrency=1)
    house.add_handler("work", Gate())
    app = await house.start()
    await house.promised()
    waiting = await house.promised()

    answers = await asyncio.gather(*(app.worker.cancel(waiting, "not wanted") for _ in range(5)))

    assert answers == [True, False, False, False, False]
    assert len(await house.rows("run")) == 1


async def test_a_cancelling_that_cannot_be_stored_leaves_the_task_in_its_place(house: House) -> None:
    house.limit(concurrency=1)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    ids = [await house.promised() for _ in range(3)]
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
    ids = [await house.promised() for _ in range(2)]
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
    task_id = await house.promised()

    assert not await app.worker.cancel(task_id, "too late")
    assert not await app.worker.cancel("no-such-task", "never was")


# Waiting for an end


async def test_who_waits_for_a_task_is_told_its_end(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    task_id = await house.promised()
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
    task_id = await house.promised()
    waiting = [asyncio.create_task(app.worker.wait_for(task_id)) for _ in range(3)]
    await house.settle()

    waiting[0].cancel()
    gate.opened.set()

    assert [(await it or house.ran[0]).state for it in waiting[1:]] == [TaskState.COMPLETED] * 2


async def test_who_waits_through_a_retry_is_told_only_the_last_word(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no"), Done()))
    app = await house.start()
    task_id = await house.promised(max_attempts=2)
    waiting = asyncio.create_task(app.worker.wait_for(task_id))

    await house.clock.advance(minutes=10)

    task = await waiting
    assert task is not None
    assert (task.state, task.attempt) == (TaskState.COMPLETED, 2)

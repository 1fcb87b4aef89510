"""The durable queue: nothing promised is lost, nothing is promised twice under one key."""

import asyncio
from datetime import timedelta

import pytest

from daemon.engine.handler import Done, HandlerError
from daemon.engine.queue import QueueFull
from state.database import StoreError, StoreFull
from state.records import Lane, TaskState, Trigger
from tests.house import NOW, Answers, Gate, House


async def test_a_task_is_on_the_disk_before_anybody_is_told(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()

    accepted = await app.queue.enqueue("work", {"n": 1})

    assert [row["id"] for row in await house.rows("task")] == [accepted.task.id]
    assert not accepted.is_duplicate


async def test_what_was_promised_is_run_after_a_kill(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    accepted = [(await app.queue.enqueue("work", {"n": n})).task.id for n in range(50)]

    await house.kill()
    gate.opened.set()
    house.ran.clear()
    await house.start()
    await house.clock.advance(minutes=1)

    assert sorted(task.id for task in house.ran) == accepted
    assert house.app.store.tasks == {}


async def test_the_same_key_twice_is_one_task(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()

    first = await app.queue.enqueue("work", {"n": 1}, key="k")
    again = await app.queue.enqueue("work", {"n": 2}, key="k")

    assert again.is_duplicate
    assert again.task.id == first.task.id
    assert again.task.args == {"n": 1}


async def test_the_same_key_many_times_at_once_is_one_task(house: House) -> None:
    house.add_handler("work")
    app = await house.start()

    answers = await asyncio.gather(*(app.queue.enqueue("work", key="k") for _ in range(100)))
    await house.settle()

    assert len({answer.task.id for answer in answers}) == 1
    assert sum(not answer.is_duplicate for answer in answers) == 1
    assert len(house.ran) == 1


async def test_the_same_key_after_the_task_has_ended_answers_with_how_it_ended(house: House) -> None:
    house.add_handler("work", Answers(Done(items=3)))
    app = await house.start()
    first = await app.queue.enqueue("work", key="k")
    await house.settle()

    again = await app.queue.enqueue("work", key="k")

    assert (again.is_duplicate, again.task.id) == (True, first.task.id)
    assert (again.task.state, again.task.summary) == (TaskState.COMPLETED, {"items": 3})
    assert len(house.ran) == 1


async def test_the_same_key_after_a_restart_and_after_a_kill_is_still_one_task(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    first = await app.queue.enqueue("work", key="k")

    for end in (house.kill, house.stop):
        await house.settle()
        await end()
        app = await house.start()
        again = await app.queue.enqueue("work", key="k")
        assert (again.is_duplicate, again.task.id) == (True, first.task.id)

    assert len(house.handled("work")) == 1


async def test_a_key_outlives_the_history_of_its_task(house: House) -> None:
    house.add_handler("work", in_history=False)
    app = await house.start()
    first = await app.queue.enqueue("work", key="k")
    await house.settle()

    again = await app.queue.enqueue("work", key="k")

    assert (again.is_duplicate, again.task.id) == (True, first.task.id)
    assert again.task.state is TaskState.COMPLETED


async def test_a_key_whose_task_could_not_be_stored_is_free(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    house.disk.is_full = True
    with pytest.raises(StoreFull):
        await app.queue.enqueue("work", key="k")
    house.disk.is_full = False

    again = await app.queue.enqueue("work", key="k")

    assert not again.is_duplicate


async def test_of_many_with_one_key_on_a_full_disk_none_is_promised(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    house.disk.is_full = True

    answers = await asyncio.gather(
        *(app.queue.enqueue("work", key="k") for _ in range(10)), return_exceptions=True
    )
    house.disk.is_full = False
    await house.clock.advance(minutes=1)

    assert {type(answer) for answer in answers} == {StoreFull}
    assert house.ran == []
    assert await house.rows("task_key") == []


async def test_a_caller_who_gives_up_leaves_a_task_that_runs_and_a_key_that_is_known(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    asking = asyncio.create_task(app.queue.enqueue("work", key="k"))
    await asyncio.sleep(0)
    asking.cancel()

    again = await app.queue.enqueue("work", key="k")
    await house.settle()

    assert again.is_duplicate
    assert [task.id for task in house.ran] == [again.task.id]
    assert len(await house.rows("run")) == 1


async def test_a_caller_without_a_key_who_gives_up_leaves_no_task_that_nobody_runs(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    asking = asyncio.create_task(app.queue.enqueue("work"))
    await asyncio.sleep(0)
    asking.cancel()

    await house.settle()

    assert len(house.ran) == 1
    assert app.store.tasks == {}


async def test_a_full_queue_refuses_and_takes_again(house: House) -> None:
    house.limit(max_waiting=3)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    for _ in range(3):
        await app.queue.enqueue("work")

    with pytest.raises(QueueFull, match="3 tasks wait already"):
        await app.queue.enqueue("work")
    gate.opened.set()
    await house.settle()

    await app.queue.enqueue("work")


async def test_many_at_once_do_not_overfill_the_queue(house: House) -> None:
    house.limit(max_waiting=3)
    house.add_handler("work", Gate())
    app = await house.start()

    answers = await asyncio.gather(*(app.queue.enqueue("work") for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(answer, QueueFull) for answer in answers) == 7
    assert len(app.store.tasks) == 3


async def test_a_daemon_with_a_full_queue_starts(house: House) -> None:
    house.add_handler("work", Gate())
    house.add_handler("heartbeat", in_history=False)
    app = await house.start()
    for _ in range(3):
        await app.queue.enqueue("work")
    await house.kill()

    house.limit(max_waiting=3)
    await house.start()

    assert house.app.is_ready
    assert len(house.app.store.tasks) == 3


async def test_a_schedule_fires_into_a_full_queue(house: House) -> None:
    house.limit(max_waiting=1)
    house.add_handler("work", Gate())
    house.add_handler("nightly")
    house.add_schedule("nightly", "0 23 * * *")
    app = await house.start()
    await app.queue.enqueue("work")

    await house.clock.advance(hours=3)

    assert len(house.handled("nightly")) == 1


async def test_a_full_disk_promises_nothing(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    house.disk.is_full = True

    with pytest.raises(StoreFull):
        await app.queue.enqueue("work")
    house.disk.is_full = False
    await house.clock.advance(minutes=1)

    assert house.ran == []
    assert app.store.tasks == {}


async def test_arguments_that_cannot_be_stored_are_refused_and_hurt_nobody_else(house: House) -> None:
    house.add_handler("work")
    app = await house.start()

    bad, good = await asyncio.gather(
        app.queue.enqueue("work", {"text": "\ud800"}), app.queue.enqueue("work"), return_exceptions=True
    )

    assert isinstance(bad, StoreError)
    assert not isinstance(good, BaseException)


async def test_first_come_is_first_served(house: House) -> None:
    house.limit(concurrency=1)
    house.add_handler("work")
    app = await house.start()

    ids = [(await app.queue.enqueue("work")).task.id for _ in range(20)]
    await house.settle()

    assert [task.id for task in house.ran] == ids


async def test_the_order_is_kept_over_a_restart(house: House) -> None:
    house.limit(concurrency=1)
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    ids = [(await app.queue.enqueue("work")).task.id for _ in range(20)]

    await house.kill()
    house.ran.clear()
    gate.opened.set()
    await house.start()

    assert [task.id for task in house.ran] == ids


async def test_a_lane_that_is_full_starves_no_other(house: House) -> None:
    house.limit(concurrency=2, catch_up_concurrency=1, alert_concurrency=1)
    house.add_handler("slow", Gate())
    house.add_handler("quick")
    app = await house.start()
    for lane in (Lane.NORMAL, Lane.CATCH_UP):
        for _ in range(50):
            await app.queue.enqueue("slow", lane=lane)

    await app.queue.enqueue("quick", lane=Lane.ALERTS)
    await house.settle()

    assert len(house.handled("quick")) == 1
    assert len(house.handled("slow")) == 3
    assert [app.queue.depth(lane) for lane in (Lane.NORMAL, Lane.CATCH_UP, Lane.ALERTS)] == [48, 49, 0]


async def test_a_task_for_later_waits_for_its_time(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    accepted = await app.queue.enqueue("work", scheduled_at=NOW + timedelta(hours=2))
    assert accepted.task.state is TaskState.SCHEDULED

    await house.clock.advance(hours=1, minutes=59)
    assert house.ran == []
    await house.clock.advance(minutes=1)

    assert [task.started_at for task in house.ran] == [NOW + timedelta(hours=2)]


async def test_a_task_that_is_sooner_than_the_one_waited_for_is_not_late(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    await app.queue.enqueue("work", scheduled_at=NOW + timedelta(hours=5))
    await house.settle()
    await app.queue.enqueue("work", scheduled_at=NOW + timedelta(seconds=30))

    await house.clock.advance(seconds=30)

    assert len(house.ran) == 1


async def test_what_came_due_while_down_is_run_at_the_start(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    await app.queue.enqueue("work", scheduled_at=NOW + timedelta(hours=1))
    await house.kill()

    await house.clock.advance(hours=2)
    await house.start()

    assert len(house.ran) == 1


async def test_a_finished_task_is_found_in_the_history_and_beyond_it(house: House) -> None:
    house.add_handler("work", Answers(Done(n=1), HandlerError("no", permanent=True), Done()))
    app = await house.start()
    done = (await app.queue.enqueue("work")).task.id
    await house.settle()
    failed = (await app.queue.enqueue("work")).task.id
    await house.settle()

    for _ in range(2):
        for task_id, state in ((done, TaskState.COMPLETED), (failed, TaskState.DISCARDED)):
            found = await app.queue.find(task_id)
            assert found is not None
            assert found.state is state
        for _ in range(60):
            await app.queue.enqueue("work")
        await house.settle()

    assert done not in [task.id for task in app.store.history]
    assert await app.queue.find("no-such-task") is None


async def test_a_trigger_and_a_lane_are_kept(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()

    await app.queue.enqueue("work", trigger=Trigger.MANUAL, lane=Lane.ALERTS, max_attempts=7)
    await house.kill()
    app = await house.start()

    [task] = app.store.tasks.values()
    assert (task.trigger, task.lane, task.max_attempts) == (Trigger.MANUAL, Lane.ALERTS, 7)

"""The scheduler: every slot served once or its reason recorded, whatever the clock and the disk do."""

from collections import Counter
from datetime import timedelta

from daemon.engine.spec import CatchUp, Overlap
from state.records import Lane, SlotState, TaskState
from tests.house import NOW, Answers, Gate, House

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def nightly(house: House, cron: str = "0 23 * * *", **fields: object) -> None:
    if "nightly" not in house.handlers:
        house.add_handler("nightly")
    house.add_schedule("nightly", cron, **fields)  # type: ignore[arg-type]


async def decided(house: House, name: str = "nightly") -> dict[str, str]:
    """The slots of a schedule, and for each its task's trigger or the reason it was left out."""
    triggers = {task.id: task.trigger.value for task in house.ran}
    return {
        slot.slot: triggers.get(slot.task_id or "", "not run") if slot.task_id else slot.reason or ""
        for slot in await house.slots(name)
    }


async def test_a_schedule_fires_on_time(house: House) -> None:
    nightly(house)
    await house.start()

    await house.clock.advance(days=3)

    assert await decided(house) == {f"2026-11-{day}T23:00:00": "cron" for day in (21, 22, 23)}
    assert [task.started_at for task in house.ran] == [NOW + timedelta(hours=2 + 24 * n) for n in range(3)]
    record = house.app.store.schedules["nightly"]
    assert (record.last_slot, record.next_fire_at) == ("2026-11-23T23:00:00", NOW + timedelta(hours=74))


async def test_a_new_schedule_owes_nothing(house: House) -> None:
    nightly(house, "0 20 * * *")
    await house.start()

    assert house.ran == []
    assert house.app.store.schedules["nightly"].last_slot == "2026-11-21T20:00:00"
    assert await house.slots("nightly") == []


async def test_a_fire_missed_while_down_is_made_once_after_restart(house: House) -> None:
    nightly(house)
    await house.start()
    await house.kill()
    await house.clock.advance(hours=6)

    for _ in range(3):
        await house.start()
        await house.kill()
    await house.start()

    assert await decided(house) == {"2026-11-21T23:00:00": "catch-up"}
    assert [task.lane for task in house.ran] == [Lane.CATCH_UP]


async def test_after_a_catch_up_the_next_fire_is_known(house: House) -> None:
    nightly(house)
    await house.start()
    await house.kill()
    await house.clock.advance(days=2, hours=6)

    await house.start()

    assert house.app.store.schedules["nightly"].next_fire_at == NOW + timedelta(days=3, hours=2)


async def test_several_missed_become_the_newest_and_the_others_have_their_rows(house: House) -> None:
    nightly(house, catch_up_window=30 * DAY)
    await house.start()
    await house.kill()
    await house.clock.advance(days=3, hours=6)

    await house.start()

    assert list((await decided(house)).values()) == [
        *["missed, and superseded by 2026-11-24T23:00:00"] * 3,
        "catch-up",
    ]


async def test_all_missed_are_made_up_where_that_is_wanted(house: House) -> None:
    nightly(house, catch_up=CatchUp.ALL, catch_up_window=30 * DAY)
    await house.start()
    await house.kill()
    await house.clock.advance(days=3, hours=6)

    await house.start()

    assert list((await decided(house)).values()) == ["catch-up"] * 4
    assert [task.slot for task in house.ran] == sorted(await decided(house))


async def test_what_is_beyond_the_window_has_a_row_that_says_so(house: House) -> None:
    nightly(house, catch_up_window=HOUR)
    await house.start()
    await house.kill()
    await house.clock.advance(hours=6)

    await house.start()

    assert await decided(house) == {"2026-11-21T23:00:00": "missed, and older than the catch-up window of 1h"}
    assert house.ran == []


async def test_the_slot_and_its_task_are_on_the_disk_together_or_not_at_all(house: House) -> None:
    nightly(house)
    await house.start()
    house.disk.is_full = True
    await house.clock.advance(hours=3)
    assert house.ran == []
    assert await house.slots("nightly") == []

    house.disk.is_full = False
    await house.clock.advance(minutes=1)

    assert await decided(house) == {"2026-11-21T23:00:00": "catch-up"}


async def test_a_loop_that_was_held_up_over_the_hour_loses_nothing(house: House) -> None:
    nightly(house)
    await house.start()

    await house.clock.step(timedelta(hours=2, seconds=3))
    await house.clock.advance(seconds=5)

    assert await decided(house) == {"2026-11-21T23:00:00": "cron"}


async def test_a_clock_put_back_two_hours_repeats_nothing(house: House) -> None:
    nightly(house)
    house.add_handler("often")
    house.add_schedule("often", "*/10 * * * *")
    await house.start()
    await house.clock.advance(hours=2, minutes=30)
    await house.clock.step(-2 * HOUR)

    await house.clock.advance(hours=2)
    assert len(house.handled("often")) == 15
    await house.clock.advance(hours=1)

    assert len(house.handled("nightly")) == 1
    assert len(house.handled("often")) == 21
    slots = [task.slot for task in house.ran if task.handler == "often"]
    assert len(set(slots)) == len(slots)


async def test_a_clock_put_back_while_down_repeats_nothing(house: House) -> None:
    nightly(house)
    await house.start()
    await house.clock.advance(hours=2, minutes=30)
    await house.kill()
    await house.clock.step(-2 * HOUR)
    await house.start()

    await house.clock.advance(hours=3)

    assert len(house.ran) == 1


async def test_a_clock_put_forward_three_days_catches_up_once(house: House) -> None:
    nightly(house)
    await house.start()
    await house.clock.step(3 * DAY)
    await house.clock.advance(seconds=6)
    await house.clock.step(-3 * DAY)

    await house.clock.advance(days=5)

    slots = await decided(house)
    assert list(slots) == [f"2026-11-{day}T23:00:00" for day in range(21, 27)][: len(slots)]
    assert Counter(slots.values())["catch-up"] == 1
    assert len({task.slot for task in house.ran}) == len(house.ran)


async def test_a_thousand_schedules_due_in_one_second_all_fire(house: House) -> None:
    house.add_handler("work")
    for n in range(1000):
        house.add_schedule(f"s{n}", "0 23 * * *", handler="work")
    await house.start()

    await house.clock.advance(hours=2, minutes=1)

    assert len({task.schedule for task in house.ran}) == len(house.ran) == 1000
    assert len(await house.rows("slot")) == 1000
    assert {record.next_fire_at for record in house.app.store.schedules.values()} == {NOW + 26 * HOUR}


# Overlap


async def test_an_overlap_is_skipped_with_a_row_that_says_why(house: House) -> None:
    gate = Gate()
    house.add_handler("nightly", gate, timeout=7 * DAY)
    nightly(house, "0 * * * *", timeout=7 * DAY)
    await house.start()
    await house.clock.advance(hours=3)
    gate.opened.set()
    await house.clock.advance(hours=1)

    slots = await decided(house)
    task = house.ran[0].id
    assert list(slots.values()) == [
        "cron",
        *[f"task {task} is still executing, since 2026-11-21 22:00:00Z"] * 2,
        "cron",
    ]


async def test_an_overlap_that_may_queue_lets_one_wait(house: House) -> None:
    gate = Gate()
    house.limit(concurrency=1)
    house.add_handler("nightly", gate, timeout=7 * DAY)
    nightly(house, "0 * * * *", overlap=Overlap.QUEUE, timeout=7 * DAY)
    await house.start()
    await house.clock.advance(hours=4)
    assert len(house.ran) == 1
    gate.opened.set()
    await house.settle()

    assert len(house.ran) == 2
    assert Counter(slot.state for slot in await house.slots("nightly")) == {
        SlotState.FIRED: 2,
        SlotState.SKIPPED: 2,
    }


async def test_an_overlap_that_is_allowed_runs_side_by_side(house: House) -> None:
    house.add_handler("nightly", Gate(), timeout=7 * DAY)
    nightly(house, "0 * * * *", overlap=Overlap.ALLOW, timeout=7 * DAY)
    await house.start()

    await house.clock.advance(hours=4)

    assert len(house.app.worker.running) == 4


async def test_an_overlap_can_end_the_earlier_run(house: House) -> None:
    house.add_handler("nightly", Gate(), timeout=7 * DAY)
    nightly(house, "0 * * * *", overlap=Overlap.CANCEL, timeout=7 * DAY)
    await house.start()

    await house.clock.advance(hours=3)

    assert [task.slot for task in house.app.worker.running] == ["2026-11-22T00:00:00"]
    assert [(run.state, run.error) for run in house.app.store.history] == [
        (TaskState.CANCELLED, "superseded by slot 2026-11-21T23:00:00"),
        (TaskState.CANCELLED, "superseded by slot 2026-11-22T00:00:00"),
    ]


async def test_an_overlap_can_end_a_run_that_waits_to_be_tried_again(house: House) -> None:
    house.add_handler("nightly", Answers(ValueError("no")))
    nightly(house, "* * * * *", overlap=Overlap.CANCEL, max_attempts=50)
    house.add_handler("other")
    house.add_schedule("other", "* * * * *")
    await house.start()

    await house.clock.advance(minutes=30)

    assert len(house.handled("other")) == 30
    assert len(await house.slots("nightly")) == 30
    assert len(house.app.store.tasks) <= 1


async def test_what_somebody_triggered_keeps_no_slot_out(house: House) -> None:
    house.add_handler("nightly", Gate())
    nightly(house)
    await house.start()
    await house.app.scheduler.trigger("nightly", None, None)
    await house.settle()
    await house.app.scheduler.adopt(house.specs)

    await house.clock.advance(hours=2)

    assert [slot.state for slot in await house.slots("nightly")] == [SlotState.FIRED]
    assert len(house.ran) == 2

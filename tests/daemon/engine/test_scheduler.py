"""The scheduler: every slot served once or its reason recorded, whatever the clock and the disk do."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from daemon.engine.spec import CatchUp, Overlap
from state.database import StoreError
from state.records import Lane, SlotState, TaskState, Trigger
from state.snapshot import schedule_json
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

    assert await decided(house_started := await reopened(house)) == {"2026-11-21T23:00:00": "catch-up"}
    assert len(house_started.ran) == 1
    assert house.ran[0].lane is Lane.CATCH_UP


async def reopened(house: House) -> House:
    await house.start()
    return house


async def test_after_a_catch_up_the_next_fire_is_known(house: House) -> None:
    nightly(house)
    await house.start()
    await house.kill()
    await house.clock.advance(days=2, hours=6)

    await house.start()

    shown = schedule_json(house.app.store.schedules["nightly"])
    assert (
        shown["nextFireAt"] == NOW + timedelta(days=3, hours=2)
        or shown["nextFireAt"] == "2026-11-24T23:00:00Z"
    )
    assert house.app.store.schedules["nightly"].next_fire_at == NOW + timedelta(days=2, hours=26)


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


# Pausing


async def test_a_pause_leaves_out_slots_with_their_reason_and_ends_by_itself(house: House) -> None:
    nightly(house)
    await house.start()
    await house.app.scheduler.pause("nightly", NOW + 2 * DAY, "the move")

    await house.clock.advance(days=4)

    paused = "paused until 2026-11-23 21:00Z: the move"
    assert list((await decided(house)).values()) == [paused, paused, "cron", "cron"]
    record = house.app.store.schedules["nightly"]
    assert (record.paused_until, record.pause_reason) == (None, None)


async def test_a_pause_outlives_a_kill(house: House) -> None:
    nightly(house)
    await house.start()
    await house.app.scheduler.pause("nightly", NOW + 2 * DAY, "the move")
    await house.kill()
    await house.clock.advance(hours=3)

    await house.start()

    assert list((await decided(house)).values()) == ["paused until 2026-11-23 21:00Z: the move"]


async def test_a_pause_can_be_ended(house: House) -> None:
    nightly(house)
    await house.start()
    await house.app.scheduler.pause("nightly", NOW + 30 * DAY, "the move")
    await house.clock.advance(days=1)

    record = await house.app.scheduler.resume("nightly")
    await house.clock.advance(days=1)

    assert record.paused_until is None
    assert [slot.state for slot in await house.slots("nightly")] == [SlotState.SKIPPED, SlotState.FIRED]


@pytest.mark.parametrize("hops", range(8))
async def test_a_pause_in_the_middle_of_a_fire_is_kept_and_takes_nothing_back(
    house: House, hops: int
) -> None:
    house.parts = ("queue",)
    nightly(house, "0 * * * *")
    app = await house.start()
    await house.clock.step(HOUR)
    firing = asyncio.create_task(app.scheduler.step())
    for _ in range(hops):
        await asyncio.sleep(0)

    await app.scheduler.pause("nightly", NOW + 10 * HOUR, "the move")
    await firing

    record = app.store.schedules["nightly"]
    assert (record.pause_reason, record.last_slot) == ("the move", "2026-11-21T22:00:00")


async def test_what_is_unknown_can_be_neither_paused_nor_resumed_nor_triggered(house: House) -> None:
    app = await house.start()

    with pytest.raises(KeyError):
        await app.scheduler.pause("nightly", NOW + DAY, "?")
    with pytest.raises(KeyError):
        await app.scheduler.resume("nightly")
    with pytest.raises(KeyError):
        await app.scheduler.trigger("nightly", None, None)
    assert app.scheduler.newest_slot("nightly", NOW) is None


# Triggering


async def test_a_trigger_runs_beside_the_slots_and_twice_with_one_key_once(house: House) -> None:
    nightly(house, args={"a": 1, "b": 2}, max_attempts=5)
    app = await house.start()

    first = await app.scheduler.trigger("nightly", {"b": 3}, "k")
    again = await app.scheduler.trigger("nightly", {"b": 4}, "k")
    await house.settle()

    assert (again.is_duplicate, again.task.id) == (True, first.task.id)
    [task] = house.ran
    assert (task.args, task.trigger, task.slot, task.max_attempts) == (
        {"a": 1, "b": 3},
        Trigger.MANUAL,
        None,
        5,
    )
    assert await house.slots("nightly") == []


# Changing the schedules


@pytest.mark.parametrize(("cron", "timezone"), [("*/5 * * * *", "UTC"), ("0 23 * * *", "Asia/Tokyo")])
async def test_a_changed_line_or_zone_makes_no_slots_in_the_past(
    house: House, cron: str, timezone: str
) -> None:
    nightly(house, "0 20 * * *")
    await house.start()
    await house.kill()
    await house.clock.advance(days=10)
    house.add_schedule("nightly", cron, timezone)

    await house.start()

    assert house.ran == []
    assert await house.slots("nightly") == []


async def test_a_changed_line_fires_from_now_on(house: House) -> None:
    nightly(house, "0 20 * * *")
    app = await house.start()
    house.add_schedule("nightly", "30 21 * * *")
    await app.scheduler.adopt(house.specs)

    await house.clock.advance(hours=1)

    assert [task.slot for task in house.ran] == ["2026-11-21T21:30:00"]


async def test_an_unchanged_line_still_owes_what_it_missed_after_a_reload(house: House) -> None:
    nightly(house)
    house.parts = ("queue",)
    app = await house.start()
    await house.clock.advance(hours=3)

    house.add_schedule("nightly", "0 23 * * *", catch_up_window=2 * DAY)
    await app.scheduler.adopt(house.specs)
    await app.scheduler.step()
    await house.settle()

    assert [task.slot for task in house.ran] == ["2026-11-21T23:00:00"]


async def test_a_schedule_that_is_taken_out_fires_no_more(house: House) -> None:
    nightly(house)
    app = await house.start()

    await app.scheduler.adopt({})
    await house.clock.advance(days=2)

    assert house.ran == []
    assert app.store.schedules == {}


@pytest.mark.parametrize("hops", range(10))
async def test_a_reload_in_the_middle_of_a_fire_neither_loses_nor_doubles_it(house: House, hops: int) -> None:
    house.parts = ("queue",)
    house.add_handler("work")
    for n in range(20):
        house.add_schedule(f"s{n}", "0 * * * *", handler="work")
    app = await house.start()
    await house.clock.step(HOUR)
    firing = asyncio.create_task(app.scheduler.step())
    for _ in range(hops):
        await asyncio.sleep(0)

    await app.scheduler.adopt(house.specs)
    await firing
    await app.scheduler.step()
    await house.settle()

    assert Counter(task.schedule for task in house.ran) == {f"s{n}": 1 for n in range(20)}


async def test_a_slot_that_was_decided_before_is_not_fired_again_and_the_rest_is(house: House) -> None:
    nightly(house, "0 * * * *", catch_up=CatchUp.ALL)
    app = await house.start()
    await house.clock.advance(hours=2)
    assert len(house.ran) == 2
    # Taken out and in again while the clock stands where it stood before: its past is forgotten.
    await app.scheduler.adopt({})
    await house.clock.step(-2 * HOUR)
    await app.scheduler.adopt(house.specs)

    await house.clock.step(3 * HOUR)
    await house.clock.advance(hours=1)

    assert [task.slot for task in house.ran] == [
        f"2026-11-{at}:00:00" for at in ("21T22", "21T23", "22T00", "22T01")
    ]
    assert house.app.store.schedules["nightly"].last_slot == "2026-11-22T01:00:00"


async def test_a_newest_slot_is_fired_even_if_one_before_it_was_decided(house: House) -> None:
    nightly(house, "0 * * * *")
    app = await house.start()
    await house.clock.advance(hours=1)
    await app.scheduler.adopt({})
    await house.clock.step(-HOUR)
    await app.scheduler.adopt(house.specs)

    await house.clock.step(2 * HOUR)
    await house.clock.advance(seconds=6)

    assert [task.slot for task in house.ran] == ["2026-11-21T22:00:00", "2026-11-21T23:00:00"]


async def test_a_reload_that_cannot_be_stored_changes_nothing(house: House) -> None:
    nightly(house)
    app = await house.start()
    house.disk.is_full = True
    with pytest.raises(StoreError):
        await app.scheduler.adopt({})
    house.disk.is_full = False

    await house.clock.advance(hours=2)

    assert len(house.ran) == 1

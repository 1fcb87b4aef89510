"""Pausing, triggering and changing schedules, also in the middle of a fire."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from daemon.engine.spec import CatchUp
from state.database import StoreError
from state.records import SlotState, Trigger
from tests.house import NOW, House

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

"""Companies that move to another zone or deadline: what is ahead follows at once, without a flood."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemon.reports.planner import PLAN_EVERY
from state.ledger.records import Key, Status
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import company
from tests.daemon.reports.planning import DAY, NOW, TODAY, ZONES, Desk, row
from tests.house import House

EVERYWHERE = [*ZONES, "Asia/Tokyo", "America/Los_Angeles"]


@pytest.fixture
async def desk(house: House, tmp_path: Path) -> AsyncIterator[Desk]:
    await house.open()
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    await ledger.open(NOW)
    yield Desk(house, tmp_path, ledger)
    await ledger.close()


async def test_a_change_of_zone_or_deadline_gives_all_that_is_ahead_its_new_times_at_once(desk: Desk) -> None:
    desk.write(row("a", timezone="Pacific/Kiritimati"), row("b"))
    await desk.at(NOW)
    desk.write(row("a", timezone="Pacific/Pago_Pago"), row("b", deadline="09:00"))
    desk.planner.adopt()
    await desk.at(NOW + timedelta(minutes=1))
    # In Kiritimati it is the 21st and the 22nd is written; in Pago Pago it is the 20th.
    west = await desk.ledger.obligation(Key("a", TODAY + DAY))
    assert west is not None
    assert west.due_at.astimezone(ZoneInfo("Pacific/Pago_Pago")).isoformat()[:16] == "2026-11-22T05:00"
    for day in (TODAY, TODAY + DAY):
        late = await desk.ledger.obligation(Key("b", day))
        assert late is not None
        assert late.deadline_at.isoformat()[:16] == f"{day}T09:00"


async def test_a_roster_changed_by_another_machine_is_followed_by_the_next_pass(desk: Desk) -> None:
    desk.write(row("a"))
    await desk.at(NOW)
    moved = [[company("a", timezone="Asia/Tokyo", channel="log")]]
    at = NOW + timedelta(minutes=30)
    await desk.ledger.import_companies(moved, import_id="other", now=at, on=TODAY, source="another machine")
    await desk.at(NOW + PLAN_EVERY)
    one = await desk.ledger.obligation(Key("a", TODAY + DAY))
    assert one is not None
    assert one.due_at == datetime(2026, 11, 21, 20, tzinfo=UTC)


async def test_however_often_companies_move_nothing_of_the_past_is_owed_and_no_flood_comes(
    desk: Desk,
) -> None:
    chance = random.Random(11)
    names = [f"c{n:02}" for n in range(12)]
    desk.write(*[row(name, timezone=chance.choice(EVERYWHERE)) for name in names])
    await desk.at(NOW)
    delivered: dict[str, list[datetime]] = {name: [] for name in names}
    at, before = NOW, {it[:2] for it in await desk.owed()}
    for hour in range(24 * 6):
        at += timedelta(hours=1)
        if chance.random() < 0.4:
            desk.write(*[row(name, timezone=chance.choice(EVERYWHERE)) for name in names])
            desk.planner.adopt()
        await desk.at(at)
        for one in await desk.ledger.claim("me", at, timedelta(days=9), 1000):
            delivered[one.company_id].append(at)
        after = {it[:2] for it in await desk.owed()}
        for name, day in after - before:
            one_new = await desk.ledger.obligation(Key(name, day))
            assert one_new is not None
            assert one_new.deadline_at > at or one_new.status is Status.EXCUSED, (hour, name, day)
        before = after
    for times in delivered.values():
        # One for each date that has come somewhere in six days, and never more than two within a day.
        assert 5 <= len(times) <= 8
        assert all(
            third - first >= timedelta(hours=20) for first, third in zip(times, times[2:], strict=False)
        )

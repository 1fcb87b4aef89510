"""The planner on a clock that stands still, with a real ledger: each company and date once, a day ahead."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daemon.reports.planner import PLAN_EVERY, RETRY
from state.ledger.base import Ledger
from state.ledger.errors import LedgerDown
from state.ledger.records import Key, Status
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import company
from tests.daemon.reports.planning import DAY, NOW, TODAY, ZONES, Desk, row
from tests.house import House


@pytest.fixture
async def desk(house: House, tmp_path: Path) -> AsyncIterator[Desk]:
    await house.open()
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    await ledger.open(NOW)
    yield Desk(house, tmp_path, ledger)
    await ledger.close()


async def test_today_and_tomorrow_are_planned_at_the_start_and_the_day_after_in_time(desk: Desk) -> None:
    desk.write(row("a"), row("b", timezone="Asia/Tokyo", weekdays="mon-fri"))
    assert await desk.at(NOW) == NOW + PLAN_EVERY
    assert await desk.owed() == [
        ("a", TODAY, Status.PLANNED, None),
        ("b", TODAY, Status.EXCUSED, "not on Saturdays"),
        ("a", TODAY + DAY, Status.PLANNED, None),
        ("b", TODAY + DAY, Status.EXCUSED, "not on Sundays"),
    ]
    await desk.at(NOW + timedelta(hours=23))
    assert [it[:2] for it in await desk.owed()][4:] == [("a", TODAY + 2 * DAY), ("b", TODAY + 2 * DAY)]
    one = await desk.ledger.obligation(Key("b", TODAY + DAY))
    assert one is not None
    assert one.due_at == datetime(2026, 11, 21, 20, tzinfo=UTC)
    assert one.roster_version == 1


async def test_who_joins_gets_a_first_report_within_a_day_and_none_for_a_deadline_that_was_past(
    desk: Desk,
) -> None:
    desk.write(*[row(f"c{n}", timezone=zone) for n, zone in enumerate(ZONES)])
    joined_at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    await desk.at(joined_at)
    for n in range(len(ZONES)):
        planned = [it for it in await desk.owed(to=f"c{n}") if it[2] is Status.PLANNED]
        first = await desk.ledger.obligation(Key(f"c{n}", planned[0][1]))
        assert first is not None
        assert first.deadline_at > joined_at
        assert first.due_at < joined_at + DAY
    excuses = {it[3] for it in await desk.owed() if it[2] is Status.EXCUSED}
    assert excuses == {"joined at 2026-11-21 12:00 UTC, after the deadline of that day"}
    for offset in range(3):
        assert await desk.ledger.missing(TODAY - DAY + DAY * offset) == []


async def test_who_leaves_is_excused_with_a_reason_and_an_event(desk: Desk) -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    desk.write(*map(row, names))
    await desk.at(NOW)
    desk.write(*map(row, names[1:]))
    desk.planner.adopt()
    await desk.at(NOW + timedelta(minutes=10))
    assert await desk.owed(to="a") == [
        ("a", TODAY, Status.EXCUSED, "left the roster on 2026-11-21"),
        ("a", TODAY + DAY, Status.EXCUSED, "left the roster on 2026-11-21"),
    ]
    events = await desk.ledger.events_of(Key("a", TODAY))
    assert ("obligation.excused", "left the roster on 2026-11-21") in [(it.event, it.detail) for it in events]
    await desk.at(NOW + 2 * DAY)
    assert len(await desk.owed(to="a")) == 2


async def test_a_pause_and_its_end_reach_what_is_planned_but_not_what_is_begun(desk: Desk) -> None:
    desk.write(row("a"), row("b"))
    await desk.at(NOW)
    due_at = datetime(2026, 11, 21, 5, tzinfo=UTC)
    await desk.ledger.claim("me", due_at, timedelta(minutes=1), 1, company_ids=["b"])
    for name in ("a", "b"):
        await desk.ledger.pause(name, TODAY + 30 * DAY, "moving")
    desk.planner.wake()
    await desk.at(due_at + timedelta(minutes=5))
    assert [it[2] for it in await desk.owed(to="a")] == [Status.EXCUSED, Status.EXCUSED]
    assert [it[2] for it in await desk.owed(to="b")] == [Status.LEASED, Status.EXCUSED]
    await desk.ledger.resume("a")
    await desk.at(due_at + timedelta(minutes=6))
    assert [it[2:] for it in await desk.owed(to="a")] == [(Status.PLANNED, None)] * 2


@pytest.mark.parametrize("after", ["Pacific/Pago_Pago", "Pacific/Kiritimati"])
async def test_a_change_of_zone_makes_no_day_of_the_past(desk: Desk, after: str) -> None:
    desk.write(row("a", timezone="Europe/Berlin"))
    await desk.at(NOW)
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    await desk.at(noon)
    before = await desk.owed()
    desk.write(row("a", timezone=after))
    desk.planner.adopt()
    await desk.at(noon + timedelta(minutes=1))
    new = [it for it in await desk.owed() if it not in before]
    assert all(day > TODAY for _, day, _, _ in new)
    for _, day, _, _ in new:
        one = await desk.ledger.obligation(Key("a", day))
        assert one is not None
        assert one.deadline_at > desk.clock.now()


async def test_who_is_made_active_after_a_deadline_has_not_missed_it(desk: Desk) -> None:
    desk.write(row("a", active=False), row("b"))
    await desk.at(NOW)
    assert await desk.owed(to="a") == []
    desk.write(row("a"), row("b"))
    desk.planner.adopt()
    await desk.at(datetime(2026, 11, 21, 12, tzinfo=UTC))
    excuse = "not owed before the roster changed at 2026-11-21 12:00 UTC, after the deadline"
    assert await desk.owed(to="a") == [
        ("a", TODAY, Status.EXCUSED, excuse),
        ("a", TODAY + DAY, Status.PLANNED, None),
    ]
    assert await desk.ledger.missing(TODAY) == []


async def test_days_without_a_daemon_stay_owed_though_the_roster_is_another_at_its_start(desk: Desk) -> None:
    desk.write(row("a"))
    await desk.at(NOW)
    desk.write(row("a", name="New"), row("b"))
    desk.restart()
    await desk.at(NOW + 3 * DAY + timedelta(hours=12))
    assert [it[2] for it in await desk.owed(to="a")] == [Status.PLANNED] * 5
    assert [it[1:3] for it in await desk.owed(to="b")] == [
        (TODAY + 3 * DAY, Status.EXCUSED),
        (TODAY + 4 * DAY, Status.PLANNED),
    ]


async def test_days_without_a_daemon_are_written_down_once_it_is_back(desk: Desk) -> None:
    desk.write(row("a"))
    await desk.at(NOW)
    desk.restart()
    await desk.at(NOW + 5 * DAY)
    assert [it[1] for it in await desk.owed()] == [TODAY + n * DAY for n in range(7)]


async def test_a_file_is_taken_over_at_a_reload_and_only_when_it_is_another(desk: Desk) -> None:
    desk.write(row("a"))
    await desk.at(NOW)
    await desk.ledger.import_companies(
        [[company("a"), company("by-hand")]], import_id="i", now=NOW, on=TODAY, source="x"
    )
    desk.planner.adopt()
    await desk.at(NOW + timedelta(minutes=1))
    assert [it.id for it in await desk.ledger.companies(on=TODAY)] == ["a", "by-hand"]
    desk.write(row("a"), row("c"), row("by-hand"))
    await desk.at(NOW + timedelta(minutes=2))
    assert [it.id for it in await desk.ledger.companies(on=TODAY)] == ["a", "by-hand"]
    desk.restart()
    await desk.at(NOW + timedelta(minutes=3))
    assert [it.id for it in await desk.ledger.companies(on=TODAY)] == ["a", "by-hand", "c"]


async def test_bad_rows_are_alerted_until_the_file_is_good(desk: Desk) -> None:
    desk.write(row("a"), row("../b"))
    await desk.at(NOW)
    (alert,) = desk.alerts.open
    assert (alert.name, alert.severity) == ("roster.refused", "warning")
    assert "1 rows of the roster companies.json were refused" in alert.summary
    assert alert.details["rows"][0].startswith('companies.json:1: id: "../b" cannot be one')
    assert [it[0] for it in await desk.owed()] == ["a", "a"]
    desk.write(row("a"), row("b"))
    desk.planner.adopt()
    await desk.at(NOW + timedelta(minutes=1))
    assert desk.open_alerts == []


@pytest.mark.parametrize("text", [None, "", "{}", "id;name\n"], ids=["absent", "empty", "object", "header"])
async def test_a_roster_that_cannot_be_read_is_an_alert_and_changes_nothing(
    desk: Desk, text: str | None
) -> None:
    if text is not None:
        desk.file.write_text(text)
    await desk.at(NOW)
    assert desk.open_alerts == ["roster.refused"]
    assert await desk.owed() == []


async def test_a_roster_imported_by_hand_needs_no_file(desk: Desk) -> None:
    await desk.ledger.import_companies([[company("a")]], import_id="i", now=NOW, on=TODAY, source="x")
    await desk.at(NOW)
    assert desk.open_alerts == []
    assert [it[1] for it in await desk.owed()] == [TODAY, TODAY + DAY]


async def test_a_roster_that_shrinks_is_alerted_and_asked_about_again_until_confirmed(desk: Desk) -> None:
    names = ["a", "b", "c", "d"]
    desk.write(*map(row, names))
    await desk.at(NOW)
    desk.write(row("a"))
    desk.restart()
    await desk.at(NOW + timedelta(minutes=1))
    (alert,) = desk.alerts.open
    assert (alert.name, alert.severity) == ("roster.shrunk", "error")
    assert "3 of 4 companies" in alert.summary
    assert len(await desk.ledger.companies(on=TODAY)) == 4
    desk.write(*map(row, names[1:]), row("new"))
    desk.planner.adopt()
    await desk.at(NOW + timedelta(minutes=2))
    assert desk.open_alerts == ["roster.shrunk"]
    desk.write(*map(row, names), row("new"))
    desk.planner.adopt()
    await desk.at(NOW + timedelta(minutes=3))
    assert desk.open_alerts == []


class Faulty:
    """A ledger that is gone after so many more calls, until it is given back."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.calls_left: int | None = None

    def __getattr__(self, name: str) -> Any:
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise LedgerDown("gone")
        return getattr(self._ledger, name)


async def test_a_ledger_that_is_away_is_waited_for_and_nothing_is_forgotten(desk: Desk) -> None:
    desk.write(row("a"))
    faulty: Any = Faulty(desk.ledger)
    desk.ledger = faulty
    desk.restart()
    steps, faulty.calls_left = 0, 0
    while await desk.planner.step() == desk.clock.now() + RETRY:
        steps += 1
        faulty.calls_left = steps
        await desk.clock.step(RETRY)
    faulty.calls_left = None
    assert steps > 3
    assert [it[:2] for it in await desk.owed()] == [("a", TODAY), ("a", TODAY + DAY)]


@pytest.mark.one_loop
async def test_each_company_has_one_obligation_for_each_of_its_400_days_whatever_is_killed(
    desk: Desk,
) -> None:
    chance = random.Random(7)
    desk.write(*[row(f"c{n:02}", timezone=zone) for n, zone in enumerate(ZONES)])
    plain: Any = desk.ledger
    faulty: Any = Faulty(plain)
    desk.ledger = faulty
    at = NOW
    end = NOW + 400 * DAY
    while at < end:
        desk.restart()
        faulty.calls_left = chance.randrange(30)
        await desk.at(at)
        if chance.random() < 0.5:
            faulty.calls_left = None
            await desk.planner.step()
        at += timedelta(minutes=chance.choice([30, 60, 600, 1440, 3000]))
    faulty.calls_left = None
    desk.restart()
    await desk.at(end)
    for n, zone in enumerate(ZONES):
        await expect_every_day(plain, f"c{n:02}", zone, end)


async def expect_every_day(ledger: Ledger, name: str, zone: str, end: datetime) -> None:
    """From the second day on to tomorrow: each date of the zone is there once, none is missing."""
    last = end.astimezone(ZoneInfo(zone)).date() + DAY
    days = [TODAY + n * DAY for n in range(1, (last - TODAY).days + 1)]
    found = [await ledger.obligation(Key(name, day)) for day in days]
    assert all(it is not None and it.status is Status.PLANNED for it in found), zone
    assert await ledger.obligation(Key(name, last + DAY)) is None

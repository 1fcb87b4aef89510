"""What a company is owed for a day, by its own calendar and clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest

from daemon.config import load_config
from daemon.reports.calendar import (
    Timing,
    excuse_for,
    joinings,
    local_date,
    obligation_for,
    stable_id_of,
    timing_of,
)
from state.ledger.records import Company, Obligation, RosterVersion, Status

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = date(2026, 11, 21)  # a Saturday
TIMING = Timing(time(5), time(7), "UTC")


def company(**fields: Any) -> Company:
    return Company(
        **{"id": "acme", "name": "Acme", "timezone": "UTC", "joined_on": date(2026, 1, 1), **fields}
    )


def owed(zone: str, day: date, due: str = "05:00", deadline: str = "07:00", **about: Any) -> Obligation:
    timing = Timing(time.fromisoformat(due), time.fromisoformat(deadline), "UTC")
    joined = company(timezone=zone, joined_on=date(2000, 1, 1))
    return obligation_for(joined, day, timing, roster_version=3, now=NOW, **about)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_obligation_is_due_by_the_clock_of_its_company() -> None:
    one = owed("Asia/Tokyo", TODAY)
    assert (one.status, one.reason, one.roster_version) == (Status.PLANNED, None, 3)
    assert (one.due_at, one.deadline_at) == (utc("2026-11-20T20:00"), utc("2026-11-20T22:00"))


@pytest.mark.parametrize(
    ("day", "due", "deadline", "due_at", "deadline_at"),
    [
        # Put forward at 02:00: what falls into the gap is due at its end.
        ("2026-03-29", "02:30", "07:00", "2026-03-29T01:00", "2026-03-29T05:00"),
        # Put back at 03:00: of a doubled hour the first counts.
        ("2026-10-25", "02:30", "07:00", "2026-10-25T00:30", "2026-10-25T06:00"),
        ("2026-10-25", "22:00", "07:00", "2026-10-25T21:00", "2026-10-26T06:00"),
        ("2026-06-01", "05:00", "05:00", "2026-06-01T03:00", "2026-06-02T03:00"),
    ],
)
def test_changes_of_the_clock_and_of_the_day(
    day: str, due: str, deadline: str, due_at: str, deadline_at: str
) -> None:
    one = owed("Europe/Berlin", date.fromisoformat(day), due, deadline)
    assert (one.due_at, one.deadline_at) == (utc(due_at), utc(deadline_at))


def test_a_company_has_a_deadline_of_its_own() -> None:
    one = obligation_for(company(deadline="09:30"), TODAY, TIMING, roster_version=1, now=NOW)
    assert one.deadline_at == utc("2026-11-21T09:30")


@pytest.mark.parametrize(
    ("fields", "day", "reason"),
    [
        ({}, TODAY, None),
        ({"active": False}, TODAY, "not active"),
        ({"joined_on": None}, TODAY, "not on the roster yet"),
        ({"joined_on": date(2026, 11, 22)}, TODAY, "joined the roster on 2026-11-22"),
        ({"left_on": TODAY}, TODAY, "left the roster on 2026-11-21"),
        ({"left_on": TODAY}, date(2026, 11, 20), None),
        (
            {"paused_until": date(2026, 12, 1), "pause_reason": "holidays"},
            TODAY,
            "paused until 2026-12-01: holidays",
        ),
        ({"paused_until": date(2026, 12, 1)}, date(2026, 12, 1), None),
        ({"weekdays": (1, 2, 3, 4, 5)}, TODAY, "not on Saturdays"),
        ({"weekdays": (6,)}, TODAY, None),
        ({"timezone": "Pacific/Apia", "joined_on": date(2000, 1, 1)}, date(2011, 12, 29), None),
        (
            {"timezone": "Pacific/Apia", "joined_on": date(2000, 1, 1)},
            date(2011, 12, 30),
            "Pacific/Apia left this day out",
        ),
    ],
)
def test_who_is_owed_nothing_is_told_why(fields: dict[str, Any], day: date, reason: str | None) -> None:
    one = company(**fields)
    assert excuse_for(one, day) == reason
    owed = obligation_for(one, day, TIMING, roster_version=1, now=NOW)
    assert (owed.status, owed.reason) == (Status.EXCUSED if reason else Status.PLANNED, reason)


def test_who_joined_after_the_deadline_of_a_day_is_owed_nothing_for_it() -> None:
    assert owed("UTC", TODAY, joined_at=utc("2026-11-21T06:59")).status is Status.PLANNED
    late = owed("UTC", TODAY, joined_at=utc("2026-11-21T07:00"))
    assert late.status is Status.EXCUSED
    assert late.reason == "joined at 2026-11-21 07:00 UTC, after the deadline of that day"


def test_joiners_came_with_the_last_import_of_their_date() -> None:
    def version(number: int, at: str, added: int) -> RosterVersion:
        counts = {"added": added, "changed": 0, "departed": 0, "total": 9}
        return RosterVersion(version=number, imported_at=utc(at), source="x", **counts)

    found = joinings(
        [
            version(4, "2026-11-21T09:00", 0),
            version(3, "2026-11-21T08:00", 2),
            version(2, "2026-11-21T01:00", 1),
            version(1, "2026-11-20T23:00", 5),
        ]
    )
    assert found == {TODAY: utc("2026-11-21T08:00"), date(2026, 11, 20): utc("2026-11-20T23:00")}


def test_the_date_is_that_of_the_company() -> None:
    assert local_date(company(timezone="Pacific/Kiritimati"), NOW) == date(2026, 11, 22)
    assert local_date(company(timezone="Pacific/Pago_Pago"), NOW) == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("30 4 * * *", time(4, 30)),
        ("0 6 * * 1-5", time(6)),
        ("*/5 * * * *", time(5)),
        ("0 6 1 * *", time(5)),
        ("0 5,6 * * *", time(5)),
        ("@daily", time(5)),
        ("0 0 6 * * *", time(5)),
    ],
)
def test_due_is_the_time_of_day_of_a_plain_daily_line(line: str, due: time) -> None:
    config = load_config(None, {})
    assert timing_of(config) == Timing(time(5), time(7), "UTC")
    assert timing_of(_with(config, builtin_crons={"daily-reports": line})).due == due


def _with(config: Any, **changes: Any) -> Any:
    return replace(config, **changes)


def test_a_report_has_one_id_however_often_it_is_made_and_another_when_it_is_forced() -> None:
    assert stable_id_of("acme", TODAY) == "report.acme.2026-11-21"
    assert stable_id_of("acme", TODAY, 2) == "report.acme.2026-11-21.2"


@pytest.mark.parametrize(
    "zone",
    [
        "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata",
        "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Chatham", "Africa/Casablanca",
        "Asia/Gaza", "Antarctica/Troll",
    ],
)  # fmt: skip
def test_days_follow_each_other_for_400_days_of_any_zone(zone: str) -> None:
    made = [owed(zone, date(2026, 1, 1) + timedelta(days=n), "02:30") for n in range(400)]
    assert all(it.due_at < it.deadline_at for it in made)
    assert all(a.due_at < b.due_at for a, b in pairwise(made))

"""Readings of the wall clock around the changes that real zones made."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daemon.engine.wallclock import WallClock


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "reading", "instant"),
    [
        ("Europe/Berlin", "2026-07-01T12:00", "2026-07-01T10:00"),
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00"),
    ],
)
def test_a_reading_is_first_reached(zone: str, reading: str, instant: str) -> None:
    assert WallClock(ZoneInfo(zone)).first_reaches(naive(reading)) == utc(instant)


@pytest.mark.parametrize(
    ("instant", "unreached"),
    [
        ("2026-07-01T10:00:00", "2026-07-01T12:00:01"),
        ("2026-07-01T10:00:00.900000", "2026-07-01T12:00:01"),
        ("2026-10-25T00:30:00", "2026-10-25T02:30:01"),
        ("2026-10-25T00:59:59.500000", "2026-10-25T03:00:00"),
        ("2026-10-25T01:00:00", "2026-10-25T03:00:00"),
        ("2026-10-25T01:59:59.500000", "2026-10-25T03:00:00"),
        ("2026-10-25T02:00:00", "2026-10-25T03:00:01"),
    ],
)
def test_the_second_pass_of_an_hour_reaches_nothing_new(instant: str, unreached: str) -> None:
    assert WallClock(ZoneInfo("Europe/Berlin")).first_unreached(utc(instant)) == naive(unreached)


def test_the_changes_of_a_year_are_found_from_both_sides() -> None:
    clock = WallClock(ZoneInfo("Europe/Berlin"))
    start, end = utc("2026-01-01"), utc("2027-01-01")
    spring, autumn = utc("2026-03-29T01:00"), utc("2026-10-25T01:00")
    assert clock.first_change(start, end) == spring
    assert clock.first_change(spring, end) == autumn
    assert clock.last_change(start, end) == autumn
    assert clock.last_change(start, autumn - timedelta(seconds=1)) == spring
    assert clock.first_change(autumn, end) is None
    assert clock.last_change(spring, utc("2026-10-01")) is None
    assert clock.first_change(start, start) is None


def test_a_summer_time_of_one_week_is_seen() -> None:
    clock = WallClock(ZoneInfo("America/Recife"))
    start, end = utc("2000-09-20"), utc("2000-11-01")
    assert clock.first_change(start, end) == utc("2000-10-08T03:00")
    assert clock.last_change(start, end) == utc("2000-10-15T02:00")

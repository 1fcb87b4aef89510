"""Four hundred days in twelve zones: a daily line has one slot for every date of the calendar."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from daemon.engine.cron import CronLine

DAY = timedelta(days=1)
DAYS = 400
HALF_HOURS = [f"{minute} {hour} * * *" for hour in range(24) for minute in (0, 30)]

# Around a change of the clocks every half hour of the day is walked; these are walked all the way.
WALKED_ALL_THE_WAY = ["0 0 * * *", "30 2 * * *", "0 6 * * *", "0 23 * * *"]

JOURNEYS = [
    ("Europe/Berlin", date(2026, 3, 1)),
    ("America/New_York", date(2026, 3, 1)),
    ("America/St_Johns", date(2010, 3, 1)),  # changed at one minute past midnight until 2011
    ("America/Sao_Paulo", date(2017, 9, 1)),  # changed at midnight
    ("Africa/Cairo", date(2026, 3, 1)),  # changes at midnight
    ("Africa/Casablanca", date(2026, 1, 1)),  # puts the clocks back for Ramadan
    ("Antarctica/Troll", date(2026, 3, 1)),  # changes by two hours
    ("Asia/Kolkata", date(2026, 3, 1)),
    ("Australia/Lord_Howe", date(2026, 3, 1)),  # changes by half an hour
    ("Pacific/Apia", date(2011, 3, 1)),  # left out 2011-12-30
    ("Pacific/Chatham", date(2026, 3, 1)),
    ("UTC", date(2026, 3, 1)),
]


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days_of_change(zone: str, start: date) -> list[date]:
    """The dates on which the zone's offset is another one than a day earlier."""
    local = ZoneInfo(zone)
    dates = [start + count * DAY for count in range(DAYS)]
    offsets = [midnight(day).astimezone(local).utcoffset() for day in dates]
    return [day for day, (old, new) in zip(dates[1:], pairwise(offsets), strict=True) if old != new]


def assert_one_slot_a_date(line: CronLine, first: date, days: int) -> None:
    """Live from slot to slot, and in doubt after every one of them, as a restarted daemon is."""
    minute, hour = line.text.split()[:2]
    at = time(int(hour), int(minute))
    slot = line.newest_at(midnight(first) - DAY)
    while slot.nominal.date() < first - DAY:
        slot = line.next_after(slot)
    for count in range(days):
        expected = first + count * DAY
        previous, slot = slot, line.next_after(slot)
        assert (slot.nominal, slot.fold) == (datetime.combine(expected, at), 0)
        assert previous < slot
        # One and the same slot, but for Apia: there the midnight of the date left out is due with the next.
        first_due = line.first_after(slot.instant - timedelta(microseconds=1))
        newest = line.newest_at(slot.instant)
        assert first_due <= slot <= newest
        assert first_due.instant == newest.instant
        assert line.parse_slot(slot.text) == slot


@pytest.mark.parametrize(("zone", "start"), JOURNEYS, ids=[zone for zone, _ in JOURNEYS])
def test_a_daily_line_has_one_slot_for_every_local_date(zone: str, start: date) -> None:
    for text in WALKED_ALL_THE_WAY:
        assert_one_slot_a_date(CronLine.parse(text, zone), start, DAYS)
    changes = days_of_change(zone, start)
    for text in HALF_HOURS:
        line = CronLine.parse(text, zone)
        for day in changes or [start]:
            assert_one_slot_a_date(line, day - 2 * DAY, 4)


@pytest.mark.parametrize(("zone", "start"), JOURNEYS, ids=[zone for zone, _ in JOURNEYS])
def test_an_hourly_line_has_one_slot_for_every_hour_that_passes(zone: str, start: date) -> None:
    line = CronLine.parse("30 * * * *", zone)
    local = ZoneInfo(zone)
    for day in days_of_change(zone, start) or [start]:
        begin = midnight(day) - DAY
        marks = [begin + count * timedelta(minutes=1) for count in range(1, 3 * 24 * 60 + 1)]
        passed = [mark for mark in marks if mark.astimezone(local).minute == 30]
        slots = list(line.slots(line.newest_at(begin), marks[-1]))
        assert [slot.instant for slot in slots] == passed
        assert len({slot.text for slot in slots}) == len(slots)

"""When cron lines fire: known days of real zones, what is refused, how lines and slots are named."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from daemon.engine.cron import CronError, CronLine, Slot

SECOND = timedelta(seconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(line: str, zone: str, after: str, count: int) -> list[str]:
    """The first slots after an instant, as "name = instant in UTC"."""
    cron = CronLine.parse(line, zone)
    slot = cron.first_after(utc(after))
    found = [slot]
    while len(found) < count:
        found.append(cron.next_after(found[-1]))
    return [f"{slot.text} = {slot.instant:%m-%d %H:%M}" for slot in found]


GAPS_AND_OVERLAPS = [
    # A fixed hour: the missing time at the gap's end, the doubled time in the first pass.
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28",
        [
            "2026-03-28T02:30:00 = 03-28 01:30",
            "2026-03-29T02:30:00 = 03-29 01:00",
            "2026-03-30T02:30:00 = 03-30 00:30",
        ],
    ),
    (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24",
        [
            "2026-10-24T02:30:00 = 10-24 00:30",
            "2026-10-25T02:30:00 = 10-25 00:30",
            "2026-10-26T02:30:00 = 10-26 01:30",
        ],
    ),
    (
        "0,30 2,3 * * *",
        "Europe/Berlin",
        "2026-03-29",
        [
            "2026-03-29T02:00:00 = 03-29 01:00",
            "2026-03-29T02:30:00 = 03-29 01:00",
            "2026-03-29T03:00:00 = 03-29 01:00",
            "2026-03-29T03:30:00 = 03-29 01:30",
        ],
    ),
    (
        "30 2 * * *",
        "America/New_York",
        "2026-03-08",
        ["2026-03-08T02:30:00 = 03-08 07:00", "2026-03-09T02:30:00 = 03-09 06:30"],
    ),
    (
        "30 1 * * *",
        "America/New_York",
        "2026-11-01",
        ["2026-11-01T01:30:00 = 11-01 05:30", "2026-11-02T01:30:00 = 11-02 06:30"],
    ),
    (
        "0 23 * * *",
        "America/New_York",
        "2026-10-31T12:00",
        ["2026-10-31T23:00:00 = 11-01 03:00", "2026-11-01T23:00:00 = 11-02 04:00"],
    ),
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T10:00",
        ["2026-10-04T02:15:00 = 10-03 15:30", "2026-10-05T02:15:00 = 10-04 15:15"],
    ),
    (
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T10:00",
        ["2026-04-05T01:45:00 = 04-04 14:45", "2026-04-06T01:45:00 = 04-05 15:15"],
    ),
    (
        "0 0 * * *",
        "Africa/Cairo",
        "2026-04-22T12:00",
        [
            "2026-04-23T00:00:00 = 04-22 22:00",
            "2026-04-24T00:00:00 = 04-23 22:00",
            "2026-04-25T00:00:00 = 04-24 21:00",
        ],
    ),
    (
        "30 23 * * *",
        "Africa/Cairo",
        "2026-10-29T12:00",
        ["2026-10-29T23:30:00 = 10-29 20:30", "2026-10-30T23:30:00 = 10-30 21:30"],
    ),
    (
        "0 0 * * *",
        "Africa/Cairo",
        "2026-10-29T12:00",
        ["2026-10-30T00:00:00 = 10-29 22:00", "2026-10-31T00:00:00 = 10-30 22:00"],
    ),
    (
        "0 0 * * *",
        "America/Sao_Paulo",
        "2018-11-03T12:00",
        ["2018-11-04T00:00:00 = 11-04 03:00", "2018-11-05T00:00:00 = 11-05 02:00"],
    ),
    (
        "30 23 * * *",
        "America/Sao_Paulo",
        "2018-02-17T12:00",
        ["2018-02-17T23:30:00 = 02-18 01:30", "2018-02-18T23:30:00 = 02-19 02:30"],
    ),
    (
        "30 1 * * *",
        "Antarctica/Troll",
        "2026-03-28T12:00",
        ["2026-03-29T01:30:00 = 03-29 01:00", "2026-03-30T01:30:00 = 03-29 23:30"],
    ),
    (
        "0 6 * * *",
        "Asia/Kolkata",
        "2026-11-21",
        ["2026-11-21T06:00:00 = 11-21 00:30", "2026-11-22T06:00:00 = 11-22 00:30"],
    ),
    (
        "0 6 * * *",
        "UTC",
        "2026-11-21T06:00",
        ["2026-11-22T06:00:00 = 11-22 06:00", "2026-11-23T06:00:00 = 11-23 06:00"],
    ),
    # Samoa left out the whole of 2011-12-30: the slot of that date comes due where the gap ends.
    (
        "0 6 * * *",
        "Pacific/Apia",
        "2011-12-29T12:00",
        [
            "2011-12-29T06:00:00 = 12-29 16:00",
            "2011-12-30T06:00:00 = 12-30 10:00",
            "2011-12-31T06:00:00 = 12-30 16:00",
        ],
    ),
    # Hours that begin with a star follow elapsed time: nothing in a gap, both passes of a doubled hour.
    (
        "30 * * * *",
        "Europe/Berlin",
        "2026-03-29T00:00",
        ["2026-03-29T01:30:00 = 03-29 00:30", "2026-03-29T03:30:00 = 03-29 01:30"],
    ),
    (
        "30 * * * *",
        "Europe/Berlin",
        "2026-10-25T00:00",
        [
            "2026-10-25T02:30:00 = 10-25 00:30",
            "2026-10-25T02:30:00+01:00 = 10-25 01:30",
            "2026-10-25T03:30:00 = 10-25 02:30",
        ],
    ),
    (
        "15,45 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:00",
        [
            "2026-04-05T01:15:00 = 04-04 14:15",
            "2026-04-05T01:45:00 = 04-04 14:45",
            "2026-04-05T01:45:00+10:30 = 04-04 15:15",
            "2026-04-05T02:15:00 = 04-04 15:45",
        ],
    ),
    (
        "0 */2 * * *",
        "Europe/Berlin",
        "2026-10-24T22:30",
        [
            "2026-10-25T02:00:00 = 10-25 00:00",
            "2026-10-25T02:00:00+01:00 = 10-25 01:00",
            "2026-10-25T04:00:00 = 10-25 03:00",
        ],
    ),
    (
        "0 * * * *",
        "Pacific/Apia",
        "2011-12-30T08:30",
        ["2011-12-29T23:00:00 = 12-30 09:00", "2011-12-31T00:00:00 = 12-30 10:00"],
    ),
    ("0 * 1 1 *", "Europe/Berlin", "2026-01-01T22:00", ["2027-01-01T00:00:00 = 12-31 23:00"]),
]


@pytest.mark.parametrize(("line", "zone", "after", "expected"), GAPS_AND_OVERLAPS)
def test_a_clock_change_neither_drops_nor_doubles(
    line: str, zone: str, after: str, expected: list[str]
) -> None:
    assert fired(line, zone, after, len(expected)) == expected


LINES = [
    (
        "0 0 13 * 5",
        ["2026-11-06T00:00:00", "2026-11-13T00:00:00", "2026-11-20T00:00:00"],
    ),  # Fridays, and the 13th
    ("0 0 13 * *", ["2026-11-13T00:00:00", "2026-12-13T00:00:00", "2027-01-13T00:00:00"]),
    (
        "0 0 */2 * 5",
        ["2026-11-13T00:00:00", "2026-11-27T00:00:00", "2026-12-11T00:00:00"],
    ),  # odd days and Fridays
    (
        "0 0 13 * */5",
        ["2026-11-13T00:00:00", "2026-12-13T00:00:00", "2027-06-13T00:00:00"],
    ),  # 13th on Sun or Fri
    ("0 0 L * *", ["2026-11-30T00:00:00", "2026-12-31T00:00:00", "2027-01-31T00:00:00"]),
    ("0 0 1W * *", ["2026-11-02T00:00:00", "2026-12-01T00:00:00", "2027-01-01T00:00:00"]),
    ("0 0 * * 5#3", ["2026-11-20T00:00:00", "2026-12-18T00:00:00", "2027-01-15T00:00:00"]),
    ("0 0 * * Lfri", ["2026-11-27T00:00:00", "2026-12-25T00:00:00", "2027-01-29T00:00:00"]),
    ("0 0 31 * *", ["2026-12-31T00:00:00", "2027-01-31T00:00:00", "2027-03-31T00:00:00"]),
    ("0 0 29 2 *", ["2028-02-29T00:00:00", "2032-02-29T00:00:00", "2036-02-29T00:00:00"]),
    ("59 23 31 12 *", ["2026-12-31T23:59:00", "2027-12-31T23:59:00", "2028-12-31T23:59:00"]),
    ("0 22-2/2 * * *", ["2026-11-01T02:00:00", "2026-11-01T22:00:00", "2026-11-02T00:00:00"]),
    ("5-5 4 * * *", ["2026-11-01T04:05:00", "2026-11-02T04:05:00", "2026-11-03T04:05:00"]),
    ("30 5 4 * * *", ["2026-11-01T04:05:30", "2026-11-02T04:05:30", "2026-11-03T04:05:30"]),
    ("*/20 0 4 * * *", ["2026-11-01T04:00:00", "2026-11-01T04:00:20", "2026-11-01T04:00:40"]),
    ("@hourly", ["2026-11-01T01:00:00", "2026-11-01T02:00:00", "2026-11-01T03:00:00"]),
    ("@daily", ["2026-11-02T00:00:00", "2026-11-03T00:00:00", "2026-11-04T00:00:00"]),
    ("@Midnight", ["2026-11-02T00:00:00", "2026-11-03T00:00:00", "2026-11-04T00:00:00"]),
    ("@weekly", ["2026-11-08T00:00:00", "2026-11-15T00:00:00", "2026-11-22T00:00:00"]),
    ("@monthly", ["2026-12-01T00:00:00", "2027-01-01T00:00:00", "2027-02-01T00:00:00"]),
    ("@yearly", ["2027-01-01T00:00:00", "2028-01-01T00:00:00", "2029-01-01T00:00:00"]),
    ("@annually", ["2027-01-01T00:00:00", "2028-01-01T00:00:00", "2029-01-01T00:00:00"]),
    ("@every 2s", ["2026-11-01T00:00:02Z", "2026-11-01T00:00:04Z", "2026-11-01T00:00:06Z"]),
    ("@every 1h30m", ["2026-11-01T01:30:00Z", "2026-11-01T03:00:00Z", "2026-11-01T04:30:00Z"]),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line_fires_as_people_know_it_from_cron(line: str, expected: list[str]) -> None:
    cron = CronLine.parse(line, "UTC")
    start = cron.newest_at(utc("2026-11-01"))
    assert [slot.text for slot in islice(cron.slots(start, utc("2037-01-01")), 3)] == expected


REFUSED = [
    ("0 25 * * *", "UTC", '"0 25 * * *" has hour 25; hours are 0-23'),
    ("0 0 31 2 *", "UTC", '"0 0 31 2 *" never fires; no such day comes in 50 years'),
    ("0 0 30 2 */2", "UTC", "never fires"),
    ("@reboot", "UTC", '"@reboot" is not known; known are "@every 30s", @hourly, @daily'),
    ("@dailly", "UTC", 'did you mean "@daily"?'),
    ("@every", "UTC", "\"@every\": '' is no duration; write a number and a unit"),
    ("@every soon", "UTC", "'soon' is no duration"),
    ("@every 500ms", "UTC", '"@every 500ms" has no usable period; periods are whole seconds from 1s to 366d'),
    ("@every 1500ms", "UTC", "periods are whole seconds"),
    ("@every 0s", "UTC", "periods are whole seconds from 1s"),
    ("@every 367d", "UTC", "periods are whole seconds from 1s to 366d"),
    ("@daily", "Europe/Berln", '"Europe/Berln" is no time zone; zones are named as in "Europe/Berlin"'),
    ("@daily", "europe/berlin", 'did you mean "Europe/Berlin"?'),
    ("@every 5m", "Mars/Phobos", '"Mars/Phobos" is no time zone'),
    ("@daily", "utc", 'did you mean "UTC"?'),
    ("@daily", "america/new york", 'did you mean "America/New_York"?'),
    ("@daily", "Europe", '"Europe" is no time zone'),
    ("@daily", "../../etc/passwd", "is no time zone"),
    ("@daily", "", '"" is no time zone'),
    ("@daily", "a\0b", '"a?b" is no time zone'),
]


@pytest.mark.parametrize(("line", "zone", "said"), REFUSED)
def test_what_cannot_fire_is_refused_at_once(line: str, zone: str, said: str) -> None:
    with pytest.raises(CronError) as caught:
        CronLine.parse(line, zone)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("@every 90s", "every 1m 30s"),
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0 */5 * * * *", "every 5 minutes"),
        ("*/7 * * * *", "*/7 * * * *"),
        ("0,10 * * * *", "0,10 * * * *"),
        ("@hourly", "hourly at minute 0"),
        ("0 23 * * *", "daily at 23:00 Europe/Berlin"),
        ("5 4 * * sun", "every Sunday at 04:05 Europe/Berlin"),
        ("0 6 * * mon-fri", "Monday to Friday at 06:00 Europe/Berlin"),
        ("30 6 1 * *", "monthly on day 1 at 06:30 Europe/Berlin"),
        ("0 6 L * *", "on the last day of the month at 06:00 Europe/Berlin"),
        ("0 6 1 1 *", "0 6 1 1 *"),
        ("0 6 15W * *", "0 6 15W * *"),
        ("0 6,18 * * *", "0 6,18 * * *"),
        ("*/10 * * * * *", "*/10 * * * * *"),
    ],
)
def test_simple_lines_are_put_into_words(line: str, words: str) -> None:
    assert CronLine.parse(line, "Europe/Berlin").describe() == words


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("0 23 * * *", "2026-11-21T23:00:00Z"),
        ("@every 5m", "2026-11-21T23:00:00"),
        ("@every 5m", "2026-11-21T23:00:00+01:00"),
        ("0 23 * * *", "tomorrow"),
        ("0 23 * * *", ""),
    ],
)
def test_a_name_that_is_no_slot_of_the_line_is_refused(line: str, text: str) -> None:
    with pytest.raises(CronError, match=r"slot"):
        CronLine.parse(line, "Europe/Berlin").parse_slot(text)


def test_a_line_keeps_its_text_without_spare_blanks() -> None:
    line = CronLine.parse("  0   23 * *  * ", "Europe/Berlin")
    assert (line.text, line.timezone, line.is_interval) == ("0 23 * * *", "Europe/Berlin", False)
    assert CronLine.parse("@every 5m", "UTC").is_interval


def test_lines_of_equal_text_and_zone_are_equal() -> None:
    line = CronLine.parse("0 23 * * *", "Europe/Berlin")
    assert line == CronLine.parse("0 23  * * *", "Europe/Berlin")
    assert len({line, CronLine.parse("0 23 * * *", "Europe/Berlin")}) == 1
    assert line != CronLine.parse("0 23 * * *", "UTC")
    assert line != "0 23 * * *"
    assert repr(line) == "CronLine.parse('0 23 * * *', 'Europe/Berlin')"


def test_an_interval_keeps_its_phase_over_a_restart() -> None:
    before = CronLine.parse("@every 7m", "UTC").first_after(utc("2026-11-21T21:14:43"))
    after = CronLine.parse("@every 7m", "UTC").newest_at(before.instant + SECOND)
    assert after == before


def test_the_newest_slot_counts_to_the_very_instant() -> None:
    line = CronLine.parse("0 23 * * *", "UTC")
    due = utc("2026-11-21T23:00")
    assert line.newest_at(due - timedelta(microseconds=1)).text == "2026-11-20T23:00:00"
    assert line.newest_at(due).text == "2026-11-21T23:00:00"
    assert line.first_after(due - timedelta(microseconds=1)).text == "2026-11-21T23:00:00"
    assert line.first_after(due).text == "2026-11-22T23:00:00"


def test_a_fixed_line_of_seconds_jumps_over_the_second_pass_at_once() -> None:
    line = CronLine.parse("* * 2 * * *", "Europe/Berlin")
    in_second_pass = utc("2026-10-25T01:30")
    assert line.newest_at(in_second_pass).text == "2026-10-25T02:59:59"
    assert line.first_after(in_second_pass).text == "2026-10-26T02:00:00"


def test_slots_of_a_doubled_hour_are_ordered_as_they_come_due() -> None:
    line = CronLine.parse("*/30 * * * *", "Europe/Berlin")
    start = line.newest_at(utc("2026-10-24T23:59"))
    night: list[Slot] = list(line.slots(start, utc("2026-10-25T02:00")))
    assert [slot.text[11:] for slot in night] == [
        "02:00:00",
        "02:30:00",
        "02:00:00+01:00",
        "02:30:00+01:00",
        "03:00:00",
    ]
    assert sorted(night) == night

"""What holds for every cron line, zone and instant, near the changes of the clocks above all."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.engine.cron import CronError, CronLine

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "UTC",
    "Pacific/Apia",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Gaza",
)


def changes_of(zone: str) -> list[datetime]:
    """The days of 1980 to 2036 on which the zone's clocks were changed, each from midnight in UTC."""
    days = [utc("1980-01-01") + count * DAY for count in range(57 * 365)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day for day, (old, new) in zip(days[:-1], pairwise(offsets), strict=True) if old != new]


CHANGES = {zone: changes_of(zone) for zone in ZONES}
FIRST_SECOND, LAST_SECOND = int(utc("1980-01-01").timestamp()), int(utc("2036-01-01").timestamp())


@st.composite
def zones_and_instants(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant, more often than not near a change of its clocks."""
    zone = draw(st.sampled_from(ZONES))
    near_a_change = draw(st.integers(0, 3)) > 0
    if CHANGES[zone] and near_a_change:
        day = draw(st.sampled_from(CHANGES[zone]))
        return zone, day + timedelta(seconds=draw(st.integers(-86_400, 2 * 86_400)))
    second = draw(st.integers(FIRST_SECOND, LAST_SECOND))
    return zone, datetime.fromtimestamp(second, UTC) + timedelta(microseconds=draw(st.integers(0, 999_999)))


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, frozenset[int]]:
    """The text of one field, and the numbers it stands for."""
    every = range(low, high + 1)
    match draw(st.sampled_from(["star", "step", "list", "range", "range step"])):
        case "star":
            return "*", frozenset(every)
        case "step":
            step = draw(st.integers(1, high - low))
            return f"*/{step}", frozenset(every[::step])
        case "list":
            numbers = draw(st.sets(st.integers(low, high), min_size=1, max_size=4))
            return ",".join(map(str, numbers)), frozenset(numbers)
        case kind:
            first, last = sorted(draw(st.sets(st.integers(low, high), min_size=2, max_size=2)))
            step = draw(st.integers(1, last - first)) if kind == "range step" else 1
            return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))


MINUTES, HOURS = fields(0, 59), fields(0, 23)
SOME_HOURS = st.one_of(HOURS, st.integers(0, 4).map(lambda hour: (str(hour), frozenset({hour}))))


def lived_through(
    zone: str,
    minutes: frozenset[int],
    hours: frozenset[int],
    is_elapsed: bool,
    start: datetime,
    end: datetime,
) -> list[tuple[datetime, datetime]]:
    """What must fire after `start` and by `end`, found by looking at the wall every minute."""
    local = ZoneInfo(zone)
    must_fire = []
    reached = (start - 2 * DAY).astimezone(local).replace(tzinfo=None)
    for count in range(int((end - start + 2 * DAY) / MINUTE)):
        instant = start - 2 * DAY + (count + 1) * MINUTE
        reading = instant.astimezone(local).replace(tzinfo=None, fold=0)
        seen = (
            [reading]
            if is_elapsed
            else [reached + n * MINUTE for n in range(1, (reading - reached) // MINUTE + 1)]
        )
        reached = max(reached, reading)
        if instant > start:
            must_fire += [(at, instant) for at in seen if at.minute in minutes and at.hour in hours]
    return must_fire


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(zones_and_instants(), MINUTES, SOME_HOURS)
def test_slots_are_what_one_sees_who_watches_the_wall(
    place: tuple[str, datetime], minute: tuple[str, frozenset[int]], hour: tuple[str, frozenset[int]]
) -> None:
    zone, instant = place
    start = instant.replace(second=0, microsecond=0)
    end = start + 30 * HOUR
    line = CronLine.parse(f"{minute[0]} {hour[0]} * * *", zone)
    must_fire = lived_through(zone, minute[1], hour[1], hour[0].startswith("*"), start, end)[:40]
    found = [line.first_after(start)]
    while len(found) < len(must_fire):
        found.append(line.next_after(found[-1]))
    assert [(slot.nominal, slot.instant) for slot in found[: len(must_fire)]] == must_fire
    if must_fire:
        newest = line.newest_at(must_fire[-1][1])
        assert newest.instant == must_fire[-1][1]
        assert newest >= found[-1]


DAY_WORDS = st.sampled_from(["L", "15,L", "1W", "15W", "31W"]).map(lambda text: (text, None))
WEEKDAY_WORDS = st.sampled_from(["5#3", "1#1,1#3", "0#5", "L5", "L0"]).map(lambda text: (text, None))
ANY_DAY = st.just(("*", frozenset(range(32))))
DAY_FIELDS = st.one_of(
    st.tuples(fields(1, 31), fields(0, 6)), st.tuples(DAY_WORDS, ANY_DAY), st.tuples(ANY_DAY, WEEKDAY_WORDS)
)
SECONDS = st.one_of(st.just(""), fields(0, 59).map(lambda field: field[0] + " "))


@st.composite
def lines(draw: st.DrawFn) -> str:
    if not draw(st.integers(0, 5)):
        return f"@every {draw(st.integers(1, 100_000))}s"
    (day, _), (weekday, _) = draw(DAY_FIELDS)
    minute, hour, month = draw(MINUTES)[0], draw(SOME_HOURS)[0], draw(fields(1, 12))[0]
    return f"{draw(SECONDS)}{minute} {hour} {day} {month} {weekday}"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(zones_and_instants(), lines())
def test_all_ways_to_a_slot_agree(place: tuple[str, datetime], text: str) -> None:
    zone, instant = place
    try:
        line = CronLine.parse(text, zone)
    except CronError as error:
        assert "never fires" in str(error) or "every second" in str(error)
        return
    newest, first = line.newest_at(instant), line.first_after(instant)
    assert newest.instant <= instant < first.instant
    assert line.next_after(newest) == first
    after = [newest, *islice(line.slots(newest, first.instant + 10_000 * DAY), 5)]
    assert all(earlier < later for earlier, later in pairwise(after))
    assert len({slot.text for slot in after}) == len(after)
    assert [line.parse_slot(slot.text) for slot in after] == after
    assert line.newest_at(first.instant) >= first
    assert line.newest_at(first.instant - timedelta(microseconds=1)) == newest


def is_named(
    day: date, days: frozenset[int], months: frozenset[int], weekdays: frozenset[int], both: bool
) -> bool:
    matches = (day.day in days, day.isoweekday() % 7 in weekdays)
    return day.month in months and (all(matches) if both else any(matches))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fields(1, 31), fields(1, 12), fields(0, 6), st.dates(date(1990, 1, 1), date(2060, 1, 1)))
def test_days_are_those_of_a_calendar_leafed_through(
    day: tuple[str, frozenset[int]],
    month: tuple[str, frozenset[int]],
    weekday: tuple[str, frozenset[int]],
    start: date,
) -> None:
    both = day[0].startswith("*") or weekday[0].startswith("*")
    calendar = [start + count * DAY for count in range(800)]
    expected = [at for at in calendar if is_named(at, day[1], month[1], weekday[1], both)][:12]
    try:
        line = CronLine.parse(f"0 12 {day[0]} {month[0]} {weekday[0]}", "UTC")
    except CronError:
        assert not expected
        return
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
    slots = list(islice(line.slots(line.newest_at(midnight), midnight + 800 * DAY), len(expected)))
    assert [slot.nominal.date() for slot in slots] == expected
    backwards = [line.newest_at(slot.instant + 11 * HOUR) for slot in slots]
    assert backwards == slots

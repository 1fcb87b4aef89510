"""When a cron line fires: each slot once, in order, whatever the clocks of its time zone do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from croniter import CroniterBadDateError, CroniterError, croniter

from daemon.durations import format_duration, parse_duration
from daemon.engine.cronfields import SHAPE, CronError, Fields, closest, read_fields, shown
from daemon.engine.cronwords import in_words
from daemon.engine.wallclock import SECOND, WallClock

__all__ = ["CronError", "CronLine", "Slot"]

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_PERIOD = timedelta(days=366)

# Any day the search for a first fire may begin at; lines have no years, so one is as good as another.
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  # naive, as all nominal times are


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Slot:
    """One firing of a line. The slots of one line are ordered as they come due.

    `instant` comes first because it decides the order: in a doubled hour 02:55 comes before the second
    02:00. Where several nominal times fall into one gap they share its end, in their nominal order.
    """

    instant: datetime  # when it is due, aware, UTC
    nominal: datetime  # naive: the local time that the line names, in UTC for "@every"
    fold: int = 0  # 1 in the second pass of a doubled hour, for lines that fire in both
    is_interval: bool = False  # belongs to an "@every" line

    @property
    def text(self) -> str:
        """Its name, unique within the line: "2026-11-21T23:00:00".

        "2026-10-25T02:30:00+01:00" in the second pass of a doubled hour, "2026-11-21T21:14:02Z" for "@every".
        Names sort as slots do, but for those with an offset: order slots, not their names.
        """
        if self.is_interval:
            return f"{self.nominal.isoformat()}Z"
        if self.fold:
            offset = self.nominal - self.instant.replace(tzinfo=None)
            return self.nominal.replace(tzinfo=timezone(offset)).isoformat()
        return self.nominal.isoformat()


class CronLine(ABC):
    """A cron line in a time zone: parsed once, cheap afterwards. Lines of equal text and zone are equal."""

    is_interval = False

    def __init__(self, text: str, timezone: str) -> None:
        self.text = text
        self.timezone = timezone

    @staticmethod
    def parse(text: str, timezone: str) -> "CronLine":
        """Read five fields, six with seconds first, "@every 30s", or "@daily" and its like.

        Raises:
            CronError: a field, a name, a step, a duration or the zone is not known, or the line never fires.
        """
        zone = _load_zone(timezone)
        text = " ".join(text.split())
        if text.startswith("@"):
            name, _, rest = text.lower().partition(" ")
            if name == "@every":
                return EveryLine(text, timezone, _read_period(text, rest))
            fields = read_fields(_read_macro(text))
        else:
            fields = read_fields(text)
        kind = AnyHourLine if fields.follows_elapsed_time else FixedHourLine
        return kind(text, timezone, zone, fields)

    @abstractmethod
    def next_after(self, slot: Slot) -> Slot:
        """The slot that follows this one."""

    @abstractmethod
    def first_after(self, instant: datetime) -> Slot:
        """The first slot that comes due after the instant."""

    @abstractmethod
    def newest_at(self, instant: datetime) -> Slot:
        """The newest slot that is due at the instant or before it."""

    @abstractmethod
    def parse_slot(self, text: str) -> Slot:
        """The slot of this name.

        Raises:
            CronError: no name of a slot, or of another kind of line.
        """

    @abstractmethod
    def describe(self) -> str:
        """When it fires, in a few words for people; the line itself where words would not be shorter."""

    def slots(self, after: Slot, until: datetime) -> Iterator[Slot]:
        """The slots that follow `after` and are due by `until`, one by one."""
        slot = self.next_after(after)
        while slot.instant <= until:
            yield slot
            slot = self.next_after(slot)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CronLine):
            return NotImplemented
        return (self.text, self.timezone) == (other.text, other.timezone)

    def __hash__(self) -> int:
        return hash((self.text, self.timezone))

    def __repr__(self) -> str:
        return f"CronLine.parse({self.text!r}, {self.timezone!r})"


class EveryLine(CronLine):
    """A line such as "@every 30s": multiples of the period since 1970, so that restarts keep the phase."""

    is_interval = True

    def __init__(self, text: str, timezone: str, period: timedelta) -> None:
        super().__init__(text, timezone)
        self.period = period

    def next_after(self, slot: Slot) -> Slot:
        return self.first_after(slot.instant)

    def first_after(self, instant: datetime) -> Slot:
        return self._slot((instant - EPOCH) // self.period + 1)

    def newest_at(self, instant: datetime) -> Slot:
        return self._slot((instant - EPOCH) // self.period)

    def parse_slot(self, text: str) -> Slot:
        instant = _read_time(self, text)
        if not text.endswith("Z") or instant.tzinfo is None:
            raise CronError(f"{shown(text)} is no slot of {shown(self.text)}; those end in Z")
        return Slot(instant=instant, nominal=instant.replace(tzinfo=None), is_interval=True)

    def describe(self) -> str:
        return f"every {format_duration(self.period)}"

    def _slot(self, count: int) -> Slot:
        instant = EPOCH + count * self.period
        return Slot(instant=instant, nominal=instant.replace(tzinfo=None), is_interval=True)


class WallLine(CronLine):
    """A line of fields: it names readings of the wall clock."""

    def __init__(self, text: str, timezone: str, zone: ZoneInfo, fields: Fields) -> None:
        super().__init__(text, timezone)
        self._fields = fields
        self._named = NamedTimes(text, fields)
        self._wall = WallClock(zone)

    def parse_slot(self, text: str) -> Slot:
        time = _read_time(self, text)
        if text.endswith("Z"):
            raise CronError(f"{shown(text)} is a slot of an @every line, not of {shown(self.text)}")
        nominal = time.replace(tzinfo=None)
        if time.tzinfo is not None:
            return Slot(instant=time.astimezone(UTC), nominal=nominal, fold=1)
        return Slot(instant=self._wall.first_reaches(nominal), nominal=nominal)

    def describe(self) -> str:
        return in_words(self._fields, self.timezone) or self.text


class FixedHourLine(WallLine):
    """A line with hours of its own: each time it names fires once, when the clock first shows or passes it.

    So a daily line has one slot for every date of the calendar: in a doubled hour the first pass has it,
    and what falls into a gap (an hour, or the whole day that Apia left out) comes due at the gap's end.
    """

    def next_after(self, slot: Slot) -> Slot:
        return self._slot(self._named.first_from(slot.nominal + SECOND))

    def first_after(self, instant: datetime) -> Slot:
        return self._slot(self._named.first_from(self._wall.first_unreached(instant)))

    def newest_at(self, instant: datetime) -> Slot:
        return self._slot(self._named.last_before(self._wall.first_unreached(instant)))

    def _slot(self, nominal: datetime) -> Slot:
        return Slot(instant=self._wall.first_reaches(nominal), nominal=nominal)


class AnyHourLine(WallLine):
    """A line whose hours begin with "*": it fires whenever the clock shows a time it names.

    So "every five minutes" goes on through both passes of a doubled hour, and is not bunched at a gap's end.
    """

    def next_after(self, slot: Slot) -> Slot:
        return self.first_after(slot.instant)

    def first_after(self, instant: datetime) -> Slot:
        due, change = self._first_from(instant.replace(microsecond=0) + SECOND)
        while change is not None:
            due, change = self._first_from(change)
        return self._slot(due)

    def newest_at(self, instant: datetime) -> Slot:
        due, change = self._last_before(instant.replace(microsecond=0) + SECOND)
        while change is not None:
            due, change = self._last_before(change)
        return self._slot(due)

    def _first_from(self, start: datetime) -> tuple[datetime, datetime | None]:
        """When the next named time comes if the clock is not changed, and the change that may come first."""
        offset = self._wall.offset(start)
        due = _utc(self._named.first_from(_naive(start + offset)) - offset)
        return due, self._wall.first_change(start, due)

    def _last_before(self, end: datetime) -> tuple[datetime, datetime | None]:
        """The same looking back: the last named time before `end`, and the change that lies between."""
        offset = self._wall.offset(end - SECOND)
        due = _utc(self._named.last_before(_naive(end + offset)) - offset)
        return due, self._wall.last_change(due, end - SECOND)

    def _slot(self, instant: datetime) -> Slot:
        nominal, fold = self._wall.reading(instant)
        return Slot(instant=instant, nominal=nominal, fold=fold)


class NamedTimes:
    """The times that the fields name on a calendar without time zones; the only caller of croniter.

    croniter is handed plain numbers and naive times: its own reading of ranges (it takes "5-5" for "*"),
    of steps (it takes "*/90") and of clock changes (it fires twice in a doubled hour) never comes into play.
    """

    def __init__(self, text: str, fields: Fields) -> None:
        five = (fields.minute, fields.hour, fields.day, fields.month, fields.weekday)
        numbers = five if fields.second is None else (*five, fields.second)
        try:
            # day_or=False is vixie cron's rule for a day field that begins with "*".
            self._times = croniter(" ".join(numbers), _SOME_DAY, day_or=not fields.both_days_must_match)
            self.first_from(_SOME_DAY)
        except CroniterBadDateError:
            raise CronError(f"{shown(text)} never fires; no such day comes in 50 years") from None
        except CroniterError as error:
            raise CronError(f"{shown(text)} is not understood: {error}") from None

    def first_from(self, nominal: datetime) -> datetime:
        """The first named time at or after this one."""
        return self._times.get_next(datetime, start_time=nominal - SECOND, update_current=False)

    def last_before(self, nominal: datetime) -> datetime:
        """The last named time before this one."""
        return self._times.get_prev(datetime, start_time=nominal, update_current=False)


def _load_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, as "Europe" is
        near = closest(name, tuple(available_timezones()))
        raise CronError(
            f'{shown(name)} is no time zone; zones are named as in "Europe/Berlin" or "UTC"{near}'
        ) from None


def _read_macro(text: str) -> str:
    try:
        return MACROS[text.lower()]
    except KeyError:
        known = ", ".join(('"@every 30s"', *MACROS))
        near = closest(text, tuple(MACROS))
        raise CronError(f"{shown(text)} is not known; known are {known}, else {SHAPE}{near}") from None


def _read_period(text: str, duration: str) -> timedelta:
    try:
        period = parse_duration(duration)
    except ValueError as error:
        raise CronError(f"{shown(text)}: {error}") from None
    if period % SECOND or not SECOND <= period <= LONGEST_PERIOD:
        raise CronError(f"{shown(text)} has no usable period; periods are whole seconds from 1s to 366d")
    return period


def _read_time(line: CronLine, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise CronError(
            f'{shown(text)} is no slot of {shown(line.text)}; a slot is written "2026-11-21T23:00:00"'
        ) from None


def _naive(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None)


def _utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)

"""Read the fields of a cron line into plain numbers, and name every mistake with what is allowed."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SHAPE = "five fields (minute, hour, day of month, month, weekday), or six with seconds first"

_ITEM = re.compile(r"(?P<low>[^-/]+)(?:-(?P<high>[^-/]+))?(?:/(?P<step>[^-/]*))?")
_NUMBER = re.compile(r"[0-9]{1,4}")
_NEAREST_WORKDAY = re.compile(r"(?P<day>[0-9]{1,2})w")
_NTH_WEEKDAY = re.compile(r"(?P<day>[^#]+)#(?P<nth>[1-5])")
_LAST_WEEKDAY = re.compile(r"l(?P<day>.+)")
_LONGEST_SHOWN = 80


class CronError(ValueError):
    """A cron line, a time zone or a slot that cannot be used; the message says why and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one of the fields may hold."""

    name: str
    plural: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # of the values from `low` upwards
    last: int  # the last value there is; weekdays may be written up to 7, but 7 is 0
    hint: str = ""

    @property
    def allowed(self) -> str:
        named = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.plural} are {self.low}-{self.high}{named}{self.hint}"


SECOND = Kind(name="second", plural="seconds", low=0, high=59, last=59)
MINUTE = Kind(name="minute", plural="minutes", low=0, high=59, last=59)
HOUR = Kind(name="hour", plural="hours", low=0, high=23, last=23)
DAY = Kind(
    name="day of month",
    plural="days of the month",
    low=1,
    high=31,
    last=31,
    hint=", L for the last, 15W for the working day nearest to the 15th",
)
MONTH = Kind(name="month", plural="months", low=1, high=12, last=12, names=MONTHS)
WEEKDAY = Kind(
    name="weekday",
    plural="weekdays",
    low=0,
    high=7,
    last=6,
    names=WEEKDAYS,
    hint=" (0 and 7 are Sunday), 5#3 for the third Friday, L5 for the last",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What a line says: per field "*" or a list of numbers; names, ranges and steps are written out.

    A day field may also hold "l" (the month's last day), "15w" (the working day nearest to the 15th),
    "5#3" (the third Friday) or "l5" (the last Friday).
    """

    second: str | None  # None in a line of five fields, which fires at second 0
    minute: str
    hour: str
    day: str
    month: str
    weekday: str
    follows_elapsed_time: bool  # the hour field begins with "*"
    both_days_must_match: bool  # a day field begins with "*"; otherwise one of the two is enough


def read_fields(line: str) -> Fields:
    """Read a line of five fields, or of six with seconds first.

    Raises:
        CronError: names the field, its value and what is allowed.
    """
    parts = line.lower().split()
    if len(parts) not in (5, 6):
        raise CronError(
            f"{shown(line)} has {len(parts)} {'field' if len(parts) == 1 else 'fields'}; it needs {SHAPE}"
        )
    seconds, (minute, hour, day, month, weekday) = parts[:-5], parts[-5:]
    fields = Fields(
        second=_read_field(line, SECOND, seconds[0]) if seconds else None,
        minute=_read_field(line, MINUTE, minute),
        hour=_read_field(line, HOUR, hour),
        day=_read_field(line, DAY, day),
        month=_read_field(line, MONTH, month),
        weekday=_read_field(line, WEEKDAY, weekday),
        follows_elapsed_time=hour.startswith("*"),
        both_days_must_match=day.startswith(("*", "?")) or weekday.startswith(("*", "?")),
    )
    _check_together(line, fields)
    return fields


def shown(text: str) -> str:
    """The text as a message quotes it: at most 80 characters, all of them printable."""
    return f'"{_cut(text)}"'


def closest(word: str, known: tuple[str, ...]) -> str:
    """The end of a message: which known word was probably meant, or nothing."""
    spelt = {name.lower(): name for name in known}
    near = get_close_matches(word[:_LONGEST_SHOWN].lower(), spelt, n=1)
    return f'; did you mean "{spelt[near[0]]}"?' if near else ""


def _cut(text: str) -> str:
    plain = "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_SHOWN])
    return plain if len(text) <= _LONGEST_SHOWN else f"{plain}…"


def _read_field(line: str, kind: Kind, text: str) -> str:
    if text == "?" and kind in (DAY, WEEKDAY):
        return "*"
    numbers: set[int] = set()
    words: set[str] = set()
    for item in text.split(","):
        word = _read_word(line, kind, item)
        if word is None:
            numbers.update(_read_numbers(line, kind, item))
        else:
            words.add(word)
    if words - {"l"} and (numbers or (kind is DAY and len(words) > 1)):
        raise CronError(
            f"{shown(line)} has {kind.name} {_cut(text)}; W, # and L5 cannot be listed with plain days"
        )
    # A list of every day still counts as a restriction ("any day, or Mondays"), a star does not.
    is_all = len(numbers) == kind.last - kind.low + 1 and not words
    if is_all and (text.startswith("*") or kind not in (DAY, WEEKDAY)):
        return "*"
    return ",".join([*map(str, sorted(numbers)), *sorted(words)])


def _read_word(line: str, kind: Kind, item: str) -> str | None:
    """The item if it is one of the words of the day fields ("l", "15w", "5#3", "l5"), else None."""
    if kind is DAY:
        if item == "l":
            return item
        if nearest := _NEAREST_WORKDAY.fullmatch(item):
            return f"{_read_number(line, kind, nearest['day'])}w"
    if kind is WEEKDAY:
        if nth := _NTH_WEEKDAY.fullmatch(item):
            return f"{_read_number(line, kind, nth['day']) % 7}#{nth['nth']}"
        if last := _LAST_WEEKDAY.fullmatch(item):
            return f"l{_read_number(line, kind, last['day']) % 7}"
    return None


def _read_numbers(line: str, kind: Kind, item: str) -> list[int]:
    """The numbers that "*", "5", "1-5", "22-2", "*/5", "5/15" or "9-17/2" stand for."""
    match = _ITEM.fullmatch(item)
    if match is None or (match["low"] == "*" and match["high"] is not None):
        _refuse(line, kind, item)
    step = 1 if match["step"] is None else _read_step(line, kind, match["step"])
    numbers = _walk(line, kind, match["low"], match["high"], has_step=match["step"] is not None)
    if match["step"] is not None and step >= len(numbers):
        raise CronError(
            f"{shown(line)} has {kind.name} {item}, whose step leads nowhere: it means {numbers[0]} alone; "
            + (f"steps here are 1-{len(numbers) - 1}" if len(numbers) > 1 else f"write {numbers[0]}")
        )
    return numbers[::step]


def _walk(line: str, kind: Kind, low: str, high: str | None, *, has_step: bool) -> list[int]:
    if low == "*":
        return list(range(kind.low, kind.last + 1))
    first = _read_number(line, kind, low)
    open_end = kind.last if has_step else first
    final = open_end if high is None else _read_number(line, kind, high)
    if first <= final:
        walk = range(first, final + 1)
        return [number % 7 if kind is WEEKDAY else number for number in walk]
    # 22-2 goes on past midnight, fri-mon past Sunday, nov-feb past the new year.
    return [*range(first, kind.last + 1), *range(kind.low, final + 1)]


def _read_step(line: str, kind: Kind, text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise CronError(
            f"{shown(line)} has {kind.name} step {_cut(text) or 'of nothing'}; steps are whole numbers from 1"
        )
    return int(text)


def _read_number(line: str, kind: Kind, text: str) -> int:
    if text in kind.names:
        return kind.low + kind.names.index(text)
    if not _NUMBER.fullmatch(text) or not kind.low <= int(text) <= kind.high:
        _refuse(line, kind, text)
    return int(text)


def _refuse(line: str, kind: Kind, value: str) -> NoReturn:
    held = f"{kind.name} {_cut(value)}" if value else f"an empty {kind.name}"
    raise CronError(f"{shown(line)} has {held}; {kind.allowed}{closest(value, kind.names)}")


def _check_together(line: str, fields: Fields) -> None:
    """Refuse what each field allows but the whole does not."""
    special_day = "w" in fields.day or "#" in fields.weekday or "l" in fields.weekday
    if special_day and fields.day != "*" and fields.weekday != "*":
        raise CronError(
            f"{shown(line)} has a day of month and a weekday; beside W, # or L5 the other one has to be *"
        )
    if {fields.second, fields.minute, fields.hour, fields.day, fields.month, fields.weekday} == {"*"}:
        raise CronError(f'{shown(line)} fires every second; if that is meant, write "@every 1s"')

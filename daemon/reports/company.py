"""One row of a roster, judged: a company, or why it is none."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from daemon.config.problems import meant, quoted, shown
from daemon.config.values import TimeOfDay, Zone
from daemon.notify.mailbox import parse_addresses
from daemon.reports.roster_file import FIELDS
from state.ledger.records import Company

# It names files and stands in message ids, so it holds nothing that could lead elsewhere.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LONGEST_NAME = 200
# Channels that are there without an entry in the config.
SHIPPED_CHANNELS = ("file", "log")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_ZONE: TypeAdapter[str] = TypeAdapter(Zone)
_TIME: TypeAdapter[str] = TypeAdapter(TimeOfDay)


def company_of(fields: Mapping[str, Any], channels: Collection[str]) -> Company:
    """The company that a row describes. In CSV all values are text, in JSON they have their own kinds.

    Raises:
        ValueError: it is none; the message names the field, the value, and what would do.
    """
    for name in fields:
        if name not in FIELDS:
            raise ValueError(f"{quoted(name)} is no field of a company; {meant(name, FIELDS)}")
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    company_id = id_of(given)
    channel = _channel(given.get("channel"), channels)
    recipients = _recipients(given.get("recipients", ()))
    if not recipients and channel is None:
        raise ValueError("it has no recipients and no channel, so nobody would get its report")
    if "timezone" not in given:
        raise ValueError('timezone is missing; write one as in "Europe/Berlin"')
    return Company(
        id=company_id,
        name=_name(given.get("name", company_id)),
        timezone=_checked("timezone", given["timezone"]),
        recipients=recipients,
        channel=channel,
        deadline=_checked("deadline", given["deadline"]) if "deadline" in given else None,
        weekdays=_weekdays(given.get("weekdays")),
        active=_flag(given.get("active", True)),
    )


def id_of(fields: Mapping[str, Any]) -> str:
    """The id in a row. ValueError: there is none, or it cannot be one."""
    if "id" not in fields:
        raise ValueError("id is missing; every company has one of its own")
    named = fields["id"]
    if not isinstance(named, str) or not ID.fullmatch(named):
        raise ValueError(
            f"id: {shown(named)} cannot be one; up to 64 letters, digits, _ and -, the first no sign"
        )
    return named


def _name(value: Any) -> str:
    if (
        not isinstance(value, str)
        or len(value) > LONGEST_NAME
        or not value.isprintable()
        or not value.strip()
    ):
        raise ValueError(f"name: {shown(value)} is none; up to {LONGEST_NAME} printable characters are")
    return value.strip()


def _channel(value: Any, channels: Collection[str]) -> str | None:
    if value is None:
        return None
    known = {*channels, *SHIPPED_CHANNELS}
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"channel: {shown(value)} is not configured; {meant(str(value), known)}")
    return value


def _recipients(value: Any) -> tuple[str, ...]:
    parts = re.split(r"[;,\s]+", value.strip(" ;,")) if isinstance(value, str) else value
    if isinstance(parts, (list, tuple)) and not parts:
        return ()
    try:
        return parse_addresses(parts)
    except ValueError as error:
        raise ValueError(f"recipients: {error}") from None


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    flag = FLAGS.get(value.casefold()) if isinstance(value, str) else None
    if flag is None:
        raise ValueError(f"active: {shown(value)} is neither true nor false")
    return flag


def _weekdays(value: Any) -> tuple[int, ...] | None:
    """The days as ISO numbers; `mon-fri`, `1-5`, `mon wed`, [1, 3], ["mon", "wed"]."""
    if value is None:
        return None
    parts = re.split(r"[;,\s]+", value.strip(" ;,")) if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not parts:
        raise ValueError(f"weekdays: {shown(value)} names no days; {_WEEKDAY_HINT}")
    days = {day for part in parts for day in _days_of(str(part))}
    return None if len(days) == len(WEEKDAYS) else tuple(sorted(days))


_WEEKDAY_HINT = "write days as in mon-fri, or as numbers with Monday as 1"


def _days_of(part: str) -> range:
    begin, dash, end = part.partition("-")
    first = _weekday(begin)
    last = _weekday(end) if dash else first
    if last < first:
        raise ValueError(f"weekdays: {quoted(part)} runs backwards; {_WEEKDAY_HINT}")
    return range(first, last + 1)


def _weekday(text: str) -> int:
    folded = text.strip().casefold()
    for number, name in enumerate(WEEKDAYS, 1):
        if folded == str(number) or (len(folded) >= 3 and name.startswith(folded)):
            return number
    raise ValueError(f"weekdays: {quoted(text)} is no day; {_WEEKDAY_HINT}")


def _checked(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{field}: {shown(value)} is no text")
    if problem := _problem_of(field, value):
        raise ValueError(f"{field}: {problem}")
    return value


# What is wrong is remembered too: looking for what was meant takes milliseconds, for each of many rows.
@lru_cache(maxsize=4096)
def _problem_of(field: str, value: str) -> str | None:
    try:
        (_ZONE if field == "timezone" else _TIME).validate_python(value)
    except ValidationError as error:
        return str(error.errors()[0]["ctx"]["error"])
    return None

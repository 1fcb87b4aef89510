"""The kinds of values a config is made of: each refuses what it cannot be, in the operator's words."""

import math
import re
import urllib.parse
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from daemon.config.problems import meant, shown
from daemon.durations import parse_duration

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9]"
DURATION_PATTERN = r"\s*([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+\s*"
HOST_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
HASH_PATTERN = r"sha256:[0-9a-fA-F]{64}"
DURATION_HINT = 'write a number and a unit, as in "30s", "10m", "2h", "1d"'
LONGEST_SPAN = timedelta(days=3660)  # ten years; more would overflow a date that it is added to


class Kind:
    """One kind of value: the function that checks it, and its JSON Schema for editors.

    Pydantic takes the function as it is. Types made of its own constraints would cost several
    times as much at every start, and would speak pydantic's language to the operator.
    """

    __slots__ = ("check", "needs_surroundings", "schema")

    def __init__(self, check: Callable[..., Any], *, needs_surroundings: bool = False, **schema: Any) -> None:
        self.check = check
        self.needs_surroundings = needs_surroundings
        self.schema = schema

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        if self.needs_surroundings:
            return core_schema.with_info_plain_validator_function(self.check)
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _refusal(value, "text in quotes")
    return value


def _filled(value: object) -> str:
    text = _text(value)
    if not text.strip():
        raise ValueError("this text is empty; write something, or leave the key out")
    return text


def _name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError(
            f"{shown(text)} cannot be a name; a name has up to 100 letters, digits, dots, dashes and"
            " underscores, and begins with a letter or digit"
        )
    return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _refusal(value, "true or false")
    return value


def whole(low: int, high: int) -> Kind:
    """Make the kind of whole numbers from `low` to `high`; 5.0 is 5, as some programs write it."""

    def check(value: object) -> int:
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, bool) or not isinstance(number, int):
            raise _refusal(value, "a whole number")
        if not low <= number <= high:
            raise ValueError(
                f"{shown(number)} is out of range; a whole number from {low:,} to {high:,} is wanted"
            )
        return number

    return Kind(check, type="integer", minimum=low, maximum=high)


def number(low: float, high: float) -> Kind:
    """Make the kind of numbers from `low` to `high`, both included."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refusal(value, "a number")
        if not (low <= value <= high and math.isfinite(value)):
            raise ValueError(f"{shown(value)} is out of range; a number from {low:,} to {high:,} is wanted")
        return float(value)

    return Kind(check, type="number", minimum=low, maximum=high)


def _refusal(value: object, wanted: str) -> ValueError:
    """Say what was given and what is wanted instead."""
    if isinstance(value, str):
        return ValueError(f"{shown(value)} is text; {wanted} is wanted, without quotes")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ValueError(f"{shown(value)} is a number; {wanted} is wanted")
    return ValueError(f"this is {shown(value)}; {wanted} is wanted")


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} has no unit; {DURATION_HINT}")
    try:
        span = parse_duration(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is no duration; {DURATION_HINT}") from None
    if span > LONGEST_SPAN:
        raise ValueError(f"{shown(value)} is too long; {LONGEST_SPAN.days} days are the most")
    return span


def _span(value: object) -> timedelta:
    span = _duration(value)
    if span <= timedelta(0):
        raise ValueError(f"{shown(value)} is no time at all; write a longer duration")
    return span


def _time_of_day(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(TIME_PATTERN, text):
        raise ValueError(f'{shown(text)} is no time of day; write hours and minutes, as in "07:00"')
    return text


def _zone(value: object) -> str:
    name = _text(value)
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{shown(name)} is no time zone; {_meant_zone(name)}") from None
    return name


def _meant_zone(name: str) -> str:
    zones = available_timezones()
    city = name.rsplit("/", 1)[-1].casefold().replace(" ", "_")
    # "Berlin" is nearer to Europe/Berlin than any count of letters would have it.
    same = sorted(zone for zone in zones if "/" in zone and zone.rsplit("/", 1)[-1].casefold() == city)
    hint = meant(same[0] if same else name, same or zones)
    return hint if hint.startswith("did") else 'write one as in "Europe/Berlin", or "UTC"'


def _web_address(value: object) -> str:
    text = _text(value)
    try:
        parts = urllib.parse.urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not text.isprintable() or " " in text:
        raise ValueError(f"{shown(text)} is no web address; write one as in https://desk.example.org")
    if parts.username is not None or parts.password is not None:
        raise ValueError("this address holds a name or password; take it out")
    return text.rstrip("/")


def _host_name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(HOST_PATTERN, text):
        raise ValueError(
            f'{shown(text)} is no name of a host; write it without port, as in "desk.example.org"'
        )
    return text.lower()


def _token_hash(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(HASH_PATTERN, text):
        # Whatever stands here may be the token itself, so it is not repeated.
        raise ValueError(
            "this is no hash of a token; `nightdesk token new` prints one: sha256: and 64 digits"
        )
    return text.lower()


Text = Annotated[str, Kind(_text, type="string")]
FilledText = Annotated[str, Kind(_filled, type="string", minLength=1)]
Name = Annotated[str, Kind(_name, type="string", pattern=f"^{NAME_PATTERN}$")]
Flag = Annotated[bool, Kind(_flag, type="boolean")]
Share = Annotated[float, number(0, 1)]
Weight = Annotated[float, number(0, 1_000_000)]
Places = Annotated[int, whole(1, 1000)]  # how many of something may run at once
Port = Annotated[int, whole(0, 65535)]
Duration = Annotated[timedelta, Kind(_duration, type="string", pattern=f"^{DURATION_PATTERN}$")]
Span = Annotated[
    timedelta, Kind(_span, type="string", pattern=f"^{DURATION_PATTERN}$")
]  # longer than nothing
TimeOfDay = Annotated[str, Kind(_time_of_day, type="string", pattern=f"^{TIME_PATTERN}$")]
Zone = Annotated[str, Kind(_zone, type="string")]
HostName = Annotated[str, Kind(_host_name, type="string", pattern=f"^{HOST_PATTERN}$")]
TokenHash = Annotated[str, Kind(_token_hash, type="string", pattern=f"^{HASH_PATTERN}$")]
WebAddress = Annotated[str, Kind(_web_address, type="string", pattern="^https?://")]

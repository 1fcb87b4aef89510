"""The values of databases made plain: the same value is the same text in every report, on every source."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

# What JSON readers and our writer hold exactly; a larger number is told as text.
_LARGEST = 2**63 - 1
_OF_ONE_SIZE = frozenset({int, float, bool, type(None)})
_DEEPEST = 8  # lists in lists, which nobody reads in a report


def plain(value: Any, depth: int = 0) -> Any:
    """None, bool, int, float, str, or tuples and dicts of these.

    Not-a-number and infinity are None: a figure that is none. A Decimal is a number where a number shows
    it exactly, else its text. Times with an offset are UTC with Z; without one they stay as they are.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if kind is int:
        return value if -_LARGEST <= value <= _LARGEST else str(value)
    if kind is float:
        return value + 0.0 if math.isfinite(value) else None  # -0.0 + 0.0 is 0.0
    for base, shown in _SHOWN:
        if isinstance(value, base):
            return shown(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _inside(value, depth + 1)
    return str(value)


def size(value: Any) -> int:
    """About how many bytes a plain value takes when written."""
    if isinstance(value, str):
        return len(value)
    if type(value) in _OF_ONE_SIZE:
        return 8
    if isinstance(value, Mapping):
        return sum(len(name) + size(inner) for name, inner in value.items())
    if isinstance(value, tuple):
        return sum(size(inner) for inner in value)
    return 8


def _inside(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(inner, depth) for name, inner in value.items()}
    made = tuple(plain(inner, depth) for inner in value)
    return tuple(sorted(made, key=repr)) if isinstance(value, set | frozenset) else made


def _decimal(value: Decimal) -> Any:
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and abs(value) <= _LARGEST:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else format(value, "f")


def _datetime(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return bytes(value).hex()


# A datetime is a date, and bool an int, for isinstance: the narrower stands first.
_SHOWN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (int, lambda value: plain(int(value))),
    (float, lambda value: plain(float(value))),
    (str, lambda value: plain(str.__str__(value))),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, date.isoformat),
    (time, time.isoformat),
    (timedelta, timedelta.total_seconds),
    ((bytes, bytearray, memoryview), _bytes),
)

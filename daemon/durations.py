"""Durations as people write them: "30s", "10m", "2h", "1d", "500ms", "1h30m"."""

import re
from datetime import timedelta

UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Raises:
        ValueError: not a duration; the message says what one looks like.
    """
    if not isinstance(text, str) or not _WHOLE.fullmatch(text.strip()):
        raise ValueError(
            f'{text!r} is no duration; write a number and a unit, as in "30s", "10m", "2h", "1d"'
        )
    try:
        parts = (timedelta(**{UNITS[unit]: float(number)}) for number, unit in _PART.findall(text))
        return sum(parts, timedelta(0))
    except OverflowError:
        raise ValueError(f"{text!r} is too long a duration") from None


def format_duration(span: timedelta) -> str:
    """Write a duration in its two largest units: "2h 5m", "850ms"."""
    seconds = span.total_seconds()
    if seconds < 0:
        return "-" + format_duration(-span)
    if round(seconds * 1000) < 1000:
        return f"{round(seconds * 1000)}ms"
    parts, left = [], max(1, int(seconds))
    for letter, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{letter}")
    return " ".join(parts[:2])

"""Facts as people read them: labels, numbers, and what changed against the week before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from daemon.notify.text import MOST_READ, cut, one_line
from handlers.reporting.base import Facts

BEFORE = "_week_before"  # `flights_week_before` is what `flights` is compared with
NONE = "–"  # a figure there is none of
LONGEST_TEXT = 200  # characters of a value that is text
LONGEST_LABEL = 80
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
MOST_INSIDE = 10  # of a list in a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the facts."""

    label: str
    value: Any
    before: Any = None
    is_compared: bool = False
    change: float | None = None  # the difference from the week before, where both are numbers


def figures(facts: Facts) -> Iterator[Figure]:
    """The facts in their order; a figure of the week before stands beside its own."""
    values = facts.values
    for name, value in values.items():
        if name.endswith(BEFORE) and name.removesuffix(BEFORE) in values:
            continue
        is_compared = f"{name}{BEFORE}" in values
        before = values.get(f"{name}{BEFORE}")
        is_known = is_compared and is_number(value) and is_number(before)
        yield Figure(
            label=label(name),
            value=value,
            before=before,
            is_compared=is_compared,
            change=float(value - before) if is_known else None,
        )


def is_number(value: Any) -> bool:
    """Whether a value is a figure that can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=1024)
def label(name: str) -> str:
    """The name of a column as people read it: `mean_delay` is "Mean delay"."""
    text = words(name.replace("_", " "), LONGEST_LABEL)
    return text[:1].upper() + text[1:] if text else NONE


def shown(value: Any) -> str:
    """A value as text: 1,234 and 11.67, yes and no, on one line and never long."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return words(value, LONGEST_TEXT) or NONE
    return _inside(value)


def spoken_day(day: date) -> str:
    """A day as it stands in a report, in English everywhere: "Saturday, 12 January 2013"."""
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def words(text: str, limit: int) -> str:
    """Foreign text made harmless, on one line and short."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())  # nothing in it to take out: the way of nearly every cell
    return cut(one_line(text[:MOST_READ]), limit)


def change(figure: Figure) -> str:
    """The difference with its sign, and in per cent where that says something: "+3 (+3.2 %)"."""
    difference = figure.change
    if difference is None:
        return ""
    if difference == 0:
        return "±0"
    told = shown(int(difference) if difference.is_integer() else difference)
    told = told if told.startswith("-") else f"+{told}"
    return f"{told} ({share(figure):+.1f} %)" if share(figure) is not None else told


def share(figure: Figure) -> float | None:
    """The change in per cent of the week before; None where that has no meaning or is beyond all reading."""
    if figure.change is None or figure.before <= 0 or figure.value < 0:
        return None
    percent = figure.change / figure.before * 100
    return percent if abs(percent) < 100_000 else None


def column(values: Sequence[Any]) -> list[str]:
    """The values of one column; numbers with as many places after the point as the one that needs most."""
    told = [shown(value) for value in values]
    places = [
        len(text.partition(".")[2]) for value, text in zip(values, told, strict=True) if is_number(value)
    ]
    most = max(places, default=0)
    if not most or any("e" in text for value, text in zip(values, told, strict=True) if is_number(value)):
        return told
    return [
        f"{value:,.{most}f}" if isinstance(value, float) else text
        for value, text in zip(values, told, strict=True)
    ]


def _float(value: float) -> str:
    if value and not 1e-2 <= abs(value) < 1e15:
        return f"{value:.3g}"
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def _inside(value: Any) -> str:
    """A list or a mapping in one cell."""
    if isinstance(value, dict):
        parts = [f"{label(str(name))}: {shown(inner)}" for name, inner in list(value.items())[:MOST_INSIDE]]
    elif isinstance(value, tuple | list):
        parts = [shown(inner) for inner in value[:MOST_INSIDE]]
    else:
        return shown(str(value))
    left = len(value) - len(parts)
    text = ", ".join([*parts, f"and {left} more"] if left else parts)
    return cut(text, LONGEST_TEXT) or NONE

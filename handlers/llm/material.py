"""What of a day's facts a model is shown: plain, cut to size, with the changes already worked out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from daemon.notify.text import clean, cut
from handlers.llm.base import Brief

LONGEST_TEXT = 300  # characters of one value
MOST_VALUES = 200
MOST_COLUMNS = 20
MOST_TABLES = 20
DEEPEST = 3  # a value within a value within a value is still shown as what it is
WEEK_BEFORE = "_week_before"  # `flights_week_before` is what `flights` is compared with
PERCENT_PLACES = Decimal("0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that a model knows of the day, and all that its figures may come from."""

    company: str
    day: date
    values: Mapping[str, Any]
    changes: Mapping[str, Mapping[str, Any]]
    tables: Mapping[str, Mapping[str, Any]]
    problem: str | None

    def as_data(self) -> dict[str, Any]:
        """The material in the form that it is shown in."""
        data: dict[str, Any] = {"company": self.company, "date": self.day.isoformat(), "facts": self.values}
        if self.changes:
            data["changesAgainstTheWeekBefore"] = self.changes
        if self.tables:
            data["tables"] = self.tables
        if self.problem:
            data["whatIsMissing"] = self.problem
        return data

    def numbers(self) -> Iterator[tuple[str, Any]]:
        """Every single value with the name that it goes by."""
        for name, value in self.values.items():
            yield from _single(name, value)
        for title, table in self.tables.items():
            yield title, table["rowCount"]
            for row in table["rows"]:
                for name, value in zip(table["columns"], row, strict=False):
                    yield from _single(name, value)

    def labels(self) -> Iterator[str]:
        """The names of things: of the company, of values, of tables and columns."""
        yield self.company
        yield from self.values
        for title, table in self.tables.items():
            yield title
            yield from table["columns"]

    def texts(self) -> Iterator[str]:
        """Every text in it."""
        yield from self.labels()
        yield from (value for _, value in self.numbers() if isinstance(value, str))
        if self.problem:
            yield self.problem


def gather(brief: Brief, most_rows: int) -> Material:
    """Take from a brief what is shown, at most so many rows of each table."""
    facts = brief.facts
    values = {_text(name): _plain(value) for name, value in list(facts.values.items())[:MOST_VALUES]}
    tables = list(facts.tables.items())[:MOST_TABLES]
    return Material(
        company=_text(brief.company_name),
        day=brief.date,
        values=values,
        changes=_changes(values),
        tables={_text(title): _table(it.columns, it.rows, most_rows) for title, it in tables if most_rows},
        problem=None if facts.problem is None else _text(facts.problem),
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], most_rows: int) -> dict[str, Any]:
    names = [_text(name) for name in columns[:MOST_COLUMNS]]
    shown = [[_plain(value) for value in row[:MOST_COLUMNS]] for row in rows[:most_rows]]
    return {"columns": names, "rowCount": len(rows), "rows": shown}


def _changes(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How far each value is from that of the week before, so that no model has to reckon."""
    made: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        now, before = as_decimal(value), as_decimal(values.get(f"{name}{WEEK_BEFORE}"))
        if now is None or before is None:
            continue
        try:
            made[name] = {"difference": _shown(now - before)}
            if before:
                percent = (now - before) / abs(before) * 100
                made[name]["percent"] = _shown(percent.quantize(PERCENT_PLACES))
        except InvalidOperation:
            continue  # figures too far apart to be told with one decimal place
    return made


def as_decimal(value: Any) -> Decimal | None:
    """A finite number as it would be written down, else None; True and False are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def _shown(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None  # what has no room in 64 bits has no JSON here
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _shown(value) if value.is_finite() and abs(value) < 2**63 else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _text(str(value)) if depth >= DEEPEST else _plain_many(value, depth + 1)


def _plain_many(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        parts = list(value.items())[:MOST_COLUMNS]
        return {_text(str(name)): _plain(inner, depth) for name, inner in parts}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth) for inner in value[:MOST_COLUMNS]]
    return _text(str(value))


def _single(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value, or what a value of several parts holds."""
    if isinstance(value, dict):
        for inner_name, inner in value.items():
            yield from _single(f"{name} {inner_name}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _single(name, inner)
    else:
        yield name, value


def _text(text: str) -> str:
    return cut(clean(text[: LONGEST_TEXT * 4]), LONGEST_TEXT)

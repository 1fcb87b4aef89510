"""The last rung: prose made of the facts alone, by rule. It always succeeds and invents nothing."""

from collections.abc import Iterator

from handlers.llm.base import Brief
from handlers.reporting.base import Table
from handlers.reporting.figures import (
    NONE,
    Figure,
    figures,
    is_number,
    label,
    share,
    shown,
    spoken_day,
    words,
)

MOST_FIGURES = 12  # told in sentences; the report shows all of them below
MOST_TABLES = 4
MOST_CELLS = 5  # of the row of a table that is told
LONGEST_NAME = 120


def template_prose(brief: Brief) -> str:
    """One to three paragraphs on a company's day. The same facts give the same words."""
    name = words(brief.company_name, LONGEST_NAME) or brief.company_id
    day = spoken_day(brief.date)
    told = list(figures(brief.facts))
    if not told:
        opening = f"For {name} there are no figures for {day}."
    else:
        opening = " ".join([f"This is the report of {name} for {day}.", *map(_sentence, told[:MOST_FIGURES])])
    tables = " ".join(_table(title, table) for title, table in list(brief.facts.tables.items())[:MOST_TABLES])
    return "\n\n".join(filter(None, [opening, _comparison(told), tables]))


def _sentence(figure: Figure) -> str:
    """One figure, and what it was a week before."""
    if figure.value is None:
        return f"{figure.label}: no figure."
    said = f"{figure.label}: {shown(figure.value)}"
    if not figure.is_compared:
        return f"{said}."
    if figure.before is None:
        return f"{said}; there is no figure of the week before."
    if figure.value == figure.before:
        return f"{said}, the same as a week before."
    if figure.change is None:
        return f"{said}; a week before: {shown(figure.before)}."
    way = "up" if figure.change > 0 else "down"
    return f"{said}, {way} from {shown(figure.before)} a week before{_percent(figure)}."


def _percent(figure: Figure) -> str:
    percent = share(figure)
    return "" if percent is None else f" ({percent:+.1f} %)"


def _comparison(told: list[Figure]) -> str:
    """How many figures rose and fell, and the one that changed most."""
    changes = [figure for figure in told if figure.change is not None]
    if len(changes) < 2:
        return ""
    up = sum((figure.change or 0) > 0 for figure in changes)
    down = sum((figure.change or 0) < 0 for figure in changes)
    counted = f"Of {len(changes)} figures with a week before, {up} rose and {down} fell."
    moved = [(abs(percent), figure) for figure in changes if (percent := share(figure))]
    if not moved:
        return counted
    most = max(moved, key=lambda pair: pair[0])[1]  # of equals the first
    return f"{counted} The largest change is that of {_quoted(most.label)}{_percent(most)}."


def _table(title: str, table: Table) -> str:
    heading = _quoted(words(title, LONGEST_NAME) or NONE)
    if not table.rows:
        return f"{heading} has no rows."
    rows = "one row" if len(table.rows) == 1 else f"{len(table.rows):,} rows, the first of them"
    return f"{heading} has {rows}: {', '.join(_cells(table))}."


def _cells(table: Table) -> Iterator[str]:
    """The first row: what it is about as it stands, its numbers with their names."""
    for name, value in list(zip(table.columns, table.rows[0], strict=False))[:MOST_CELLS]:
        yield f"{label(name).lower()} {shown(value)}" if is_number(value) or value is None else shown(value)


def _quoted(text: str) -> str:
    return f"“{text}”"

"""A report in its three forms: plain text, HTML and JSON, the same bytes for the same report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from daemon.notify.text import clean, cut
from handlers.reporting.base import Misfit, Rendered, Report, Table
from handlers.reporting.figures import change, column, figures, is_number, label, shown, spoken_day, words
from handlers.reporting.plain import plain
from state.codec import to_pretty_json

TEMPLATES = Path(__file__).with_name("templates")
TEXT, HTML = "report.txt", "report.html"

LONGEST_PROSE = 20_000
LONGEST_TITLE = 200
LONGEST_NOTE = 500
MOST_ROWS, MOST_COLUMNS = 100, 12  # of a table that are shown; the JSON holds all
MOST_TABLES = 20
MOST_FIGURES = 100
LONGEST_WORD = 18  # letters that stand in one line of a phone beside other columns
CELL = 40  # characters of a cell in plain text

_SETTINGS: Mapping[str, Any] = {
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
    "auto_reload": False,
}

log = logging.getLogger("handlers.reporting")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table as it is shown; every cell is clean, short text."""

    title: str
    columns: tuple[str, ...]
    are_numbers: tuple[bool, ...]  # column by column; numbers stand to the right
    rows: tuple[tuple[str, ...], ...]
    more: int = 0  # rows that are not shown

    @cached_property
    def sides(self) -> list[str]:
        """Where the cells of each column stand."""
        return ["right" if is_number else "left" for is_number in self.are_numbers]

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """Row by row every cell, with the side it stands at."""
        sides = self.sides
        return [list(zip(row, sides, strict=True)) for row in self.rows]

    @cached_property
    def has_long_words(self) -> bool:
        """Whether a word is too long for a phone, so that words must be broken."""
        rows = (self.columns, *self.rows)
        return any(len(cell) > LONGEST_WORD and _longest(cell) > LONGEST_WORD for row in rows for cell in row)

    @property
    def lines(self) -> list[str]:
        """The table as lines of plain text, one under the other in columns."""
        grid = [tuple(cut(cell, CELL) for cell in row) for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        return ["  ".join(_placed(row, widths, self.are_numbers)).rstrip() for row in grid]


@dataclass(frozen=True)
class View:
    """What a template sees: all text clean, nothing escaped yet. A template of one's own sees the same."""

    report: Report

    @cached_property
    def company(self) -> str:
        return words(self.report.company_name, LONGEST_TITLE) or self.report.company_id

    @cached_property
    def company_id(self) -> str:
        return words(self.report.company_id, LONGEST_TITLE)

    @cached_property
    def day(self) -> str:
        return spoken_day(self.report.date)

    @cached_property
    def title(self) -> str:
        return f"{self.company}: {self.report.date.isoformat()}"

    @cached_property
    def problem(self) -> str:
        return words(self.report.facts.problem or "", 2 * LONGEST_NOTE)

    @cached_property
    def notes(self) -> list[str]:
        late = ["This report is late."] if self.report.is_late else []
        return [*late, *(words(note, LONGEST_NOTE) for note in self.report.notes)]

    @cached_property
    def paragraphs(self) -> list[list[str]]:
        """The prose: paragraphs, each a list of lines."""
        prose = cut(clean(self.report.prose[: 2 * LONGEST_PROSE]), LONGEST_PROSE)
        return [part.split("\n") for part in prose.split("\n\n") if part.strip()]

    @cached_property
    def written_by(self) -> str:
        return written_by(self.report)

    @cached_property
    def figures(self) -> Grid | None:
        """The facts; with a week before where there is one to any of them."""
        told = list(figures(self.report.facts))
        if not told:
            return None
        if any(one.is_compared for one in told):
            columns: tuple[str, ...] = ("Figure", "Day", "Week before", "Change")
            rows: list[tuple[str, ...]] = [
                (one.label, shown(one.value), shown(one.before) if one.is_compared else "", change(one))
                for one in told[:MOST_FIGURES]
            ]
        else:
            columns = ("Figure", "Day")
            rows = [(one.label, shown(one.value)) for one in told[:MOST_FIGURES]]
        numbers = (False, *(True for _ in columns[1:]))
        more = max(0, len(told) - MOST_FIGURES)
        return Grid(title="Figures", columns=columns, are_numbers=numbers, rows=tuple(rows), more=more)

    @cached_property
    def tables(self) -> list[Grid]:
        return [_grid(title, table) for title, table in list(self.report.facts.tables.items())[:MOST_TABLES]]

    @cached_property
    def signature(self) -> str:
        at = self.report.generated_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"nightdesk · report · {at} · {words(self.report.stable_id, LONGEST_TITLE)}"


class Renderer:
    """Renders reports by the templates of the house, or by those of the operator where there are some.

    Those named `.html` escape whatever is put into them; the operator's run in Jinja's sandbox. One of the
    operator's that fails is logged and stood in for: a report with another look is better than none.
    """

    def __init__(self, templates: Path | None = None) -> None:
        """Load all templates.

        Raises:
            Misfit: the folder is none, or a template in it cannot be read; the message says where.
        """
        if templates is not None and not templates.is_dir():
            raise Misfit(("templates",), f'"{templates}" is no folder; make it, or leave the key out')
        house = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(), **_SETTINGS)
        self._house = {name: house.get_template(name) for name in (TEXT, HTML)}
        self._chosen = {} if templates is None else _chosen(templates)

    def render(self, report: Report) -> Rendered:
        """The report as text, HTML and JSON."""
        view = View(report)
        return Rendered(text=self._made(TEXT, view), html=self._made(HTML, view), json=_json(report))

    def _made(self, name: str, view: View) -> str:
        if chosen := self._chosen.get(name):
            try:
                return chosen.render(view=view)
            except Exception as error:  # a template is a program of somebody else's: it may raise anything
                fields = {"template": name, "company": view.report.company_id, "error": _where(error, name)}
                log.warning("template.failed", extra={"fields": fields})
        return self._house[name].render(view=view)


def written_by(report: Report) -> str:
    """Who wrote the prose, as every form of the report says it."""
    if report.rung != "template":
        return f"Written by {words(report.rung, LONGEST_TITLE)}; the figures come from the source."
    return "Written by template; no model was reached." if report.is_degraded else "Written by template."


def _chosen(folder: Path) -> dict[str, Template]:
    """The operator's templates by name, as many as there are; they may include each other and the house's."""
    loader = ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(TEMPLATES)])
    sandbox = ImmutableSandboxedEnvironment(loader=loader, autoescape=select_autoescape(), **_SETTINGS)
    made = {}
    for name in (TEXT, HTML):
        try:
            made[name] = sandbox.get_template(name)
        except (TemplateError, OSError, UnicodeDecodeError) as error:
            raise Misfit(("templates",), f"{_where(error, name)}; correct the template") from None
    return made


def _where(error: Exception, name: str) -> str:
    place = f"{getattr(error, 'name', None) or name}"
    line = getattr(error, "lineno", None)
    return f"{place}{f', line {line}' if line else ''}: {str(error)[:300] or type(error).__name__}"


def _json(report: Report) -> bytes:
    facts = report.facts
    tables = {
        title: [dict(zip(it.columns, row, strict=False)) for row in it.rows]
        for title, it in facts.tables.items()
    }
    kept: dict[str, Any] = {
        "companyId": report.company_id,
        "companyName": report.company_name,
        "date": report.date.isoformat(),
        "facts": facts.values,
        "tables": tables,
        "problem": facts.problem,
        "prose": report.prose,
        "rung": report.rung,
        "isDegraded": report.is_degraded,
        "isLate": report.is_late,
        "notes": report.notes,
        "stableId": report.stable_id,
        "generatedAt": plain(report.generated_at),
    }
    # Facts are plain already, and to make them so once more took longer than to write them. What strangers
    # wrote beside them may hold half a character, which has no form in JSON.
    try:
        return to_pretty_json(kept) + b"\n"
    except TypeError:
        return to_pretty_json(plain(kept)) + b"\n"


def _grid(title: str, table: Table) -> Grid:
    columns = table.columns[:MOST_COLUMNS]
    rows = table.rows[:MOST_ROWS]
    values = [[row[place] for row in rows] for place in range(len(columns))]
    return Grid(
        title=words(title, LONGEST_TITLE),
        columns=tuple(label(name) for name in columns),
        are_numbers=tuple(map(_are_numbers, values)),
        rows=tuple(zip(*map(column, values), strict=True)),
        more=len(table.rows) - len(rows),
    )


def _are_numbers(values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(map(is_number, there))


def _placed(row: Sequence[str], widths: Sequence[int], are_numbers: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(row, widths, are_numbers, strict=True)
    ]


def _longest(text: str) -> int:
    return max(map(len, text.split()), default=0)

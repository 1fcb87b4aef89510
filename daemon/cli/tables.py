"""Tables for people: aligned, as wide as the terminal and no wider, with nothing in them that moves it."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GAP = "  "
NARROWEST = 8  # a cut column keeps at least so much
Style = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its title, where its cells stand, and whether they may be cut."""

    title: str
    is_right: bool = False
    may_be_cut: bool = False
    most: int | None = None  # wider cells are cut in any case: one long title would drive the rest apart
    style: Style | None = None  # what is done to a cell once it has its width: colours


def render(columns: Sequence[Column], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Make a table. With a width, the widest columns that may be cut give way until it fits."""
    cells = [[_cell(cell, column) for cell, column in zip(row, columns, strict=True)] for row in rows]
    widths = [
        max(map(display_width, [column.title, *(row[at] for row in cells)]))
        for at, column in enumerate(columns)
    ]
    if width is not None:
        _narrow(widths, columns, width)
    lines = [_line([column.title for column in columns], columns, widths, is_title=True)]
    lines += [_line(row, columns, widths) for row in cells]
    return "\n".join(lines)


def clean(value: object) -> str:
    """A cell's text on one line: no control characters, no marks that turn the reading direction."""
    text = "-" if value is None else str(value)
    flat = " ".join(text.split())
    return flat if flat.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in flat)


def display_width(text: str) -> int:
    """How many places a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_places, text))


def cut(text: str, width: int) -> str:
    """A text of at most so many places; what is cut off is told by an ellipsis."""
    if display_width(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        if used + _places(char) > width - 1:
            break
        kept.append(char)
        used += _places(char)
    return "".join(kept).rstrip() + "…"


def _cell(value: object, column: Column) -> str:
    text = clean(value)
    return text if column.most is None else cut(text, column.most)


def _places(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _narrow(widths: list[int], columns: Sequence[Column], width: int) -> None:
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0:
        wide = [at for at, it in enumerate(columns) if it.may_be_cut and widths[at] > NARROWEST]
        if not wide:
            return
        widths[max(wide, key=lambda at: widths[at])] -= 1
        excess -= 1


def _line(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], *, is_title: bool = False
) -> str:
    shown = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        text = cut(cell, width)
        padding = " " * (width - display_width(text))
        dressed = column.style(text) if column.style is not None and not is_title else text
        shown.append(padding + dressed if column.is_right else dressed + padding)
    return GAP.join(shown).rstrip()

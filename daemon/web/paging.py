"""Lists page by page: where the next one begins, and how many rows there are in all."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.config.problems import quoted
from daemon.operations import Unfit
from daemon.web.asking import Answer
from daemon.web.query import Param, text


def after(about: str) -> Param:
    """The cursor of a list: what the page before ended with."""
    return text("cursor", f"{about} The header Link of that page has the whole address.")


def page(rows: Sequence[Mapping[str, Any]], limit: int, by: str, total: int | None = None) -> Answer:
    """A page of a list that goes on after the last row's `by`; a full one may be followed by another."""
    return Answer(value=rows, total=total, next=str(rows[-1][by]) if 0 < limit <= len(rows) else None)


def page_at(rows: Sequence[Mapping[str, Any]], limit: int, offset: int, total: int | None) -> Answer:
    """A page of a list whose cursor counts the rows before it."""
    return Answer(value=rows, total=total, next=str(offset + limit) if 0 < limit <= len(rows) else None)


def within(rows: Sequence[Mapping[str, Any]], limit: int, cursor: str | None, by: str) -> Answer:
    """A page of a list that is at hand as a whole.

    Raises:
        Unfit: what the page before ended with is not in the list, or not any more.
    """
    begin = 0
    if cursor is not None:
        begin = next((place + 1 for place, row in enumerate(rows) if row[by] == cursor), 0)
        if begin == 0:
            raise Unfit(f"cursor: {quoted(cursor)} is not in this list, or not any more; leave it out")
    return page(rows[begin : begin + limit], limit, by, len(rows))

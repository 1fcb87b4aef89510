"""Keys as given rows, and the lines of the causal chain."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Protocol

from state.ledger.records import Event, Key
from state.ledger.script import WAITING, Given, Query, Row, Script, given, plain

KEY = (("company_id", "text"), ("date", "date"))
_NOTE = """
INSERT INTO event (date, company_id, at, event, detail)
SELECT date, company_id, at, event, detail FROM noted"""

_HOLD = """
SELECT 1 FROM obligation WHERE (date, company_id) IN (SELECT date, company_id FROM wanted)
ORDER BY date, company_id"""


class Keyed(Protocol):
    """What says which obligation it is about."""

    @property
    def company_id(self) -> str: ...

    @property
    def date(self) -> date: ...


def key_of(row: Row) -> Key:
    """The key a row is about, whichever database answered it."""
    day = row["date"]
    return Key(row["company_id"], date.fromisoformat(day) if isinstance(day, str) else day)


def keys_given(rows: Iterable[Row]) -> Given:
    """The keys of rows, as `wanted`."""
    return wanted(key_of(row) for row in rows)


def wanted(keys: Iterable[Key]) -> Given:
    """Keys as the table `wanted`; each once, in one order, so that two calls never wait for each other."""
    ordered = sorted(set(keys), key=lambda one: (one.date, one.company_id))
    return Given("wanted", KEY, [{"company_id": one.company_id, "date": plain(one.date)} for one in ordered])


def held_still(keys: Iterable[Key]) -> Script[None]:
    """Keep these obligations as they are for the rest of the transaction, always in the same order."""
    yield Query(_HOLD, given=(wanted(keys),), keep=WAITING)


def refused(asked: Iterable[Keyed], kept: Sequence[Row]) -> frozenset[Key]:
    """Which of those asked for were not kept."""
    return frozenset(Key(one.company_id, one.date) for one in asked) - {key_of(row) for row in kept}


def note(rows: Iterable[Row], at: datetime, event: str, detail: Callable[[Row], str | None]) -> Script[None]:
    """Write one line for each row."""
    found = [(key_of(row), detail(row)) for row in rows]
    yield from add_events(
        Event(company_id=key.company_id, date=key.date, at=at, event=event, detail=said)
        for key, said in found
    )


def add_events(events: Iterable[Event]) -> Script[None]:
    """Write lines of the causal chain."""
    lines = given("noted", events, of=Event)
    if lines.rows:
        yield Query(_NOTE, given=(lines,))

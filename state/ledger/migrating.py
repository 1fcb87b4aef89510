"""The numbered steps of the tables, and which of them are still to be taken."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from state.ledger.errors import LedgerError, LedgerTooNew

_NAME = re.compile(r"(\d{4})_\w+\.sql")


class Step(NamedTuple):
    """One numbered file of statements."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


class Taken(NamedTuple):
    """A step as the database remembers it."""

    name: str
    checksum: str


def steps_for(dialect: str) -> list[Step]:
    """All steps that this version knows, in their order."""
    there = files("state.ledger").joinpath("migrations", dialect).iterdir()
    return sorted(
        Step(int(match[1]), file.name, file.read_text("utf-8"))
        for file in there
        if (match := _NAME.fullmatch(file.name))
    )


def steps_to_take(known: Sequence[Step], taken: Mapping[int, Taken]) -> list[Step]:
    """The steps that are still to be taken.

    Raises:
        LedgerTooNew: a newer version has taken steps that this one does not know.
        LedgerError: a step that was taken says something else now.
    """
    by_number = {step.number: step for step in known}
    if unknown := sorted(set(taken) - set(by_number)):
        names = ", ".join(taken[number].name for number in unknown)
        raise LedgerTooNew(
            f"the ledger was brought forward by a newer nightdesk ({names}); install that version again, "
            "nothing was changed"
        )
    for number, one in sorted(taken.items()):
        if by_number[number].checksum != one.checksum:
            raise LedgerError(
                f"{by_number[number].name} is not what the ledger was made by ({one.checksum[:12]}); "
                "install the version that made it, nothing was changed"
            )
    return [step for step in known if step.number not in taken]


def statements(sql: str) -> Iterator[str]:
    """The single statements of a step, for a database that takes one at a time."""
    waiting = ""
    for line in sql.splitlines(keepends=True):
        waiting += line
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""

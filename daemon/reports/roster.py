"""Bring a roster file into the ledger: the good rows in, the bad ones named, and nobody lost by mistake."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import BinaryIO, NamedTuple

from daemon.reports.calendar import joining_date
from daemon.reports.company import company_of, id_of
from daemon.reports.roster_file import Row, read_rows
from state.ledger.base import Ledger
from state.ledger.records import Company, RosterChange

# A roster that loses more of its companies at once is more likely a broken export than the truth.
MOST_DEPARTING = 0.2
ROWS_AT_ONCE = 500
REFUSALS_TOLD = 1000


class Refusal(NamedTuple):
    """A row that was not taken. `line` counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import, or would have."""

    change: RosterChange
    refusals: tuple[Refusal, ...]  # the first of them
    refused: int
    kept: int  # companies whose new row is bad: they stay as they were
    is_shrinking: bool  # too many would leave, and nobody has confirmed it


@dataclass(slots=True)
class Reading:
    """One pass over a roster: which ids came on which line, and what was refused."""

    channels: Collection[str]
    line_of: dict[str, int] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    refused: int = 0
    spoilt: dict[str, None] = field(default_factory=dict)  # ids of refused rows, in their order

    kept: int = 0
    is_torn: bool = False  # something could not even be told apart into fields: whose row it was is unknown

    def take(self, row: Row) -> Company | None:
        """The company of a row; None where it was refused."""
        try:
            return self._company(row)
        except ValueError as error:
            self.refused += 1
            if len(self.refusals) < REFUSALS_TOLD:
                self.refusals.append(Refusal(row.line, str(error)))
            return None

    def _company(self, row: Row) -> Company:
        if row.fields is None:
            self.is_torn = True
            raise ValueError(row.problem)
        named = id_of(row.fields)
        if named in self.line_of:
            raise ValueError(f"id: {named} stands on line {self.line_of[named]} already")
        try:
            company = company_of(row.fields, self.channels)
        except ValueError as error:
            self.spoilt[named] = None
            raise ValueError(f"{named}: {error}") from None
        self.line_of[named] = row.line
        return company


async def import_roster(
    ledger: Ledger,
    file: BinaryIO,
    *,
    source: str,
    channels: Collection[str],
    now: datetime,
    is_confirmed: bool = False,
    is_trial: bool = False,
) -> Imported:
    """Make the roster what an open file says, unless it would lose more than a fifth of its companies.

    `is_confirmed` takes such a loss too; `is_trial` changes nothing in any case.

    Raises:
        RosterUnreadable: no row can be read; nothing is changed.
        OSError: the file failed half-way; nothing is changed.
        LedgerError: nothing is changed, or all of it.
    """
    reading = Reading(channels)
    is_accepted = _judge(is_confirmed)
    change = await ledger.import_companies(
        _batches(ledger, file, reading),
        import_id=uuid.uuid4().hex,
        now=now,
        on=joining_date(now),
        source=source,
        accept=lambda change: not is_trial and is_accepted(change),
    )
    return Imported(
        change=change,
        refusals=tuple(reading.refusals),
        refused=reading.refused,
        kept=reading.kept,
        is_shrinking=not is_accepted(change),
    )


def _judge(is_confirmed: bool) -> Callable[[RosterChange], bool]:
    return lambda change: is_confirmed or change.shrinks_by <= MOST_DEPARTING


async def _batches(ledger: Ledger, file: BinaryIO, reading: Reading) -> AsyncIterator[list[Company]]:
    """The companies of a file, some hundreds at a time; each batch is read and judged beside the loop."""
    rows = read_rows(file)

    def read() -> tuple[list[Company], bool]:
        found = list(islice(rows, ROWS_AT_ONCE))
        companies = [company for row in found if (company := reading.take(row)) is not None]
        return companies, len(found) < ROWS_AT_ONCE

    is_over = False
    while not is_over:
        companies, is_over = await asyncio.to_thread(read)
        if companies:
            yield companies
    async for spared in _spared(ledger, reading):
        reading.kept += len(spared)
        yield spared


async def _spared(ledger: Ledger, reading: Reading) -> AsyncIterator[list[Company]]:
    """Who is on the roster and has only bad rows now: a slip in a row must not cost a company its report.

    Where some of the file could not be told apart, that may be anybody who is not in the rest.
    """
    if not reading.is_torn:
        for named in reading.spoilt:
            company = None if named in reading.line_of else await ledger.company(named)
            if company is not None and company.left_on is None:
                yield [company]
        return
    after = ""
    while page := await ledger.companies(after=after, limit=ROWS_AT_ONCE):
        after = page[-1].id
        if spared := [it for it in page if it.left_on is None and it.id not in reading.line_of]:
            yield spared

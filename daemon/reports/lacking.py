"""Who has no report of a date and should: never planned, too late, failed or unknown."""

from dataclasses import dataclass
from datetime import date, datetime

from daemon.reports.coverage import PAGE, is_overdue
from state.ledger.base import Ledger
from state.ledger.records import DELIVERED, FINAL, Obligation, Status

# Whoever has no report and will not get one by himself, or should have it by now.
WITHOUT = frozenset(Status) - DELIVERED - {Status.EXCUSED}


@dataclass(frozen=True, slots=True)
class Lacking:
    """A company without its report; `obligation` is None where nothing was planned for it."""

    company_id: str
    obligation: Obligation | None = None


async def lacking(ledger: Ledger, on: date, now: datetime, *, after: str = "", limit: int) -> list[Lacking]:
    """A page of them by company, from the one after `after` on; `coverage_of` counts them all.

    Raises:
        LedgerError: the ledger does not answer.
    """
    absent = [Lacking(it) for it in await ledger.missing(on, after=after, limit=limit)]
    found: list[Lacking] = []
    while len(found) < limit and (
        page := await ledger.obligations(on, statuses=WITHOUT, after=after, limit=PAGE)
    ):
        after = page[-1].company_id
        found += [Lacking(it.company_id, it) for it in page if it.status in FINAL or is_overdue(it, now)]
    return sorted(absent + found, key=lambda it: it.company_id)[:limit]

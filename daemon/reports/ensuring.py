"""Have reports be owed that nobody has planned, or that failed: the same wish twice changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from daemon.reports.calendar import Timing, obligation_for
from state.ledger.base import Ledger
from state.ledger.records import Company, Key, Obligation, Status

AGAIN = "ensured: it had failed, and is tried again"
FEW = 200  # companies that are looked up one by one; for more the whole roster is gone through


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensured:
    """What was done."""

    planned: int = 0  # obligations that were not there, excused ones included
    reopened: int = 0  # that had failed


async def ensure(
    ledger: Ledger,
    dates: Collection[date],
    companies: Collection[str] | None = None,
    *,
    timing: Timing,
    now: datetime,
) -> Ensured:
    """Plan what is missing and open again what failed, for some companies or all.

    What is delivered, excused or unknown stays as it is; nothing is sent by this.

    Raises:
        LedgerError: the ledger failed; what was done until then holds, and may be done again.
    """
    wanted = None if companies is None else frozenset(companies)
    versions = await ledger.roster_versions(1)
    version = versions[0].version if versions else 0
    planned = reopened = 0
    for day in sorted(set(dates)):
        planned += await _plan(ledger, day, wanted, timing, version, now)
        reopened += await _reopen(ledger, day, wanted, now)
    return Ensured(planned=planned, reopened=reopened)


async def _plan(
    ledger: Ledger,
    day: date,
    wanted: frozenset[str] | None,
    timing: Timing,
    version: int,
    now: datetime,
) -> int:
    planned = 0
    after = ""
    while missing := await ledger.missing(day, after=after):
        after = missing[-1]
        ids = [it for it in missing if wanted is None or it in wanted]
        known = await _companies(ledger, ids)
        owed = [obligation_for(it, day, timing, roster_version=version, now=now) for it in known]
        if owed:
            planned += await ledger.plan(owed, now)
    return planned


async def _companies(ledger: Ledger, ids: Sequence[str]) -> list[Company]:
    """The companies of a page of ids, which lie close together: read in pages where there are many."""
    if len(ids) <= FEW:
        return [it for name in ids if (it := await ledger.company(name)) is not None]
    wanted, found, after = set(ids), list[Company](), ids[0][:-1]
    while wanted and (page := await ledger.companies(after=after)):
        found += [it for it in page if it.id in wanted]
        wanted -= {it.id for it in page}
        after = page[-1].id
        if after >= ids[-1]:
            break
    return found


async def _reopen(ledger: Ledger, day: date, wanted: frozenset[str] | None, now: datetime) -> int:
    reopened = 0
    after = ""
    while page := await ledger.obligations(day, statuses={Status.FAILED}, after=after):
        after = page[-1].company_id
        keys = keys_of(page, wanted)
        if keys:
            reopened += len(await ledger.reopen(keys, now, AGAIN))
    return reopened


def keys_of(page: Sequence[Obligation], wanted: frozenset[str] | None) -> list[Key]:
    """The keys of those that are wanted."""
    return [one.key for one in page if wanted is None or one.company_id in wanted]

"""Have reports be owed that nobody has planned, or that failed: the same wish twice changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from daemon.reports.asking import plan_asked
from daemon.reports.calendar import DAY, Timing
from daemon.reports.unplanned import plan_missing
from state.ledger.base import Ledger
from state.ledger.records import Company, Key, Obligation, Status

AGAIN = "ensured: it had failed, and is tried again"
BESIDE = 64  # companies read along with those asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensured:
    """What was done."""

    planned: int = 0  # reports that nobody had planned; who is excused lacks none
    reopened: int = 0  # that had failed


async def ensure(
    ledger: Ledger,
    dates: Collection[date],
    companies: Collection[str] | None = None,
    *,
    timing: Timing,
    now: datetime,
    since: datetime | None,
    is_asked: bool = False,
) -> Ensured:
    """Plan what is missing and open again what failed, for some companies or all.

    What is delivered, excused or unknown stays as it is; nothing is sent by this. `since`: the last pass of
    the planner. `is_asked`: a person wants it, and means days too on which a company was not there yet.

    Raises:
        LedgerError: the ledger failed; what was done until then holds, and may be done again.
    """
    wanted = None if companies is None else frozenset(companies)
    planned = await plan_lacking(
        ledger, dates, wanted, timing=timing, now=now, since=since, ahead=DAY, is_asked=is_asked
    )
    reopened = 0
    for day in sorted(set(dates)):
        reopened += await _reopen(ledger, day, wanted, now)
    return Ensured(planned=planned, reopened=reopened)


async def plan_lacking(
    ledger: Ledger,
    dates: Collection[date],
    companies: Collection[str] | None,
    *,
    timing: Timing,
    now: datetime,
    since: datetime | None,
    ahead: timedelta = timedelta(0),
    is_asked: bool,
) -> int:
    """Plan what is missing of dates; how many reports. `ahead`: as `plan_missing`; the rest as `ensure`."""
    planned = 0
    for day in sorted(set(dates)):
        missing = await plan_missing(
            ledger, day, timing, now, since=since, company_ids=companies, ahead=ahead
        )
        planned += len(missing)
    return planned + (await plan_asked(ledger, dates, companies, timing, now) if is_asked else 0)


async def companies_of(ledger: Ledger, ids: Collection[str]) -> dict[str, Company]:
    """The companies of these ids, as far as there are any.

    What is claimed or missing mostly lies side by side in the roster: that is read as one page, and what
    is not in it one by one.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    page = await ledger.companies(after=wanted[0][:-1], limit=len(wanted) + BESIDE)
    found = {it.id: it for it in page if it.id in set(wanted)}
    for name in wanted:
        if name not in found and (one := await ledger.company(name)) is not None:
            found[name] = one
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

"""Who is owed a report and has no obligation written down: the check on the planner, and its stand-in."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from daemon.reports.calendar import Timing, local_date
from daemon.reports.owing import begun, owed_on
from state.ledger.base import Ledger
from state.ledger.records import Company, Obligation, Status

PAGE = 1000


async def plan_missing(
    ledger: Ledger,
    day: date,
    timing: Timing,
    now: datetime,
    *,
    since: datetime | None,
    company_ids: Collection[str] | None = None,
    most: int = 1_000_000,
    ahead: timedelta = timedelta(0),
) -> list[Obligation]:
    """Write what nobody has planned of a date that has begun for the company; what is owed of it.

    `since`: the last pass of the planner. With `ahead` a date is taken that begins by so much later. With
    `most` it ends after about so many; what is left is found by the next call.

    Raises:
        LedgerError: the ledger does not answer; what is written by then stays.
    """
    if not await ledger.count_missing(day):
        return []
    about = await begun(ledger, timing, now, since)
    written: list[Obligation] = []
    after = ""
    while len(written) < most and (page := await _page(ledger, day, after)):
        after = page[-1].id
        owed = [
            owed_on(company, day, about)
            for company in page
            if day <= local_date(company, now) + ahead and (company_ids is None or company.id in company_ids)
        ]
        await ledger.plan(owed, now)
        written += [one for one in owed if one.status is Status.PLANNED]
    return written


async def _page(ledger: Ledger, day: date, after: str) -> list[Company]:
    """A page of those without an obligation. They are few, unless all of them are."""
    ids = await ledger.missing(day, after=after, limit=PAGE)
    if not ids:
        return []
    wanted, found = set(ids), list[Company]()
    while wanted and (page := await ledger.companies(after=after, limit=PAGE, on=day)):
        found += [one for one in page if one.id in wanted]
        wanted -= {one.id for one in page}
        after = page[-1].id
    return found

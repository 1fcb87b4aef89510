"""Owe reports of days from before a company was on the roster, because a person asks for them."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import date, datetime

from daemon.reports.calendar import Timing, joining_date, obligation_for
from state.ledger.base import Ledger
from state.ledger.records import Company, Key, Obligation, RosterVersion, Status
from state.records import replace

# Stands where an emergency's plan would: a report that somebody wants is not superseded by a newer one.
ASKED = "ensure"
PAGE = 1000
DATES_AT_ONCE = 2  # of so many companies at most, to keep what is written at once small


async def plan_asked(
    ledger: Ledger,
    dates: Collection[date],
    company_ids: Collection[str] | None,
    timing: Timing,
    now: datetime,
) -> int:
    """Write reports of days on which the companies of today were not on the roster yet; how many were new.

    They are due at once, and have as long as any report has: their own deadlines passed before anybody
    had promised anything. Days that a company is not served on are left out, as later ones are.

    Raises:
        LedgerError: what was written by then stays; the same call may be made again.
    """
    newest = await _newest_roster(ledger)
    days = sorted(day for day in set(dates) if _may_precede(day, newest))
    if newest is None or not days:
        return 0
    planned = 0
    async for companies in _pages(ledger, company_ids):
        for start in range(0, len(days), DATES_AT_ONCE):
            part = days[start : start + DATES_AT_ONCE]
            owed = [
                one
                for company in companies
                for day in part
                if (one := _asked(company, day, timing, newest.version, now)) is not None
            ]
            planned += await ledger.plan(owed, now) if owed else 0
    return planned


async def count_asked(
    ledger: Ledger, day: date, company_ids: Collection[str] | None, timing: Timing, now: datetime
) -> int:
    """How many reports `plan_asked` would write now. Raises LedgerError: the ledger does not answer."""
    newest = await _newest_roster(ledger)
    if newest is None or not _may_precede(day, newest):
        return 0
    count = 0
    async for companies in _pages(ledger, company_ids):
        asked = [one for one in companies if _asked(one, day, timing, newest.version, now) is not None]
        known = await _known(ledger, asked, day) if asked else frozenset()
        count += sum(one.id not in known for one in asked)
    return count


async def _newest_roster(ledger: Ledger) -> RosterVersion | None:
    versions = await ledger.roster_versions(1)
    return versions[0] if versions else None


def _may_precede(day: date, newest: RosterVersion | None) -> bool:
    """Whether somebody may have joined after a day: it spares reading the whole roster for today's date."""
    return newest is not None and day < joining_date(newest.imported_at)


async def _known(ledger: Ledger, companies: Sequence[Company], day: date) -> frozenset[str]:
    """Which of a page of companies have an obligation."""
    if len(companies) == 1:
        one = await ledger.obligation(Key(companies[0].id, day))
        return frozenset() if one is None else frozenset([one.company_id])
    found, last = set[str](), companies[-1].id
    after = companies[0].id[:-1]
    while after < last and (page := await ledger.obligations(day, after=after)):
        found |= {one.company_id for one in page}
        after = page[-1].company_id
    return frozenset(found)


def _asked(company: Company, day: date, timing: Timing, version: int, now: datetime) -> Obligation | None:
    if company.left_on is not None or company.joined_on is None or day >= company.joined_on:
        return None  # who was there is planned for like everybody
    on_the_day = replace(company, joined_on=day)
    one = obligation_for(on_the_day, day, timing, roster_version=version, now=now)
    if one.status is not Status.PLANNED:
        return None
    return replace(one, due_at=now, deadline_at=now + (one.deadline_at - one.due_at), plan_id=ASKED)


async def _pages(ledger: Ledger, company_ids: Collection[str] | None) -> AsyncIterator[list[Company]]:
    if company_ids is not None:
        for name in company_ids:
            if (company := await ledger.company(name)) is not None:
                yield [company]
        return
    after = ""
    while page := await ledger.companies(after=after, limit=PAGE):
        after = page[-1].id
        yield page

"""How many of those who are owed a report for a date have it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from state.ledger.base import Ledger
from state.ledger.records import DELIVERED, OPEN, Key, Obligation, Status

DAY = timedelta(days=1)
PAGE = 1000
# How far back the newest date is looked for: a short look serves all but a daemon that was long away.
LOOKS = (3, 40, 400)
# No zone is further ahead of UTC than 14 hours, so the newest local date is at most the next one.
AHEAD = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The answer for one date.

    `expected` is `delivered` + `excused` + `unknown` + `failed` + `missing` + what may still come in time.
    """

    date: date
    expected: int  # all obligations, and who is on the roster of the date and has none
    delivered: int  # in time or late, by a model or by the template
    degraded: int  # of the delivered, those whose status says so: in time, by the template
    excused: int
    unknown: int
    failed: int
    missing: int  # expected and without an obligation, or open past the deadline

    @property
    def percent(self) -> float | None:
        """The delivered among those owed: rounded down, so that 100 means all; None where nobody is expected.

        Who is excused is owed nothing; where all are, nothing is lacking.
        """
        if self.expected == 0:
            return None
        owed = self.expected - self.excused
        return 100.0 if owed == 0 else math.floor(10_000 * self.delivered / owed) / 100

    @property
    def pending(self) -> int:
        """How many are open and may still come in time."""
        ended = self.delivered + self.excused + self.unknown + self.failed + self.missing
        return self.expected - ended

    @property
    def lacking(self) -> int:
        """How many should have it by now and have not, or may not have."""
        return self.missing + self.failed + self.unknown

    def as_row(self) -> dict[str, Any]:
        """As the command line and the API answer it."""
        return {
            "date": self.date.isoformat(),
            "expected": self.expected,
            "delivered": self.delivered,
            "degraded": self.degraded,
            "excused": self.excused,
            "unknown": self.unknown,
            "failed": self.failed,
            "missing": self.missing,
            "percent": self.percent,
        }


async def coverage_of(ledger: Ledger, on: date, now: datetime) -> Coverage:
    """Count one date.

    Raises:
        LedgerError: the ledger does not answer.
    """
    return await _covered(ledger, on, (await ledger.counts(on, on)).get(on, {}), now)


async def coverages(ledger: Ledger, until: date, days: int, now: datetime) -> list[Coverage]:
    """Count so many dates up to one, newest first. Raises as `coverage_of` does."""
    return [await coverage_of(ledger, until - back * DAY, now) for back in range(days)]


async def _covered(ledger: Ledger, on: date, counts: Mapping[Status, int], now: datetime) -> Coverage:
    absent = await ledger.count_missing(on)
    overdue = await ledger.count_overdue(on, now) if _open_in(counts) else 0
    return counted(on, counts, absent=absent, overdue=overdue)


def counted(on: date, counts: Mapping[Status, int], *, absent: int, overdue: int) -> Coverage:
    """Put together what was counted: obligations by status, who has none, and what is open too late."""
    return Coverage(
        date=on,
        expected=sum(counts.values()) + absent,
        delivered=sum(counts.get(status, 0) for status in DELIVERED),
        degraded=counts.get(Status.DELIVERED_DEGRADED, 0),
        excused=counts.get(Status.EXCUSED, 0),
        unknown=counts.get(Status.UNKNOWN, 0),
        failed=counts.get(Status.FAILED, 0),
        missing=absent + overdue,
    )


def is_overdue(obligation: Obligation, now: datetime) -> bool:
    """Whether it is open, and should be in its receiver's hands by now."""
    return not obligation.status.is_final and obligation.deadline_at < now


async def newest_date(ledger: Ledger, now: datetime) -> date | None:
    """The newest date of which something has come due; None where nothing has.

    Raises:
        LedgerError: the ledger does not answer.
    """
    found = await _newest_counts(ledger, now)
    return None if found is None else found[0]


async def newest_coverage(ledger: Ledger, now: datetime, zone: str) -> Coverage:
    """Count the newest date of which something has come due; where nothing has, today's in `zone`.

    Raises:
        LedgerError: the ledger does not answer.
    """
    found = await _newest_counts(ledger, now)
    if found is None:
        return await coverage_of(ledger, now.astimezone(ZoneInfo(zone)).date(), now)
    return await _covered(ledger, *found, now)


async def _newest_counts(ledger: Ledger, now: datetime) -> tuple[date, Mapping[Status, int]] | None:
    until = (now + AHEAD).date()
    for days in LOOKS:
        counts = await ledger.counts(until - days * DAY, until)
        for on in sorted(counts, reverse=True):
            if await _has_come_due(ledger, on, counts[on], now):
                return on, counts[on]
    return None


async def _has_come_due(ledger: Ledger, on: date, counts: Mapping[Status, int], now: datetime) -> bool:
    if counts.keys() - {Status.PLANNED, Status.EXCUSED}:
        return True
    open_ones = await ledger.open_before(now, after=Key("", on), limit=1)
    if any(one.date == on for one in open_ones):
        return True
    # Where all are excused, the first one tells: the rest is due within the same day.
    excused = await ledger.obligations(on, statuses=[Status.EXCUSED], limit=1)
    return not _open_in(counts) and any(one.due_at <= now for one in excused)


def _open_in(counts: Mapping[Status, int]) -> bool:
    return any(counts.get(status) for status in OPEN)

"""The ledger in a few sums, for whoever asks often: bounded in time, and however many ask, counted seldom."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.clock import Clock
from daemon.reports.coverage import newest_date
from daemon.reports.recent import Recent
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import DELIVERED, Status

# What somebody who asks has to wait for at the most; Prometheus itself gives up after 10 s.
PATIENCE_S = 2.0
LASTS_S = 5.0
MOST_LOADS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the ledger says of the newest date that is due, and of what is late."""

    statuses: Mapping[Status, int]
    absent: int  # expected for that date, and without an obligation
    overdue: int  # open past its deadline, of any date

    @property
    def ratio(self) -> float | None:
        """The delivered among those owed; None where nobody is expected. Who is excused is owed nothing."""
        expected = sum(self.statuses.values()) + self.absent
        if expected == 0:
            return None
        owed = expected - self.statuses.get(Status.EXCUSED, 0)
        delivered = sum(self.statuses.get(status, 0) for status in DELIVERED)
        return 1.0 if owed == 0 else delivered / owed


def summing(ledger: Ledger, clock: Clock) -> Recent[Sums]:
    """The sums, counted once for all who ask within a moment."""
    return Recent(clock, lambda: sums_of(ledger, clock.now()), lambda: None, lasts_s=LASTS_S)


async def at_once(sums: Recent[Sums]) -> Sums | None:
    """The sums; None where the ledger does not give them in time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await sums.get()
    except (LedgerError, TimeoutError):
        return None


async def sums_of(ledger: Ledger, now: datetime) -> Sums:
    """Count, by sums alone: no answer grows with the number of companies.

    Raises:
        LedgerError: the ledger does not answer.
    """
    loads = await ledger.loads(now, now, limit=MOST_LOADS)
    overdue = sum(it.open for it in loads if it.deadline_at < now)
    on = await newest_date(ledger, now)
    if on is None:
        return Sums(statuses={}, absent=0, overdue=overdue)
    statuses = (await ledger.counts(on, on)).get(on, {})
    return Sums(statuses=statuses, absent=await ledger.count_missing(on), overdue=overdue)

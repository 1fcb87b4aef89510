"""The ledger in a few sums, for whoever asks often: bounded in time, and however many ask, counted seldom."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.clock import Clock
from daemon.reports.coverage import newest_date
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import DELIVERED, Status

# What somebody who asks may have to wait for.
PATIENCE_S = 2.0
AGAIN_S = 5.0
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


class Summing:
    """Keeps the sums for a moment, so that many who ask cost the ledger no more than one."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = asyncio.Lock()
        self._sums: Sums | None = None
        self._asked_s: float | None = None

    async def sums(self) -> Sums | None:
        """The sums, a few seconds old at most; None where the ledger does not answer in time."""
        async with self._lock:
            if self._asked_s is None or self._clock.monotonic() - self._asked_s >= AGAIN_S:
                self._sums = await self._ask()
                self._asked_s = self._clock.monotonic()
            return self._sums

    async def _ask(self) -> Sums | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await sums_of(self._ledger, self._clock.now())
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

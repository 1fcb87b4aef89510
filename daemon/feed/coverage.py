"""Tells whoever listens how the coverage stands, when it has changed."""

import asyncio
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.feed.hub import Hub
from daemon.reports.coverage import Coverage
from daemon.reports.recent import Recent
from state.ledger.errors import LedgerError

EVERY_S = 5.0
SHARE = 50.0  # asking takes up to a fiftieth of the time, however many companies there are
PATIENCE_S = 3.0
IDLE = timedelta(hours=1)


class CoverageFeed:
    """Asks the ledger, only while somebody listens."""

    name = "feed-coverage"

    def __init__(self, coverage: Recent[Coverage] | None, hub: Hub, clock: Clock) -> None:
        self.woken = asyncio.Event()
        self._coverage = coverage
        self._hub = hub
        self._clock = clock
        self._told: Coverage | None = None

    @property
    def percent(self) -> float | None:
        """As it was last heard; None where the ledger did not tell."""
        return None if self._told is None else self._told.percent

    async def step(self) -> datetime:
        """Ask, and tell what is new."""
        coverage = self._coverage
        if coverage is None or not self._hub.count:
            return self._clock.now() + IDLE
        found = await self._asked(coverage)
        if found is not None and found != self._told:
            self._hub.publish("coverage", found.as_row())
        self._told = found
        return self._clock.now() + timedelta(seconds=max(EVERY_S, SHARE * coverage.took_s))

    async def _asked(self, coverage: Recent[Coverage]) -> Coverage | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await coverage.get()
        except (LedgerError, TimeoutError):
            return None

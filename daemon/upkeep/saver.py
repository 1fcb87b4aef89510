"""Keeps the JSON state close behind the database."""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.meters import Meters
from daemon.watch.alerts import Alerts
from state.database import StoreError
from state.records import Severity
from state.snapshot import Snapshot

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 0.8
# A save may take this share of the time: long queues are written less often, up to the longest pause.
SHARE = 0.05
RETRY = timedelta(seconds=1)
IDLE = timedelta(minutes=10)
# On a full disk nobody is kept waiting for a file that cannot be written.
CAUGHT_UP_WITHIN_S = 2.0


class Saver:
    """Writes the JSON state after changes: at most four times a second, at most a second behind."""

    name = "saver"

    def __init__(
        self, snapshot: Snapshot, clock: Clock, alerts: Alerts, meters: Meters | None = None
    ) -> None:
        self.woken = asyncio.Event()
        self.save_s = 0.0  # how long the last save took
        self._snapshot = snapshot
        self._clock = clock
        self._alerts = alerts
        self._meters = meters or Meters()
        self._is_refused = False
        self._saved = asyncio.Event()

    async def caught_up(self) -> None:
        """Return once the file shows all that is true now, or it is clear that it will not soon."""
        goal = self._snapshot.generation
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CAUGHT_UP_WITHIN_S):
                while self._snapshot.saved_generation < goal:
                    self._saved.clear()
                    await self._saved.wait()

    async def step(self) -> datetime:
        """Save if something has changed; then be quiet for a while."""
        now = self._clock.now()
        if not self._snapshot.is_behind:
            return now + IDLE
        began = self._clock.monotonic()
        try:
            await self._snapshot.save(now)
        except (OSError, StoreError) as error:
            await self._refused(error)
            return self._clock.now() + RETRY
        self.save_s = self._clock.monotonic() - began
        self._meters.saving.note(self.save_s)
        self._saved.set()
        await self._accepted()
        await self._clock.sleep(min(max(self.save_s / SHARE, SHORTEST_PAUSE_S), LONGEST_PAUSE_S))
        return self._clock.now()

    async def save_now(self) -> None:
        """Save whatever is not saved yet, for the last time.

        Raises:
            OSError: it cannot be written; what was there is whole.
        """
        if self._snapshot.is_behind:
            await self._snapshot.save(self._clock.now())

    async def _refused(self, error: OSError | StoreError) -> None:
        if not self._is_refused:
            self._is_refused = True
            await self._alerts.fire(
                "state.unsaved",
                severity=Severity.CRITICAL,
                summary=f"the JSON state cannot be written: {getattr(error, 'strerror', None) or error}",
                advice="df -h; the database holds everything, and the file follows once there is room",
            )

    async def _accepted(self) -> None:
        if self._is_refused:
            self._is_refused = False
            await self._alerts.resolve("state.unsaved")

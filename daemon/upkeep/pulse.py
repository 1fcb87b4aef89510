"""Feels the loop's pulse each second: how late it runs, and whether the wall clock was stepped."""

import asyncio
import logging
from collections import deque
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.watch.alerts import Alerts
from state.records import Severity

log = logging.getLogger(__name__)

BEAT = timedelta(seconds=1)
LAG_WARNED_S = 1.0
STEP_TOLD = timedelta(seconds=60)
REMEMBERED = 60  # beats: what is asked once a minute sees the worst of them


class Pulse:
    """Measures what no handler can see: a blocked loop, a suspended machine, a stepped clock."""

    name = "pulse"

    def __init__(self, clock: Clock, alerts: Alerts) -> None:
        self.woken = asyncio.Event()
        self.lag_s = 0.0
        self._lags_s = deque([0.0], maxlen=REMEMBERED)
        self.ticked_at = clock.monotonic()
        self._clock = clock
        self._alerts = alerts
        self._wall = clock.now()

    @property
    def worst_lag_s(self) -> float:
        """The worst of the last minute, in seconds."""
        return max(self._lags_s)

    async def step(self) -> datetime:
        """Take one measure."""
        now, ticked_at = self._clock.now(), self._clock.monotonic()
        passed_s = ticked_at - self.ticked_at
        stepped = (now - self._wall) - timedelta(seconds=passed_s)
        self.lag_s = max(0.0, passed_s - BEAT.total_seconds())
        self._lags_s.append(self.lag_s)
        self.ticked_at, self._wall = ticked_at, now
        if self.lag_s >= LAG_WARNED_S:
            log.warning("loop.lagged", extra={"fields": {"lag_s": round(self.lag_s, 3)}})
        if abs(stepped) >= STEP_TOLD:
            await self._alerts.tell(
                "clock.stepped",
                severity=Severity.WARNING,
                summary=f"the clock was stepped by {stepped.total_seconds():+.0f} s, or the machine slept",
                details={"stepped_s": stepped.total_seconds()},
            )
        await self._alerts.keep_unstored()
        return now + BEAT

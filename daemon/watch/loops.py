"""Looks whether every loop of the daemon still turns: one that has stopped is missed by nobody else."""

import asyncio
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.loops import Tick, Ticks
from daemon.watch.alerts import Alerts
from state.records import Severity

DEAD = "loop.dead"
FAILING = "loop.failing"
LOOK = timedelta(seconds=5)
# A step may take a while, and a busy machine longer; beyond that its work is not being done.
OVERDUE_S = 45.0
CRITICAL_AFTER = 3  # failures in a row


class LoopWatch:
    """Raises `loop.dead` for a loop that is overdue, `loop.failing` for one whose steps fail; ends both."""

    name = "loop-watch"

    def __init__(self, ticks: Ticks, clock: Clock, alerts: Alerts) -> None:
        self.woken = asyncio.Event()
        self._ticks = ticks
        self._clock = clock
        self._alerts = alerts
        self._told: dict[str, int] = {}  # by loop: how many failures were told

    async def step(self) -> datetime:
        """Look at all of them."""
        now_s = self._clock.monotonic()
        open_alerts = {(it.name, it.labels.get("loop", "")) for it in self._alerts.open}
        for name, tick in self._ticks.known.items():
            labels = {"loop": name}
            if now_s - tick.expected_s > OVERDUE_S:
                if (DEAD, name) not in open_alerts:
                    await self._tell_dead(name, now_s - tick.expected_s)
            elif (DEAD, name) in open_alerts:
                await self._alerts.resolve(DEAD, labels)
            if tick.failures > self._told.get(name, 0):
                await self._tell_failing(name, tick)
            elif tick.failures == 0 and (FAILING, name) in open_alerts:
                await self._alerts.resolve(FAILING, labels)
            self._told[name] = tick.failures
        return self._clock.now() + LOOK

    async def _tell_dead(self, name: str, overdue_s: float) -> None:
        await self._alerts.fire(
            DEAD,
            severity=Severity.CRITICAL,
            summary=f"The loop {name} has stopped: what it does is not being done",
            labels={"loop": name},
            details={"overdue_s": round(overdue_s)},
            advice="systemctl restart nightdesk",
        )

    async def _tell_failing(self, name: str, tick: Tick) -> None:
        await self._alerts.fire(
            FAILING,
            severity=Severity.CRITICAL if tick.failures >= CRITICAL_AFTER else Severity.ERROR,
            summary=f"The loop {name} fails at every step, {tick.failures} times in a row by now",
            labels={"loop": name},
            details={"failures": tick.failures},
            advice="grep loop.failed in the log for the reason",
        )

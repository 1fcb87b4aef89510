"""Whether work is taken and somebody would hear of it: what `/readyz` answers, of at most two seconds ago."""

import asyncio
from typing import TYPE_CHECKING

from daemon.config.environment import RECORDS
from daemon.reports.components import LOOP_ALERTS
from state.codec import time_text
from state.database import StoreError

if TYPE_CHECKING:
    from daemon.app import App

CHECKED_NOTE = "readyCheckedAt"
UNSAVED = "state.unsaved"
# Anybody may ask, and each look writes: so one look serves all who ask within this time.
FRESH_S = 2.0
WRITE_S = 3.0


class Readiness:
    """What is lacking, looked up when it is asked for."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._looking = asyncio.Lock()
        self._unwritable: str | None = None
        self._looked_at: float | None = None

    async def lacks(self) -> list[str]:
        """Everything for want of which work is not taken, not begun or not told of; empty when ready."""
        app = self._app
        if not app.is_ready:
            return ["daemon: it is starting or stopping"]
        await self._look()
        found = [] if self._unwritable is None else [f"state: {self._unwritable}"]
        for alert in app.alerts.open:
            if alert.name == UNSAVED:
                found.append(f"state: {alert.summary}")
            elif alert.name in LOOP_ALERTS:
                found.append(f"scheduler: {alert.summary}")
        if self._is_mute():
            found.append("channels: none of those that are configured can be used")
        return found

    async def _look(self) -> None:
        """Write something small, unless that was done just now."""
        clock, store = self._app.clock, self._app.store
        async with self._looking:
            if self._looked_at is not None and clock.monotonic() - self._looked_at < FRESH_S:
                return
            try:
                async with asyncio.timeout(WRITE_S):
                    await store.commit(notes={CHECKED_NOTE: time_text(clock.now())})
                self._unwritable = None
            except TimeoutError:
                self._unwritable = f"nothing could be written within {WRITE_S:g} s"
            except StoreError as error:
                self._unwritable = str(error)
            self._looked_at = clock.monotonic()

    def _is_mute(self) -> bool:
        """Whether there are channels that reach somebody, and none of them can be used."""
        notify, entries = self._app.notify, self._app.config.channels
        found = [
            health
            for name, health in notify.health().items()
            if name in entries and entries[name].type not in RECORDS
        ]
        return bool(found) and all(health.is_down for health in found)

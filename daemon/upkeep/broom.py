"""Takes out what has been kept long enough, a little at a time."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.watch.alerts import Alerts
from state.codec import time_text
from state.records import DeliveryState
from state.store import Change, Store

log = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(hours=1)
ROWS_AT_ONCE = 1000
KEYS_KEPT = timedelta(days=7)
DELIVERIES_KEPT = timedelta(days=35)

# The newest row of `run` stays whatever its age: its number tells how many runs there have been.
OLD_ROWS = {
    "run": "DELETE FROM run WHERE seq IN (SELECT seq FROM run WHERE finished_at < ? AND seq <"
    " (SELECT max(seq) FROM run) ORDER BY seq LIMIT ?)",
    "slot": "DELETE FROM slot WHERE (schedule, slot) IN"
    " (SELECT schedule, slot FROM slot WHERE decided_at < ? LIMIT ?)",
}


class Broom:
    """Keeps the database from growing for ever: runs and slots by the days configured."""

    name = "broom"

    def __init__(self, store: Store, clock: Clock, alerts: Alerts, kept: timedelta) -> None:
        self.woken = asyncio.Event()
        self._store = store
        self._clock = clock
        self._alerts = alerts
        self._kept = kept

    async def step(self) -> datetime:
        """Sweep once."""
        now = self._clock.now()
        before = time_text(now - self._kept)
        for table, statement in OLD_ROWS.items():
            while (gone := await self._store.run(_sweep(statement, before))) > 0:
                log.info("broom.swept", extra={"fields": {"table": table, "rows": gone}})
        change = self._alerts.forget_old(now)
        self._forget_keys(change, now)
        self._forget_deliveries(change, now)
        if change.operations:
            await self._store.commit_change(change)
        return now + SWEEP_EVERY

    def _forget_keys(self, change: Change, now: datetime) -> None:
        for key in self._store.keys.values():
            if key.created_at < now - KEYS_KEPT and key.task_id not in self._store.tasks:
                change.delete(key)

    def _forget_deliveries(self, change: Change, now: datetime) -> None:
        for delivery in self._store.deliveries.values():
            is_settled = delivery.state in (DeliveryState.DELIVERED, DeliveryState.FAILED)
            if is_settled and delivery.created_at < now - DELIVERIES_KEPT:
                change.delete(delivery)


def _sweep(statement: str, before: str) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        return connection.execute(statement, (before, ROWS_AT_ONCE)).rowcount

    return work

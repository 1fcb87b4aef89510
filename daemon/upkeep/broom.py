"""Takes out what has been kept long enough, a little at a time."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.watch.alerts import Alerts
from state.codec import time_text
from state.records import DeliveryState, NoticeState
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
        change = Change()
        self._forget_keys(change, now)
        self._forget_deliveries(change, now)
        self._forget_notices(change, now)
        self._forget_alerts(change, now)
        self._forget_silences(change, now)
        for start in range(0, len(change.operations), ROWS_AT_ONCE):
            part = Change()
            part.operations = change.operations[start : start + ROWS_AT_ONCE]
            await self._store.commit_change(part)
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

    def _forget_notices(self, change: Change, now: datetime) -> None:
        """Those that arrived, after what was tried for them; one that is owed is kept however old."""
        before = now - self._alerts.retention
        notices = self._store.notices.values()
        gone = [it for it in notices if it.delivered_at is not None and it.delivered_at < before]
        names = {it.id for it in gone}
        for delivery in self._store.deliveries.values():
            if delivery.id.removesuffix(f"@{delivery.channel}") in names:
                change.delete(delivery)
        for notice in gone:
            change.delete(notice)

    def _forget_alerts(self, change: Change, now: datetime) -> None:
        """Those that ended long ago, unless a notice of them is still owed; then what was told of them."""
        notices = self._store.notices.values()
        owed = {name for it in notices if it.state is NoticeState.OWED for name in it.alerts}
        old = self._alerts.forget_old(now).operations
        gone = {it.key: it for it in old if it.key not in owed}
        # The alerts first: one whose telling is gone would be told again.
        change.operations += gone.values()
        kept = {it.id for it in self._alerts.known()} - gone.keys()
        for telling in self._store.tellings.values():
            if telling.alert_id not in kept:
                change.delete(telling)

    def _forget_silences(self, change: Change, now: datetime) -> None:
        for silence in self._store.silences.values():
            if silence.ends_at < now - self._alerts.retention:
                change.delete(silence)


def _sweep(statement: str, before: str) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        return connection.execute(statement, (before, ROWS_AT_ONCE)).rowcount

    return work

"""Takes the hourly backups: of the database, and of the ledger where that is a file."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from daemon.clock import Clock
from daemon.watch.alerts import Alerts
from state.backups import BACKUP_EVERY, newest_backup_at, take_backup
from state.database import StoreError
from state.home import Home
from state.ledger.errors import LedgerError
from state.records import Severity

log = logging.getLogger(__name__)

RETRY = timedelta(minutes=5)


class Keeper:
    """Takes a backup an hour, beside the running daemon, and says so when it could not."""

    name = "backups"

    def __init__(
        self, home: Home, clock: Clock, alerts: Alerts, take_ledger: Callable[[datetime], Path] | None = None
    ) -> None:
        self.woken = asyncio.Event()
        self._take_ledger = take_ledger
        self._home = home
        self._clock = clock
        self._alerts = alerts

    async def step(self) -> datetime:
        """Take a backup if the newest is an hour old."""
        now = self._clock.now()
        newest_at = newest_backup_at(self._home)
        # A clock that was stepped back must not keep the next backup away for as long.
        if newest_at is not None and now - BACKUP_EVERY < newest_at <= now:
            return newest_at + BACKUP_EVERY
        try:
            paths = await asyncio.to_thread(self._take, now)
        except (sqlite3.Error, OSError, StoreError, LedgerError) as error:
            await self._alerts.fire(
                "backup.failed",
                severity=Severity.ERROR,
                summary=f"no backup of the database could be taken: {error}",
                advice=f"nightdesk state verify; df -h {self._home.backups}",
            )
            return now + RETRY
        for path in paths:
            log.info("backup.taken", extra={"fields": {"path": str(path)}})
        await self._alerts.resolve("backup.failed")
        return now + BACKUP_EVERY

    def _take(self, now: datetime) -> list[Path]:
        """Both or an error. The ledger goes first: the age of the other says when the next pair is due."""
        ledger = [] if self._take_ledger is None else [self._take_ledger(now)]
        return [*ledger, take_backup(self._home, now)]

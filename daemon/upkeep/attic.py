"""Clears out of the ledger what has been kept long enough."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.config import Config
from daemon.reports.certificates import KEPT
from daemon.reports.closing import clear_oldest
from state.home import Home
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError

log = logging.getLogger(__name__)

CLEAR_EVERY = timedelta(hours=6)
RETRY = timedelta(minutes=30)
# A date of many companies takes some seconds: between two of them others have their turn.
BREATH = timedelta(seconds=1)


class Attic:
    """Deletes obligations, sends and events after 400 days, or after `queue.historyDays` where that is more.

    A date goes only once nothing of it has changed for as long, and it is sealed; its certificate stays.
    """

    name = "attic"

    def __init__(self, ledger: Ledger, home: Home, clock: Clock, config: Callable[[], Config]) -> None:
        self.woken = asyncio.Event()
        self._ledger = ledger
        self._home = home
        self._clock = clock
        self._config = config

    async def step(self) -> datetime:
        """Clear out one date, if there is one that is old enough."""
        now = self._clock.now()
        kept = max(KEPT, timedelta(days=self._config().queue.history_days))
        try:
            gone = await clear_oldest(self._ledger, self._home, kept, now)
        except (LedgerError, OSError) as error:
            log.warning("attic.delayed", extra={"fields": {"error": str(error)}})
            return now + RETRY
        if gone is None:
            return now + CLEAR_EVERY
        log.info("attic.cleared", extra={"fields": {"date": gone.isoformat()}})
        return now + BREATH

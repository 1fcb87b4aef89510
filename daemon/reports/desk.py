"""All parts that see to the daily reports, made and wired together for one open home."""

from collections.abc import Callable

from daemon.clock import Clock
from daemon.config import Config
from daemon.context import Enqueue
from daemon.loops import Periodic
from daemon.reports.coverage import Coverage, newest_coverage
from daemon.reports.forecast import Forecaster
from daemon.reports.links import Links
from daemon.reports.planner import Planner
from daemon.reports.recent import Recent
from daemon.reports.rescue import Rescue
from daemon.reports.sweep import Sweep
from daemon.watch.alerts import Alerts
from state.ledger.base import Ledger
from state.store import Store

COUNTED_S, COUNTED_SHARE = 5.0, 20.0  # counting takes at most a twentieth of the time


class ReportsDesk:
    """Plans, sweeps, forecasts and rescues where reports are configured; watches the links in any case."""

    def __init__(
        self,
        ledger: Ledger | None,
        store: Store,
        alerts: Alerts,
        clock: Clock,
        config: Callable[[], Config],
        *,
        enqueue: Enqueue,
        owner: str,
    ) -> None:
        self._ledger = ledger
        self._config = config
        self.links = Links(clock, alerts)
        self.parts: list[Periodic] = [*self.links.parts]
        self.coverage = None if ledger is None else _coverage(ledger, clock, config)
        self._planner: Planner | None = None
        if ledger is not None:
            self._planner = Planner(ledger, store, alerts, clock, config)
            self.parts += [
                self._planner,
                Sweep(ledger, store, alerts, clock, config, enqueue),
                Forecaster(ledger, alerts, clock),
                Rescue(ledger, store, alerts, clock, config, enqueue, owner),
            ]

    def begin(self) -> None:
        """Watch what the config names; called once the home is open."""
        self.links.adopt(self._config(), self._ledger)

    def adopt(self) -> None:
        """Take the configuration that has come into force."""
        self.links.adopt(self._config(), self._ledger)
        if self._planner is not None:
            self._planner.adopt()

    def roster_changed(self) -> None:
        """Have the planner look at once: what is ahead is brought up to what the roster says now."""
        if self._planner is not None:
            self._planner.wake()

    async def close(self) -> None:
        """Let go of the links."""
        await self.links.close()


def _coverage(ledger: Ledger, clock: Clock, config: Callable[[], Config]) -> Recent[Coverage]:
    """The coverage of the newest date, counted once for all who ask within a moment."""

    async def count() -> Coverage:
        return await newest_coverage(ledger, clock.now(), config().timezone)

    # What comes due or is late changes it too, without a change of the ledger.
    return Recent(
        clock, count, lambda: ledger.changes, lasts_s=COUNTED_S, share=COUNTED_SHARE, serves_old=True
    )

"""What can be asked of the health: how everything is now, and whether what it relies on does its work."""

from datetime import date
from typing import TYPE_CHECKING, Any

from daemon.dispatch.silences import ageing
from daemon.notify.trial import Trial
from daemon.operations.refusals import Unfit
from daemon.reports.completion import review
from daemon.reports.coverage import newest_date
from daemon.reports.health import examine
from daemon.reports.ledger_link import LedgerLink
from daemon.reports.link import Link
from daemon.reports.queues import loads_of, queues_of
from daemon.reports.redis_link import RedisLink
from state.ledger.base import Ledger

if TYPE_CHECKING:
    from daemon.app import App

LINKS = ("redis", "database")


class HealthOperations:
    """One method for each thing that can be asked of the health."""

    def __init__(self, app: "App") -> None:
        self._app = app

    async def now(self, *, deep: bool = False) -> dict[str, Any]:
        """How every component is, measured now; with `deep` every channel is tried too, without a message."""
        silences = ageing(self._app.store.silences.values(), self._app.clock.now())
        return (await examine(self._app, silences, deep=deep)).as_row()

    async def queues(self) -> dict[str, Any]:
        """How full the queue and the ledger are."""
        now = self._app.clock.now()
        found = queues_of(self._app.store.tasks.values(), now)
        return {**found, "ledger": await loads_of(self._app.ledger, now)}

    async def completion(self, on: date | None) -> dict[str, Any]:
        """Whether each delivered report of a date, or of the newest, was kept whole and is the right one.

        Raises:
            Unfit: no reports are configured, or none has come due yet.
            LedgerError: the ledger does not answer.
        """
        ledger = self._ledger
        on = on or await newest_date(ledger, self._app.clock.now())
        if on is None:
            raise Unfit("no report has come due yet, so there is nothing to look at")
        return (await review(ledger, self._app.home.logs, on)).as_row()

    async def check(self, name: str) -> dict[str, Any]:
        """Go through what a link is for, step by step with the time of each.

        Raises:
            Unfit: there is no such link, or the configuration names none.
        """
        link = self._link(name)
        try:
            steps = tuple(await link.steps(self._app.clock))
        finally:
            await link.close()
        return Trial(channel=name, steps=steps).as_row()

    def _link(self, name: str) -> Link:
        """A link of its own: a trial neither waits for the daemon's connections nor breaks them."""
        if name not in LINKS:
            raise Unfit(f'name: "{name}" is no link; known: {", ".join(LINKS)}')
        if name == "redis":
            if self._app.config.redis is None:
                raise Unfit("redis.url is not set, so there is no Redis to try; set it, or REDIS_URL")
            return RedisLink(self._app.config.redis.url)
        return LedgerLink(self._ledger)

    @property
    def _ledger(self) -> Ledger:
        if self._app.ledger is None:
            raise Unfit("no reports are configured, so there is no ledger; add a section `reports`")
        return self._app.ledger

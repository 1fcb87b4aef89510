"""What can be asked of the health: how everything is now, and whether what it relies on does its work."""

from typing import TYPE_CHECKING, Any

from daemon.dispatch.silences import ageing
from daemon.notify.trial import Trial
from daemon.operations.refusals import Unfit
from daemon.reports.health import examine
from daemon.reports.ledger_link import LedgerLink
from daemon.reports.link import Link
from daemon.reports.redis_link import RedisLink

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
        if self._app.ledger is None:
            raise Unfit("no reports are configured, so there is no ledger to try; add a section `reports`")
        return LedgerLink(self._app.ledger)

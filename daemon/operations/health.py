"""What can be asked of the health: how everything is now, and whether what it relies on does its work."""

import asyncio
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from daemon.dispatch.silences import ageing
from daemon.notify.trial import Trial
from daemon.operations.refusals import Unfit
from daemon.operations.runs import RunOperations
from daemon.reports.completion import review
from daemon.reports.coverage import newest_date
from daemon.reports.health import COUNT_S, Health, examine, figures_of
from daemon.reports.ledger_link import LedgerLink
from daemon.reports.link import Link
from daemon.reports.queues import loads_of, queues_of
from daemon.reports.recent import Recent
from daemon.reports.redis_link import RedisLink
from state.database import StoreError
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError

if TYPE_CHECKING:
    from daemon.app import App

LINKS = ("redis", "database")
LOOK_S = 1.0
TRIAL_S = 3.0  # those who run the receivers see every trial
FIGURES_S = 5.0


class HealthOperations:
    """One method for each thing that can be asked of the health."""

    def __init__(self, app: "App", runs: RunOperations) -> None:
        self._app = app
        self._runs = runs
        self._figures = Recent(app.clock, lambda: figures_of(app), self._changes, lasts_s=FIGURES_S)
        self._fared = Recent(app.clock, self._fare, self._changes, lasts_s=FIGURES_S)
        self._looks = {
            deep: Recent(app.clock, partial(self._look, deep=deep), lambda: None, lasts_s=lasts_s, share=0)
            for deep, lasts_s in ((False, LOOK_S), (True, TRIAL_S))
        }

    async def now(self, *, deep: bool = False) -> dict[str, Any]:
        """How every component is, at most a moment ago; with `deep` every channel is tried too.

        However many ask, all is measured once in so many seconds; nothing is sent.
        """
        return await self._looks[deep].get()

    async def _look(self, *, deep: bool) -> dict[str, Any]:
        app = self._app
        silences = ageing(app.store.silences.values(), app.clock.now())
        health = await examine(app, silences, deep=deep, figures=self._figures.get)
        return {**health.as_row(), "successRates": await self._success(health)}

    async def _success(self, health: Health) -> dict[str, Any]:
        """How runs and reports fared of late; null where they cannot be counted now."""
        try:
            runs = await self._runs.success()
        except StoreError:
            runs = None
        try:
            reports = None if health.coverage is None else await self._fared.get()
        except (LedgerError, TimeoutError):
            reports = None
        return {"runs": runs, "reports": reports}

    async def _fare(self) -> dict[str, Any] | None:
        coverage = (await self._figures.get()).coverage
        if coverage is None:
            return None
        async with asyncio.timeout(COUNT_S):
            return await self._runs.report_success(coverage.date)

    def _changes(self) -> object:
        ledger = self._app.ledger
        return None if ledger is None else ledger.changes

    async def queues(self) -> dict[str, Any]:
        """How full the queue and the ledger are."""
        now = self._app.clock.now()
        found = queues_of(self._app.store.tasks.values(), now)
        return {**found, "ledger": await loads_of(self._app.ledger, now)}

    async def completion(self, on: date | None) -> dict[str, Any]:
        """Whether each report of a date, or of the newest, is delivered, was kept whole and is the right one.

        Raises:
            Unfit: no reports are configured, or none has come due yet.
            LedgerError: the ledger does not answer.
        """
        ledger, now = self._ledger, self._app.clock.now()
        on = on or await newest_date(ledger, now)
        if on is None:
            raise Unfit("no report has come due yet, so there is nothing to look at")
        return (await review(ledger, self._app.home.logs, on, now)).as_row()

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

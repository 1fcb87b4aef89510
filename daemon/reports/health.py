"""How everything is, put together: components, coverage, failure rates, figures, and what to do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from daemon.reports.advice import Advice, advised
from daemon.reports.alert_times import AlertTimes, alert_times
from daemon.reports.components import Component, House, State, components_of
from daemon.reports.coverage import Coverage, coverage_of, newest_date
from daemon.reports.kpis import Kpi, kpis
from daemon.reports.patterns import Rates, rates_of
from daemon.watch.alerts import Alerts
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.records import Alert, Severity

SPANS = (7, 30)  # days
WEEK = timedelta(days=7)
COUNT_S = 20.0  # a month of a hundred thousand companies
GRAVE = (Severity.ERROR, Severity.CRITICAL)
# Without these nothing goes out at all.
VITAL = ("state", "scheduler", "ledger", "disk")
OWN = "health."


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found, all of one moment."""

    at: datetime
    components: tuple[Component, ...]
    coverage: Coverage | None = None  # of the newest date of which something has come due
    rates: Mapping[int, Rates] = field(default_factory=dict)  # by days
    kpis: tuple[Kpi, ...] = ()
    grave_alerts: tuple[Alert, ...] = ()
    silences: tuple[str, ...] = ()
    recommendations: tuple[Advice, ...] = ()

    @property
    def channels(self) -> list[Component]:
        return [it for it in self.components if it.name.startswith("channel:")]

    @property
    def status(self) -> State:
        """`down` where nothing goes out, `degraded` where something has to be seen to."""
        if self._down:
            return State.DOWN
        lacks = self.coverage is not None and self.coverage.missing + self.coverage.failed > 0
        if lacks or self.grave_alerts or any(it.is_ailing for it in self.components):
            return State.DEGRADED
        return State.OK

    @property
    def critical(self) -> list[str]:
        """What somebody has to hear of now: nothing goes out, or reports are missing."""
        found = [f"{it.name} is down: {it.detail}" for it in self._down]
        if self.coverage is not None and (lacking := self.coverage.missing + self.coverage.failed):
            found.append(f"{lacking:,} reports of {self.coverage.date.isoformat()} are missing or failed")
        return found

    @property
    def alerts_beside(self) -> list[Alert]:
        """The grave alerts of which no component speaks."""
        told = [it.detail for it in self.components if it.is_ailing]
        return [it for it in self.grave_alerts if not any(it.summary in detail for detail in told)]

    def component(self, name: str) -> Component | None:
        """A component by its name."""
        return next((it for it in self.components if it.name == name), None)

    def as_row(self) -> dict[str, Any]:
        """As the command line and the API answer it."""
        return {
            "status": self.status.value,
            "at": self.at,
            "components": {it.name: it.as_row() for it in self.components},
            "reports": self._reports(),
            "kpis": {it.name: it.as_row() for it in self.kpis},
            "openAlerts": [it.summary for it in self.grave_alerts],
            "silences": list(self.silences),
            "recommendations": [it.as_row() for it in self.recommendations],
        }

    @property
    def _down(self) -> list[Component]:
        """The parts for want of which nothing goes out; of the channels only all of them together are one."""
        down = [it for it in self.components if it.state is State.DOWN]
        is_mute = all(it.state is State.DOWN for it in self.channels)
        return [it for it in down if it.name in VITAL or (is_mute and it in self.channels)]

    def _reports(self) -> dict[str, Any] | None:
        if self.coverage is None:
            return None
        rates = {f"days{days}": rates.as_row() for days, rates in self.rates.items()}
        return {**self.coverage.as_row(), "failures": rates}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is counted over days; it costs more than asking the components, and changes less."""

    coverage: Coverage | None = None
    rates: Mapping[int, Rates] = field(default_factory=dict)
    times: AlertTimes | None = None


async def examine(
    house: House,
    silences: Sequence[str] = (),
    *,
    deep: bool = False,
    figures: Callable[[], Awaitable[Figures]] | None = None,
) -> Health:
    """Measure everything now; with `deep` every channel is tried too. Raises nothing of what it finds.

    `silences` are those in force, a line each; `figures` gives those that may be a moment old.
    """
    now = house.clock.now()
    components = await components_of(house, deep=deep)
    # One that has just not answered would take as long again to say so.
    is_away = any(it.name == "ledger" and it.state is State.DOWN for it in components)
    found = await _without_reports(house) if is_away else await _figured(house, figures)
    health = Health(
        at=now,
        components=tuple(components),
        coverage=found.coverage,
        rates=found.rates,
        kpis=tuple(kpis(found.coverage, found.rates.get(7), found.times)),
        grave_alerts=tuple(_grave(house.alerts)),
        silences=tuple(silences),
    )
    return replace(health, recommendations=tuple(advised(health)))


async def figures_of(house: House) -> Figures:
    """Count what is counted over days.

    Raises:
        LedgerError: the ledger does not answer.
        TimeoutError: not in time.
    """
    now, ledger = house.clock.now(), house.ledger
    times = await _alert_times(house, now)
    async with asyncio.timeout(COUNT_S):
        on = None if ledger is None else await newest_date(ledger, now)
        if ledger is None or on is None:
            return Figures(times=times)
        coverage = await coverage_of(ledger, on, now)
        return Figures(coverage=coverage, rates=await _rates(ledger, on, SPANS), times=times)


async def _figured(house: House, figures: Callable[[], Awaitable[Figures]] | None) -> Figures:
    """The figures; none where there is no ledger that answers: its component says why."""
    try:
        return await (figures_of(house) if figures is None else figures())
    except (LedgerError, TimeoutError):
        return await _without_reports(house)


async def _without_reports(house: House) -> Figures:
    return Figures(times=await _alert_times(house, house.clock.now()))


async def _rates(ledger: Ledger, until: date, spans: Sequence[int]) -> dict[int, Rates]:
    """Each span by a question of its own: what a long one leaves out would be its newest dates."""
    return {
        days: rates_of(await ledger.tallies(until - timedelta(days=days - 1), until), days) for days in spans
    }


def _grave(alerts: Alerts) -> list[Alert]:
    """What is open and grave, but for what an earlier health report said."""
    return [it for it in alerts.open if it.severity in GRAVE and not it.name.startswith(OWN)]


async def _alert_times(house: House, now: datetime) -> AlertTimes | None:
    try:
        return await asyncio.to_thread(alert_times, house.home.alert_log, now, WEEK)
    except OSError:
        return None  # the figures that need it are left without a value

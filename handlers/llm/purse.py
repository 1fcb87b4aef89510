"""What may be spent on language models in one day (UTC), and what has been; kept over restarts."""

import logging
from datetime import date

from daemon.clock import Clock
from daemon.reports import costs
from daemon.watch.alerts import Alerts
from state.codec import NotJson, from_json, to_json
from state.database import StoreError
from state.records import Severity
from state.store import Store

log = logging.getLogger(__name__)

ALERT = "llm.budget-spent"
NOTE = "llm.spent"


class Purse:
    """Counts what providers cost. Without a budget there is always enough.

    What is asked at the same moment is known only when it is answered: the last few reports may take a
    day beyond its budget, as many as there are places.
    """

    def __init__(self, budget_usd: float | None, store: Store, alerts: Alerts, clock: Clock) -> None:
        self._budget_usd = budget_usd
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._day, self._spent_usd = _read(store.note(NOTE), clock.now().date())
        self._costs = costs.read(store.note(costs.NOTE))

    @property
    def spent_usd(self) -> float:
        """What the present day has cost so far."""
        return self._spent_usd if self._day == self._today else 0.0

    @property
    def is_empty(self) -> bool:
        return self._budget_usd is not None and self.spent_usd >= self._budget_usd

    async def spend(self, cost_usd: float) -> None:
        """Count what one report has cost; say so once a day when it was the last that may."""
        was_empty = self.is_empty
        if self._day != self._today:
            await self._alerts.resolve(ALERT)
        if cost_usd <= 0:
            return
        self._costs = costs.with_one(self._costs, self._today, cost_usd)
        self._spent_usd = self.spent_usd + cost_usd
        self._day = self._today
        await self._keep()
        if self.is_empty and not was_empty:
            await self._alert()

    async def _alert(self) -> None:
        await self._alerts.fire(
            ALERT,
            severity=Severity.WARNING,
            summary=f"The language models have cost {self.spent_usd:.2f} USD today; no more are asked",
            labels={},
            details={"spent": round(self.spent_usd, 4), "budget": self._budget_usd},
            advice="Reports go out by the template until midnight UTC; llm.dailyBudget sets the limit",
        )

    async def _keep(self) -> None:
        try:
            body = {"day": self._day.isoformat(), "usd": self._spent_usd}
            notes = {NOTE: to_json(body).decode(), costs.NOTE: costs.written(self._costs)}
            await self._store.commit(notes=notes)
        except StoreError as error:
            # It is counted here all the same; a restart now would begin the day anew.
            log.error("llm.spent-unstored", extra={"fields": {"error": str(error)}})  # noqa: TRY400

    @property
    def _today(self) -> date:
        return self._clock.now().date()


def _read(note: str | None, today: date) -> tuple[date, float]:
    try:
        body = from_json(note or "null")
        return date.fromisoformat(body["day"]), max(0.0, float(body["usd"]))
    except (NotJson, KeyError, ValueError, TypeError):
        return today, 0.0

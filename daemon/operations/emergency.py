"""What can be asked in an emergency: reports that have to be there, for one company or for all."""

import asyncio
import contextlib
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from daemon.config.problems import quoted
from daemon.engine.queue import Accepted
from daemon.operations.companies import need_anybody
from daemon.operations.refusals import Unfit, Unknown, fit_key, fit_person, fit_reason
from daemon.reports import costs
from daemon.reports.calendar import timing_of
from daemon.reports.emergency import NothingCalled, PlanRefused, Wish, draw_up, plan_row
from daemon.reports.rescue import Rescue
from state.ledger.base import Ledger
from state.ledger.records import AuditEntry, Plan, PlanState

if TYPE_CHECKING:
    from daemon.app import App

EVERYBODY = "all companies"
# Without the daemon a plan is taken so many steps far at most: canary, the rest, and what was retried.
MOST_STEPS = 20
BEGIN_S = 3.0


class EmergencyOperations:
    """One method for each thing that can be asked."""

    def __init__(self, app: "App") -> None:
        self._app = app

    async def trigger(
        self,
        *,
        reason: str,
        owner: str,
        company_id: str | None = None,
        day: date | None = None,
        delay_minutes: float = 0,
        is_dry: bool = False,
        force_of: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Plan that reports be there, and begin where there is no delay; the same wish twice is one plan.

        A dry run keeps no plan, and its answer has no id. Every call is noted in the audit.

        Raises:
            Unfit: the reason, the date, the delay or the plan to force makes no sense; or it is for all,
                and nobody is on the roster.
            Unknown: there is no such company.
            LedgerError: nothing was promised.
        """
        ledger, now = self._ledger, self._app.clock.now()
        wish = Wish(
            reason=fit_reason(reason, "this was triggered"),
            owner=fit_person("owner", owner),
            company_id=company_id,
            day=day,
            delay=timedelta(minutes=delay_minutes),
            force_of=force_of,
            key=fit_key(key) or "",
        )
        if company_id is None:
            await need_anybody(ledger)
        try:
            timing = timing_of(self._app.config)
            plan = await draw_up(ledger, wish, timing, now, usd_each=self._usd_each())
        except NothingCalled as error:
            raise Unknown(str(error)) from None
        except PlanRefused as error:
            raise Unfit(str(error)) from None
        if is_dry:
            await self._note("emergency.dry-run", wish, plan, is_new=False)
            return {**plan_row(plan), "planId": None}
        kept, is_new = await ledger.put_plan(plan)
        await self._note("emergency.trigger", wish, kept, is_new=is_new)
        await self._begin()
        return {**plan_row(await self._known(kept.id)), "duplicate": not is_new}

    async def drive(self, plan_id: str) -> dict[str, Any]:
        """Carry a plan out here and now, where no daemon does it; how far it has come.

        Raises:
            Unknown: there is no such plan.
            LedgerError: the ledger does not answer.
        """
        app = self._app
        rescue = Rescue(
            self._ledger, app.store, app.alerts, app.clock, lambda: app.config, self._run, app.owner
        )
        plan = await self._known(plan_id)
        for _ in range(MOST_STEPS):
            before = plan
            await rescue.step()
            plan = await self._known(plan_id)
            # What did not change is waiting for a time that the daemon is there to see.
            if plan.state.is_final or plan == before:
                break
        await self._ledger.yield_lead("emergency", app.owner, app.clock.now())
        return plan_row(plan)

    async def show(self, plan_id: str) -> dict[str, Any]:
        """A plan, and how far it is. Unknown: there is no such plan."""
        return plan_row(await self._known(plan_id))

    async def cancel(self, plan_id: str, by: str) -> dict[str, Any]:
        """Give up a plan that has not begun; one that was cancelled before stays so.

        Raises:
            Unknown: there is no such plan.
            Unfit: it has begun.
        """
        who, now = fit_person("by", by), self._app.clock.now()
        plan = await self._ledger.move_plan(plan_id, [PlanState.WAITING], PlanState.CANCELLED, now)
        if plan is None:
            plan = await self._known(plan_id)
            if plan.state is not PlanState.CANCELLED:
                raise Unfit(f"plan {plan_id} is {plan.state.value}; only one that waits can be cancelled")
        subject = EVERYBODY if plan.scope is None else ", ".join(plan.scope)
        await self._ledger.add_audit(
            AuditEntry(
                at=now, actor=who, action="emergency.cancel", subject=subject, detail={"planId": plan_id}
            )
        )
        return plan_row(plan)

    def _usd_each(self) -> float | None:
        """What one report costs, going by the last days; nothing where no model is asked."""
        if not self._app.config.llm.providers:
            return 0.0
        return costs.mean_usd(costs.read(self._app.store.note(costs.NOTE)), self._app.clock.now().date())

    async def _begin(self) -> None:
        """Have the daemon take the plan on, and wait a moment, so that the answer can name the task."""
        if not self._app.is_ready or (rescue := self._rescue) is None:
            return
        with contextlib.suppress(TimeoutError):
            # Cut off it is no worse than a crash: the plan is kept, and the next step goes on.
            async with asyncio.timeout(BEGIN_S):
                await rescue.step()
        rescue.woken.set()

    async def _run(self, handler: str, args: dict[str, Any], **about: Any) -> Accepted:
        task, is_duplicate = await self._app.run_once(handler, args, about.get("key"))
        return Accepted(task, is_duplicate)

    async def _note(self, action: str, wish: Wish, plan: Plan, *, is_new: bool) -> None:
        await self._ledger.add_audit(
            AuditEntry(
                at=self._app.clock.now(),
                actor=wish.owner,
                action=action,
                subject=wish.company_id or EVERYBODY,
                reason=wish.reason,
                detail={
                    "planId": None if action == "emergency.dry-run" else plan.id,
                    "isNew": is_new,
                    "dates": [day.isoformat() for day in plan.dates],
                    "forceOf": wish.force_of,
                    "delayMinutes": wish.delay.total_seconds() / 60,
                },
            )
        )

    async def _known(self, plan_id: str) -> Plan:
        plan = await self._ledger.plan_of(plan_id)
        if plan is None:
            raise Unknown(f"there is no plan {quoted(plan_id)}; the answer of its trigger has the id")
        return plan

    @property
    def _ledger(self) -> Ledger:
        if self._app.ledger is None:
            raise Unfit('no reports are configured; a section "reports" in the configuration does it')
        return self._app.ledger

    @property
    def _rescue(self) -> Rescue | None:
        """The part of the daemon that carries plans out."""
        return next((it for it in self._app.parts if isinstance(it, Rescue)), None)

"""Carries emergency plans out: a few first, then the rest. It goes on wherever a crash has cut it off."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from daemon.clock import Clock
from daemon.config import Config
from daemon.context import Enqueue
from daemon.engine.queue import QueueFull
from daemon.reports.calendar import timing_of
from daemon.reports.emergency import (
    RUN,
    SENT_AGAIN,
    Verdict,
    canaries,
    concerned,
    judge,
    rows_of,
)
from daemon.reports.ensuring import plan_lacking
from daemon.reports.owing import last_pass
from daemon.reports.sweep import ATTEMPTS, WRITE_REPORTS
from daemon.watch.alerts import Alerts
from state.codec import parse_time, time_text
from state.database import StoreError
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import DELIVERED, Key, Obligation, Plan, PlanState, Status
from state.records import Lane, Severity, Trigger
from state.store import Store

log = logging.getLogger(__name__)

STOPPED = "plan.stopped"
LOOK_EVERY = timedelta(seconds=30)  # for plans that another process has made
STEP_EVERY = timedelta(seconds=5)  # while one is being carried out
LEAD = "emergency"
LEAD_FOR = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(days=1)
UNDER_WAY = (PlanState.CANARY, PlanState.RUNNING)


class Rescue:
    """Moves each plan through its states: waiting, canary, running, done. One process at a time does."""

    name = "report-rescue"

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        alerts: Alerts,
        clock: Clock,
        config: Callable[[], Config],
        enqueue: Enqueue,
        owner: str,
    ) -> None:
        self.woken = asyncio.Event()
        self._ledger = ledger
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._config = config
        self._enqueue = enqueue
        self._owner = owner
        self._lock = asyncio.Lock()

    async def step(self) -> datetime:
        """Take every plan as far as it goes now."""
        async with self._lock:
            now = self._clock.now()
            try:
                return await self._step(now)
            except (LedgerError, QueueFull, StoreError) as error:
                log.warning("rescue.delayed", extra={"fields": {"error": str(error)}})
                return now + LOOK_EVERY

    async def _step(self, now: datetime) -> datetime:
        plans = await self._ledger.plans(states=[PlanState.WAITING, *UNDER_WAY])
        later = [it.starts_at for it in plans if it.state is PlanState.WAITING and it.starts_at > now]
        ripe = [it for it in reversed(plans) if it.state in UNDER_WAY or it.starts_at <= now]
        if ripe and await self._ledger.lead(LEAD, self._owner, now, LEAD_FOR) is not None:
            for plan in ripe:
                await self._take_on(plan, now)
        return min([now + (STEP_EVERY if ripe else LOOK_EVERY), *later])

    async def _take_on(self, plan: Plan, now: datetime) -> None:
        """Each state that is over leads at once into the next."""
        taken = await self._begin(plan, now) if plan.state is PlanState.WAITING else plan
        if taken is not None and taken.state is PlanState.CANARY:
            taken = await self._try_canary(taken, now)
        if taken is not None and taken.state is PlanState.RUNNING:
            await self._run(taken, now)

    async def _begin(self, plan: Plan, now: datetime) -> Plan | None:
        timing, since = timing_of(self._config()), last_pass(self._store)
        await plan_lacking(
            self._ledger, plan.dates, plan.scope, timing=timing, now=now, since=since, is_asked=True
        )
        await self._ledger.mark_due(now)
        first = await self._canary_of(plan, now)
        run = {"startedAt": time_text(now), "canary": {it.company_id: it.attempts for it in first}}
        to = PlanState.CANARY if first else PlanState.RUNNING
        return await self._move(plan, to, now, run)

    async def _canary_of(self, plan: Plan, now: datetime) -> list[Obligation]:
        """The first few that can be worked on now, among all that are concerned."""
        first, total = list[Obligation](), 0
        async for page in rows_of(self._ledger, plan, concerned(plan)):
            total += len(page)
            first += [it for it in page if _is_ready(it, now)][: canaries(total) - len(first)]
        return first

    async def _try_canary(self, plan: Plan, now: datetime) -> Plan | None:
        run = plan.counts[RUN]
        keys = [Key(one, day) for one in run["canary"] for day in plan.dates]
        await self._open(plan, await self._read(keys), now)
        rows = await self._read(keys)
        verdict = judge(rows, run["canary"], parse_time(run["startedAt"]), now)
        if verdict is Verdict.GO_ON:
            return await self._move(plan, PlanState.RUNNING, now, {})
        if verdict is Verdict.STOP:
            await self._stop(plan, rows, now)
        elif any(_is_ready(it, now) for it in rows):
            await self._have_written(plan, now)
        return None

    async def _stop(self, plan: Plan, rows: Sequence[Obligation], now: datetime) -> None:
        # The alert first: a crash in between tells it twice, the other way round it would be told never.
        good = sum(it.status in DELIVERED for it in rows)
        error = next((it.error for it in rows if it.error and it.status not in DELIVERED), None)
        await self._alerts.fire(
            STOPPED,
            severity=Severity.ERROR,
            summary=f"the emergency plan {plan.id} has stopped: of its first {len(rows)} reports only"
            f" {good} were delivered",
            labels={"plan": plan.id},
            details={"reason": plan.reason, "owner": plan.owner, "delivered": good, "error": error},
            advice=f"nightdesk emergency show {plan.id}; nightdesk test channels",
        )
        await self._move(plan, PlanState.STOPPED, now, {})

    async def _run(self, plan: Plan, now: datetime) -> None:
        if not plan.counts[RUN].get("isOpen"):
            async for page in rows_of(self._ledger, plan, concerned(plan)):
                await self._open(plan, page, now)
            opened = await self._move(plan, PlanState.RUNNING, now, {"isOpen": True})
            if opened is None:
                return
            plan = opened
        if self._is_at_work(plan):
            return
        outcome, is_ready = await self._so_far(plan, now)
        started_at = parse_time(plan.counts[RUN]["startedAt"])
        if outcome["open"] == 0 or now - started_at >= GIVE_UP_AFTER:
            await self._move(plan, PlanState.DONE, now, {}, {"outcome": outcome})
            log.info("plan.done", extra={"fields": {"plan": plan.id, **outcome}})
        elif is_ready:
            await self._have_written(plan, now)

    async def _so_far(self, plan: Plan, now: datetime) -> tuple[dict[str, int], bool]:
        """How the reports of a plan stand, and whether any of them can be worked on now."""
        outcome = {"delivered": 0, "failed": 0, "unknown": 0, "excused": 0, "open": 0}
        is_ready = False
        async for page in rows_of(self._ledger, plan):
            for one in page:
                if one.plan_id == plan.id and one.due_at <= now:
                    outcome[_told_as(one.status)] += 1
                    is_ready = is_ready or (not one.status.is_final and _is_ready(one, now))
        return outcome, is_ready

    async def _open(self, plan: Plan, rows: Sequence[Obligation], now: datetime) -> None:
        """Put rows under the plan; what it has touched before is left alone, however it stands by now."""
        fresh = [it for it in rows if it.plan_id != plan.id and it.due_at <= now]
        why = f"emergency {plan.id} by {plan.owner}: {plan.reason}"
        if plan.force_of is not None:
            again = {it.key for it in fresh if _is_forced(it, plan)}
            await self._ledger.force(again, plan.id, now, why)
        else:
            await self._ledger.reopen({it.key for it in fresh if it.status is Status.FAILED}, now, why)
        for day in {it.date for it in fresh}:
            await self._ledger.bind_plan(plan.id, [day], [it.company_id for it in fresh if it.date == day])

    async def _have_written(self, plan: Plan, now: datetime) -> None:
        if self._is_at_work(plan):
            return
        dates = [day.isoformat() for day in plan.dates]
        accepted = await self._enqueue(
            WRITE_REPORTS,
            {"dates": dates, "planId": plan.id, "why": "emergency"},
            key=f"{plan.id}-{plan.state.value}-{now:%Y%m%dT%H%M%S}",
            trigger=Trigger.MANUAL,
            max_attempts=ATTEMPTS,
            lane=Lane.CATCH_UP,
        )
        await self._move(plan, plan.state, now, {"taskId": accepted.task.id})

    def _is_at_work(self, plan: Plan) -> bool:
        return any(
            task.handler == WRITE_REPORTS and task.args.get("planId") == plan.id
            for task in self._store.tasks.values()
        )

    async def _move(
        self,
        plan: Plan,
        to: PlanState,
        now: datetime,
        run: dict[str, Any],
        counts: dict[str, Any] | None = None,
    ) -> Plan | None:
        known = {**plan.counts, **(counts or {}), RUN: {**plan.counts.get(RUN, {}), **run}}
        moved = await self._ledger.move_plan(plan.id, [plan.state], to, now, known)
        if moved is not None and moved.state is not plan.state:
            log.info("plan.moved", extra={"fields": {"plan": plan.id, "state": moved.state.value}})
        return moved

    async def _read(self, keys: Sequence[Key]) -> list[Obligation]:
        found = [await self._ledger.obligation(key) for key in keys]
        return [one for one in found if one is not None]


def _is_ready(one: Obligation, now: datetime) -> bool:
    """Whether a writer would be handed it now, or would be once it is opened."""
    if one.due_at > now:
        return False
    if one.status.is_final:
        return True
    if one.lease_expires_at is not None and one.lease_expires_at > now:
        return False
    return one.retry_at is None or one.retry_at <= now


def _is_forced(one: Obligation, plan: Plan) -> bool:
    """Whether it is to be sent again: what arrived after the plan was made, nobody has asked for twice."""
    if one.status not in SENT_AGAIN | {Status.FAILED}:
        return False
    return one.delivered_at is None or one.delivered_at <= plan.created_at


def _told_as(status: Status) -> str:
    if status in DELIVERED:
        return "delivered"
    return status.value if status.is_final else "open"

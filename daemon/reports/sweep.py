"""The backup scheduler: each minute, whatever the schedules do, see what is owed and have it written."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from daemon.clock import Clock
from daemon.config import Config
from daemon.context import Enqueue
from daemon.engine.queue import QueueFull
from daemon.reports.calendar import DAILY_REPORTS, DAY, timing_of
from daemon.reports.owing import last_pass
from daemon.reports.unplanned import plan_missing
from daemon.watch.alerts import Alerts
from state.database import StoreError
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Key, Obligation, Status
from state.records import Lane, Severity, Task, TaskState, Trigger
from state.store import Store

log = logging.getLogger(__name__)

WRITE_REPORTS = "write-reports"
REPORT_HANDLERS = frozenset({DAILY_REPORTS, WRITE_REPORTS, "backup-reports"})
SWEEP_EVERY = timedelta(minutes=1)
RETRY = timedelta(seconds=15)  # the ledger or the queue is away
# What has just come due is left to the primary, where that is at work.
GRACE = timedelta(minutes=2)
# By then the primary should have begun: stepping in is worth a word.
LATE_AFTER = timedelta(minutes=10)
# A task that has run for so long while nothing was delivered is no reason to wait.
HANGS_AFTER = timedelta(minutes=30)
ATTEMPTS = 3
CLEAN_FOR = timedelta(days=1)
FURTHEST_EAST = timedelta(hours=14)  # of UTC, that any zone is
PAGE = 1000
PAGES = 10  # of open obligations that are looked at in a step; there are more only while they are worked off
MOST_PLANNED = 20_000  # in a step, which must not look as if it hung
NAMED = 5
INTERVENED = "backup.intervened"
MISSED = "coverage.missed"
STUCK = "report.stuck"


class Why(StrEnum):
    """Why an obligation is taken up by the sweep."""

    DUE = "due"  # in the ordinary way: its time has come
    LATE = "late"  # its time came long ago and nobody has begun
    FAILED = "failed"  # an attempt failed, and it is time for the next
    STUCK = "stuck"  # whoever had it went away
    MISSING = "missing"  # nobody had planned it

    @property
    def is_intervention(self) -> bool:
        """Whether the primary should have done it."""
        return self is not Why.DUE


def why_of(one: Obligation, now: datetime, *, is_primary_busy: bool) -> Why | None:
    """Why an open obligation wants to be taken up; None while it does not.

    `is_primary_busy`: somebody is at work on reports, and what waits will have its turn.
    """
    if one.status in (Status.LEASED, Status.PRODUCED, Status.SENT):
        is_held = one.lease_expires_at is not None and one.lease_expires_at > now
        return None if is_held else Why.STUCK
    if one.status.is_final or one.due_at > now or (one.retry_at is not None and one.retry_at > now):
        return None
    waited = now - max(one.due_at, one.planned_at or one.due_at, one.retry_at or one.due_at)
    if is_primary_busy and waited < GRACE:
        return None
    if one.attempts:
        return Why.FAILED
    return Why.LATE if waited >= LATE_AFTER and not is_primary_busy else Why.DUE


@dataclass(slots=True)
class Found:
    """What a look at the ledger has found."""

    wanted: Counter[Why] = field(default_factory=Counter)
    first: dict[Why, str] = field(default_factory=dict)  # one company each, for the alert
    dates: set[date] = field(default_factory=set)
    overdue: dict[date, list[str]] = field(default_factory=dict)  # open past their deadline
    is_all: bool = True
    is_moving: bool = True  # something was delivered lately

    def note(self, one: Obligation, now: datetime, why: Why | None) -> None:
        """Count one that is open."""
        if one.deadline_at < now:
            self.overdue.setdefault(one.date, []).append(one.company_id)
        if why is not None:
            self.wanted[why] += 1
            self.first.setdefault(why, f"{one.company_id} {one.date.isoformat()}")
            self.dates.add(one.date)


class Sweep:
    """Serves what is due, missing, failed or stuck by a task in a lane of its own; loud where it had to.

    It needs neither the scheduler nor the planner. Asked twice within a minute it makes one task.
    """

    name = "report-sweep"

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        alerts: Alerts,
        clock: Clock,
        config: Callable[[], Config],
        enqueue: Enqueue,
    ) -> None:
        self.woken = asyncio.Event()
        self._ledger = ledger
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._config = config
        self._enqueue = enqueue
        self._is_first = True

    async def step(self) -> datetime:
        """Look once, and have done what is to be done."""
        now = self._clock.now()
        config = self._config()
        if config.reports is None:
            return now + SWEEP_EVERY
        try:
            found = await self._look(config, now)
            await self._tell_of_stuck(now - config.reports.stuck_after)
        except LedgerError as error:
            log.warning("sweep.delayed", extra={"fields": {"error": str(error)}})
            return now + RETRY
        await self._tell_of_missed(found, now)
        if found.dates and not await self._have_written(found, now):
            return now + RETRY
        await self._tell_of_clean_day(now)
        return now + SWEEP_EVERY

    async def _look(self, config: Config, now: datetime) -> Found:
        missing = await self._plan_missing(config, now)
        await self._ledger.mark_due(now)
        await self._ledger.supersede_older(now)
        found = Found(is_moving=bool(await self._ledger.delivered_since(now - LATE_AFTER)))
        tasks = self._store.tasks.values()
        is_primary_busy = any(is_at_work(it, now, is_moving=found.is_moving) for it in tasks)
        after: Key | None = None
        for _ in range(PAGES):
            page = await self._ledger.open_before(now, after=after, limit=PAGE)
            for one in page:
                is_missing = one.key in missing and not one.attempts and now - one.due_at >= LATE_AFTER
                why = Why.MISSING if is_missing else why_of(one, now, is_primary_busy=is_primary_busy)
                found.note(one, now, why)
            if len(page) < PAGE:
                return found
            after = page[-1].key
        found.is_all = False
        counts = await self._ledger.counts(now.date() - DAY, now.date() + DAY)
        found.dates |= {day for day, statuses in counts.items() if statuses.get(Status.DUE)}
        return found

    async def _plan_missing(self, config: Config, now: datetime) -> set[Key]:
        """Plan what the planner has left out. At a start it has its turn first."""
        if self._is_first:
            self._is_first = False
            return set()
        timing, since, missing = timing_of(config), last_pass(self._store), set[Key]()
        # All dates that have begun somewhere, or have just ended.
        for day in sorted({now.date() - DAY, now.date(), (now + FURTHEST_EAST).date()}):
            left = MOST_PLANNED - len(missing)
            planned = await plan_missing(self._ledger, day, timing, now, since=since, most=left)
            missing |= {one.key for one in planned}
        if missing:
            log.warning("sweep.planned", extra={"fields": {"missing": len(missing)}})
        return missing

    async def _have_written(self, found: Found, now: datetime) -> bool:
        """Promise one task for all of it, unless one that does it waits or runs; False where it cannot be."""
        dates = sorted(it.isoformat() for it in found.dates)
        tasks = self._store.tasks.values()
        if any(_serves(it, dates) and not _hangs(it, now, is_moving=found.is_moving) for it in tasks):
            return True
        try:
            accepted = await self._enqueue(
                WRITE_REPORTS,
                {"dates": dates, "why": "sweep"},
                key=f"sweep-{now:%Y%m%dT%H%M}",
                trigger=Trigger.CATCH_UP,
                max_attempts=ATTEMPTS,
                lane=Lane.CATCH_UP,
            )
        except (QueueFull, StoreError) as error:
            log.warning("sweep.delayed", extra={"fields": {"error": str(error)}})
            return False
        if not accepted.is_duplicate:
            counts = _counts(found)
            log.info("sweep.served", extra={"fields": {"task": accepted.task.id, "dates": dates, **counts}})
            await self._tell_of_intervention(found, counts)
        return True

    async def _tell_of_intervention(self, found: Found, counts: Mapping[str, int]) -> None:
        stepped_in = {why: count for why, count in found.wanted.items() if why.is_intervention}
        if not stepped_in:
            return
        total = sum(stepped_in.values())
        said = ", ".join(f"{count:,} {why.value}" for why, count in sorted(stepped_in.items()))
        most = "" if found.is_all else "at least "
        await self._alerts.fire(
            INTERVENED,
            severity=Severity.WARNING,
            summary=f"the backup stepped in for {most}{total:,} report{'' if total == 1 else 's'}: {said}",
            details={
                **counts,
                "dates": sorted(it.isoformat() for it in found.dates),
                "first": {why.value: found.first[why] for why in stepped_in},
            },
            advice="nightdesk why COMPANY DATE",
        )

    async def _tell_of_clean_day(self, now: datetime) -> None:
        for alert in self._alerts.open:
            if alert.name == INTERVENED and now - alert.last_at >= CLEAN_FOR:
                await self._alerts.resolve(INTERVENED, alert.labels)

    async def _tell_of_missed(self, found: Found, now: datetime) -> None:
        """One alert a date, told anew when more are missed; over when none is open any more."""
        told = {it.labels.get("date", ""): it for it in self._alerts.open if it.name == MISSED}
        for day, companies in found.overdue.items():
            known = told.pop(day.isoformat(), None)
            if known is None or len(companies) > known.details.get("open", 0):
                await self._tell_of_missed_date(day, companies, is_all=found.is_all)
        if found.is_all:
            for alert in told.values():
                await self._alerts.resolve(MISSED, alert.labels)

    async def _tell_of_missed_date(self, day: date, companies: list[str], *, is_all: bool) -> None:
        most = "" if is_all else "at least "
        await self._alerts.fire(
            MISSED,
            severity=Severity.CRITICAL,
            summary=f"the deadline of {day.isoformat()} has passed without the reports of"
            f" {most}{len(companies):,} companies",
            labels={"date": day.isoformat()},
            details={"open": len(companies), "companies": companies[:NAMED]},
            advice=f"nightdesk why {companies[0]} {day.isoformat()}; nightdesk reports missing",
        )

    async def _tell_of_stuck(self, leased_before: datetime) -> None:
        """A report that one process has had for so long; its lease is renewed, so nobody takes it over."""
        stuck = await self._ledger.stuck(leased_before, limit=PAGE)
        known = next((it for it in self._alerts.open if it.name == STUCK), None)
        if not stuck:
            await self._alerts.resolve(STUCK)
        elif known is None or len(stuck) > known.details.get("reports", 0):
            first = stuck[0]
            await self._alerts.fire(
                STUCK,
                severity=Severity.ERROR,
                summary=f"{len(stuck):,} reports have been in the works for longer than `stuckAfter`",
                details={
                    "reports": len(stuck),
                    "first": [f"{it.company_id} {it.date.isoformat()}" for it in stuck[:NAMED]],
                    "heldBy": first.lease_owner,
                },
                advice=f"nightdesk why {first.company_id} {first.date.isoformat()}",
            )


def is_at_work(task: Task, now: datetime, *, is_moving: bool) -> bool:
    """Whether a task writes reports, or is about to; one that runs for long and moves nothing does not."""
    if task.handler not in REPORT_HANDLERS or task.state not in (TaskState.AVAILABLE, TaskState.EXECUTING):
        return False
    return not _hangs(task, now, is_moving=is_moving)


def _hangs(task: Task, now: datetime, *, is_moving: bool) -> bool:
    if is_moving or task.state is not TaskState.EXECUTING or task.started_at is None:
        return False
    return now - task.started_at >= HANGS_AFTER


def _serves(task: Task, dates: Sequence[str]) -> bool:
    """Whether a task was promised by a sweep for all of these dates."""
    is_ours = task.handler == WRITE_REPORTS and task.args.get("why") == "sweep"
    return is_ours and set(dates) <= set(task.args.get("dates", ()))


def _counts(found: Found) -> dict[str, int]:
    return {why.value: found.wanted[why] for why in Why if found.wanted[why]}

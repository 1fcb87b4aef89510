"""The wiring: every part of the house, made once, in the order they lean on each other."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from daemon.check import Prepared
from daemon.clock import Clock
from daemon.config import Config
from daemon.context import Context, Services
from daemon.dispatch.dispatcher import Dispatcher
from daemon.engine.handler import Handler
from daemon.engine.queue import Queue, QueueFull
from daemon.engine.scheduler import Scheduler
from daemon.engine.worker import Worker
from daemon.feed.coverage import CoverageFeed
from daemon.feed.feed import Feed
from daemon.feed.hub import Hub
from daemon.kept import Kept
from daemon.loops import Periodic
from daemon.meters import Meters
from daemon.notify.notifier import Notifier
from daemon.opening import backup_of, ledger_of, make_plan, open_channels, places
from daemon.reports.desk import ReportsDesk
from daemon.upkeep.attic import Attic
from daemon.upkeep.broom import Broom
from daemon.upkeep.keeper import Keeper
from daemon.upkeep.pulse import Pulse
from daemon.upkeep.saver import Saver
from daemon.watch.alerts import Alerts
from daemon.watch.failures import STUCK, Failures
from daemon.watch.journal import Journal
from daemon.watch.punctuality import Punctuality
from state.codec import time_text
from state.database import Database, StoreError
from state.digests import Digests
from state.home import Home
from state.items import Items
from state.ledger.base import Ledger
from state.ledger.errors import LedgerDamaged
from state.records import Severity, Task, TaskState, Trigger
from state.recovery import Opening, StateUnreadable, open_home
from state.snapshot import Snapshot
from state.store import Store

log = logging.getLogger(__name__)

# systemd waits 40 s for a stop: work gets half of that, saving and closing the rest.
STOP_GRACE_S = 20.0
# How often a task that runs without the daemon is looked at, in case it puts itself off.
LOOK_S = 0.2
RUNNING_NOTE = "runningSince"
HEARTBEAT = "heartbeat"


class App:
    """One home, open. `opened` makes it; `parts` are what has to be stepped while it runs."""

    def __init__(
        self, prepared: Prepared, home: Home, clock: Clock, store: Store, ledger: Ledger | None = None
    ) -> None:
        config = prepared.config
        self.config: Config = config
        self.home = home
        self.clock = clock
        self.store = store
        self.ledger = ledger
        self.owner = uuid.uuid4().hex
        self._kept = Kept()
        self.started_at = clock.now()
        self.is_ready = False
        self.http_port: int | None = None  # where the API is served on TCP, while it is
        self.items = Items(store)
        self.digests = Digests(store)
        self._journal = Journal(home.alert_log)
        self.alerts = Alerts(store, clock, config.alerts.retention, self._journal)
        self.plan = make_plan(prepared)
        self.queue = Queue(store, clock, config.queue.max_waiting)
        self._http, channels = open_channels(prepared, clock, home.logs)
        self.meters = Meters()
        self.notify = Notifier(channels, store, clock, self.meters)
        self.dispatch = Dispatcher(store, self.alerts, self.notify, clock, config, self.meters)
        self._failures = Failures(store, self.alerts, config.alerts.consecutive_failures, self.meters)
        self.worker = Worker(
            self.queue,
            store,
            clock,
            self.plan,
            places=places(config),
            make_context=self._context,
            watcher=self._failures,
        )
        self.scheduler = Scheduler(store, self.queue, clock, self.worker.cancel, self.meters)
        snapshot = Snapshot(store, self.items.head, self.started_at)
        self.saver = Saver(snapshot, clock, self.alerts, self.meters)
        store.on_commit(self._committed)
        self._punctuality = Punctuality(store, clock, self.alerts, lambda: self.plan.schedules)
        self.pulse = Pulse(clock, self.alerts)
        self.reports = ReportsDesk(
            ledger,
            store,
            self.alerts,
            clock,
            lambda: self.config,
            enqueue=self.queue.enqueue,
            owner=self.owner,
        )
        hub = Hub(self.owner[:12])
        coverage_feed = CoverageFeed(self.reports.coverage, hub, clock)
        self.feed = Feed(self, coverage_feed, hub)
        self.parts: list[Periodic] = [*self._own_parts(), self.feed, coverage_feed]
        self.parts += [make(lambda: self._services) for make in prepared.parts.values()]
        self._services = self._make_services()

    def _own_parts(self) -> list[Periodic]:
        """What is stepped now and then, but for what the API and the packages of handlers bring along."""
        home, clock, ledger = self.home, self.clock, self.ledger
        kept = timedelta(days=self.config.queue.history_days)
        parts: list[Periodic] = [
            self.queue,
            self.scheduler,
            self.dispatch,
            self._punctuality,
            self.saver,
            self.pulse,
            Keeper(home, clock, self.alerts, backup_of(ledger, home)),
            Broom(self.store, clock, self.alerts, kept),
            *self.reports.parts,
        ]
        return parts if ledger is None else [*parts, Attic(ledger, home, clock, lambda: self.config)]

    @classmethod
    @asynccontextmanager
    async def opened(cls, prepared: Prepared, home: Home, clock: Clock) -> AsyncIterator["App"]:
        """Open a home whose lock the caller holds; nothing runs until `begin`, or one task by `run_once`.

        Raises:
            StateUnreadable, StoreTooNew: it cannot be opened, and was left as it is.
        """
        opening = await asyncio.to_thread(open_home, home, clock.now())
        store = Store(home, Database(home.database, opening.generation))
        try:
            await store.load()
            ledger = ledger_of(prepared.config, home)
            app = cls(prepared, home, clock, store, ledger)
            try:
                await app._tell_of(opening)
                await app._open_ledger()
                await app._recover()
                yield app
            finally:
                await app._close()
        finally:
            await store.close()

    def today(self) -> date:
        """The date by the configured zone."""
        return self.clock.now().astimezone(ZoneInfo(self.config.timezone)).date()

    async def begin(self) -> None:
        """Take up the schedules and the queue; from here on tasks run."""
        await self.scheduler.adopt(self.plan.schedules)
        self.reports.begin()
        await self._note_running(self.started_at)
        self.queue.load()
        if HEARTBEAT in self.plan.handlers:
            # A queue that is full must not keep the daemon from starting, which alone can empty it.
            with suppress(QueueFull):
                await self.queue.enqueue(HEARTBEAT, trigger=Trigger.STARTUP)
        await self.saver.save_now()
        self.is_ready = True

    async def end(self) -> None:
        """Stop in good order: no new work, what runs gets its grace or goes back in the queue."""
        self.is_ready = False
        self.feed.end()
        await self.worker.stop(STOP_GRACE_S)
        await self.dispatch.end()
        await self._note_running(None)

    async def adopt(self, prepared: Prepared) -> None:
        """Take a changed configuration: handlers' options, schedules, channels, and who is told of alerts.

        Raises:
            StoreFull, StoreError: the schedules could not be stored; the configuration before stays in force.
        """
        plan = make_plan(prepared)
        # First what may fail. The rest follows without a pause, so nothing runs on half of each.
        await self.scheduler.adopt(plan.schedules)
        self.config = prepared.config
        self.plan = self.worker.plan = plan
        self._punctuality.woken.set()
        self.reports.adopt()
        http_before, notify_before = self._http, self.notify
        self._http, channels = open_channels(prepared, self.clock, self.home.logs)
        self.notify = Notifier(channels, self.store, self.clock, self.meters)
        self.dispatch.adopt(prepared.config, self.notify)
        self.alerts.retention = prepared.config.alerts.retention
        self._failures.limit = prepared.config.alerts.consecutive_failures
        kept_before, self._kept = self._kept, Kept()
        self._services = self._make_services()
        await kept_before.close()
        await notify_before.close()
        await http_before.close()

    async def run_once(
        self, handler: str, args: Mapping[str, Any] | None = None, key: str | None = None
    ) -> tuple[Task, bool]:
        """Run one handler now, without the daemon; how the task ended, and whether the key was known.

        A handler that asks to be called later leaves its task to the daemon, unfinished.

        Raises:
            KeyError: there is no such handler.
        """
        made = self.plan.handlers[handler]
        for spec in self.plan.schedules.values():
            fields = {"schedule": spec.name, "cron": spec.line.text, "timezone": spec.line.timezone}
            log.info("schedule.known", extra={"fields": fields})
        accepted = await self.queue.enqueue(
            handler, args, key=key, trigger=Trigger.MANUAL, max_attempts=1, lane=made.lane
        )
        if accepted.is_duplicate and not accepted.task.state.is_final:
            self.queue.file(accepted.task)  # an earlier run was cut off: nobody else is here to take it up
        task = await self._settled(accepted.task.id)
        await self.saver.save_now()
        return task or accepted.task, accepted.is_duplicate

    async def _settled(self, task_id: str) -> Task | None:
        """A task once it is final, or waits for a later time: without the daemon nothing would wake it."""
        ended = asyncio.ensure_future(self.worker.wait_for(task_id))
        while not ended.done():
            await asyncio.wait({ended}, timeout=LOOK_S)
            task = self.store.tasks.get(task_id)
            if task is not None and task.state in (TaskState.SCHEDULED, TaskState.RETRYABLE):
                ended.cancel()
                return task
        return ended.result()

    def _committed(self) -> None:
        self.saver.woken.set()
        self.feed.note()

    def _context(self, task: Task, handler: Handler) -> Context:
        return Context(task=task, house=self._services, options=self.plan.options_of(handler))

    def _make_services(self) -> Services:
        return Services(
            clock=self.clock,
            store=self.store,
            items=self.items,
            digests=self.digests,
            notify=self.notify,
            alerts=self.alerts,
            schedules=self.scheduler,
            enqueue=self.queue.enqueue,
            kept=self._kept,
            config=self.config,
            home=self.home,
            owner=self.owner,
            ledger=self.ledger,
            folder=self.config.folder,
            meters=self.meters,
        )

    async def _open_ledger(self) -> None:
        """Make the ledger ready, and tell of what had to be put right in it."""
        if self.ledger is None:
            return
        try:
            await self.ledger.open(self.clock.now())
        except LedgerDamaged as error:
            raise StateUnreadable(f"{self.home.ledger}: {error}") from error
        if problems := getattr(self.ledger, "problems", []):
            await self.alerts.tell(
                "ledger.restored",
                severity=Severity.CRITICAL,
                summary="the ledger was damaged and is restored; what was open in it is unknown now",
                details={"problems": problems},
                advice="nightdesk reports list --status unknown",
            )

    async def _tell_of(self, opening: Opening) -> None:
        """Whatever was found damaged becomes an alert: a state that was lost is never lost silently."""
        fields = {
            "generation": opening.generation,
            "fresh": opening.is_fresh,
            "migrated_from": opening.older_schema,
        }
        log.info("state.opened", extra={"fields": fields})
        if not opening.problems:
            return
        counts = {} if opening.restored is None else opening.restored.counts()
        lost = 0 if opening.restored is None else opening.restored.lost
        await self.alerts.fire(
            "state.restored",
            severity=Severity.WARNING if opening.restored is None else Severity.CRITICAL,
            summary=f"the state was damaged and is restored; {lost} records could not be brought back",
            details={
                "problems": opening.problems,
                "kept": [path.name for path in opening.kept_aside],
                **counts,
            },
            advice="nightdesk state verify; what was damaged is kept beside it as NAME.damaged-TIME",
        )

    async def _recover(self) -> None:
        """Owe again what a crash cut off, and say that there was one."""
        for alert in self.alerts.open:
            if alert.name == STUCK:
                # Whatever was stuck went with the process it was stuck in.
                await self.alerts.resolve(alert.name, alert.labels)
        cut_off = await self.worker.recover()
        since = self.store.note(RUNNING_NOTE)
        if not since and not cut_off:
            return
        names = [f"{task.handler} ({task.id})" for task in cut_off[:20]]
        await self.alerts.tell(
            "daemon.unclean-stop",
            severity=Severity.ERROR,
            summary=f"the daemon did not stop in good order; {len(cut_off)} tasks in flight are owed again",
            details={"runningSince": since, "inFlight": names, "inFlightTotal": len(cut_off)},
            advice="journalctl -u nightdesk --since today",
        )
        await self._note_running(None)

    async def _note_running(self, since: datetime | None) -> None:
        """Leave word that the daemon runs; found at a start, it says that the last one did not end well."""
        try:
            await self.store.commit(notes={RUNNING_NOTE: time_text(since) if since else ""})
        except StoreError as error:
            log.error("state.unsaved", extra={"fields": {"error": str(error)}})  # noqa: TRY400

    async def _close(self) -> None:
        self.worker.let_go()
        await self._kept.close()
        await self.reports.close()
        if self.ledger is not None:
            await self.ledger.close()
        await self.dispatch.end()
        await self.notify.close()
        await self._http.close()
        try:
            await self.saver.save_now()
        except (OSError, StoreError) as error:
            # The database holds it all; the file is rewritten at the next start.
            log.error("state.unsaved", extra={"fields": {"error": str(error)}})  # noqa: TRY400
        await asyncio.to_thread(self._journal.close)

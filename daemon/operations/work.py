"""What can be asked of schedules, tasks, leads and digests, and the way to the rest."""

import asyncio
import os
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from daemon import __version__
from daemon.config.problems import meant, quoted
from daemon.engine.handler import Handler
from daemon.engine.queue import Accepted
from daemon.operations.alerting import AlertOperations
from daemon.operations.channels import ChannelOperations
from daemon.operations.companies import CompanyOperations
from daemon.operations.emergency import EmergencyOperations
from daemon.operations.health import HealthOperations
from daemon.operations.metrics import MetricOperations
from daemon.operations.readiness import Readiness
from daemon.operations.refusals import Unfit, Unknown, fit_args, fit_key, fit_reason, parse_until
from daemon.operations.reports import ReportOperations
from daemon.operations.runs import RunOperations
from daemon.operations.today import TodayOperations
from state.codec import as_camel, to_json
from state.digest_file import FileState, file_name
from state.intake import Intake
from state.records import Batch, Item, Task, TaskState, Trigger
from state.store import first

if TYPE_CHECKING:
    from daemon.app import App

SEND_DIGEST = "send-digest"
REPORTS = "reports"  # the section of handlers that have to know who is owed a report
LIVE_WITHIN_S = 10.0  # the pulse ticks each second
DIGESTS_SHOWN = 400


class Operations:
    """One method for each thing that can be asked; `trigger` says by whom tasks are made."""

    def __init__(self, app: "App", trigger: Trigger = Trigger.MANUAL) -> None:
        self._app = app
        self._trigger = trigger
        self._status: tuple[object, bytes] = (None, b"")
        self.alerts = AlertOperations(app)
        self.channels = ChannelOperations(app)
        self.emergency = EmergencyOperations(app)
        self.runs = RunOperations(app)
        self.today = TodayOperations(app, self.channels)
        self.readiness = Readiness(app)
        self.health = HealthOperations(app, self.runs)
        self.metrics = MetricOperations(app, self.readiness)
        self.companies = CompanyOperations(app)
        self.reports = ReportOperations(app, self.enqueue)

    def listen(self, last_id: str | None) -> AsyncIterator[bytes]:
        """What happens from now on, as server-sent events; with an id also what was missed since that one."""
        return self._app.feed.listen(last_id)

    def monotonic(self) -> float:
        """Seconds since some moment, for whoever counts how often or how long."""
        return self._app.clock.monotonic()

    @property
    def is_live(self) -> bool:
        """Whether the loops have ticked lately."""
        return self._app.clock.monotonic() - self._app.pulse.ticked_at < LIVE_WITHIN_S

    async def status(self) -> dict[str, Any]:
        """How it is, in one object."""
        app = self._app
        return {
            "pid": os.getpid(),
            "httpPort": app.http_port,
            "ready": app.is_ready,
            "version": __version__,
            "lastHeartbeatAt": app.store.note("lastHeartbeatAt"),
            "queueDepth": len(app.store.tasks),
            "openAlerts": len(app.alerts.open),
            "schedules": {it.pop("name"): it for it in await self.schedules()},
            "coverageToday": await self.reports.percent_now(),
        }

    async def encoded_status(self) -> bytes:
        """What `status` gives, as JSON; made anew where anything in it has changed."""
        app = self._app
        told = (
            app.store.generation,
            app.http_port,
            app.is_ready,
            app.alerts.count_open,
            id(app.plan),
            await self.reports.percent_now(),
        )
        if told != self._status[0]:
            self._status = (told, to_json(await self.status()))
        return self._status[1]

    async def schedules(self) -> list[dict[str, Any]]:
        """Every schedule, in the order of the configuration."""
        known = self._app.store.schedules
        return [as_camel(known[name]) for name in self._app.plan.schedules if name in known]

    async def tasks(
        self, limit: int = 100, state: str | None = None, after: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """Unfinished tasks, first come first, and how many there are of that state in all.

        With `after` those that came later than the task of that id, which may have ended meanwhile.
        """
        tasks = self._app.store.tasks
        if state is None and after is None:
            return [as_camel(task) for task in first(tasks.values(), limit)], len(tasks)
        wanted = None if state is None else _known_state(state)
        found = [task for task in tasks.values() if wanted in (None, task.state)]
        # Ids grow with the time at which tasks were made, which is the order they are kept in.
        begin = bisect_right(found, after, key=lambda task: task.id) if after is not None else 0
        return [as_camel(task) for task in found[begin : begin + limit]], len(found)

    async def history(self) -> list[dict[str, Any]]:
        """The last 50 runs, newest last."""
        return [as_camel(task) for task in self._app.store.history]

    async def task(self, task_id: str, wait_s: float = 0) -> dict[str, Any]:
        """One task; waits so long for its end, and answers with where it stands then.

        Raises:
            Unknown: there never was such a task, or it is forgotten.
        """
        task = await self._ended(task_id, wait_s) or await self._app.queue.find(task_id)
        if task is None:
            raise Unknown(f"there is no task {quoted(task_id)}; heartbeats are not kept once they ended")
        return as_camel(task)

    async def enqueue(
        self, handler: str, args: Mapping[str, Any], key: str | None = None, wait_s: float = 0
    ) -> dict[str, Any]:
        """Promise one task of a handler.

        Raises:
            Unknown: there is no such handler.
            QueueFull, StoreError: it is not promised.
        """
        made = self._known_handler(handler)
        accepted = await self._app.queue.enqueue(
            handler,
            fit_args(args),
            key=fit_key(key),
            trigger=self._trigger,
            lane=made.lane,
            max_attempts=made.max_attempts,
        )
        return await self._answer(accepted, wait_s)

    async def trigger(
        self, name: str, args: Mapping[str, Any], key: str | None = None, wait_s: float = 0
    ) -> dict[str, Any]:
        """Run a schedule now, beside its slots; a handler that no schedule is named after will do.

        Raises:
            Unknown: there is neither.
            QueueFull, StoreError: it is not promised.
        """
        plan = self._app.plan
        if name not in plan.schedules and name in plan.handlers:
            return await self.enqueue(name, args, key, wait_s)
        self._known_schedule(name, also=plan.handlers)
        accepted = await self._app.scheduler.trigger(name, fit_args(args), fit_key(key), self._trigger)
        return await self._answer(accepted, wait_s)

    async def run_once(self, handler: str, args: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        """Run a handler here and now, where no daemon does; the finished task.

        Raises:
            Unknown: there is no such handler.
        """
        if self._known_handler(handler).section == REPORTS:
            await self.companies.take_file()
        task, is_duplicate = await self._app.run_once(handler, fit_args(args), fit_key(key))
        return {**as_camel(task), "duplicate": is_duplicate}

    async def pause(self, name: str, until: str, reason: str) -> dict[str, Any]:
        """Leave out the slots of a schedule up to a time, or for a duration from now.

        Raises:
            Unknown: there is no such schedule.
            Unfit: the time is none, or is past; or the reason is empty.
        """
        self._known_schedule(name)
        at = parse_until(until, self._app.clock.now())
        return as_camel(await self._app.scheduler.pause(name, at, fit_reason(reason, "nothing ran")))

    async def resume(self, name: str) -> dict[str, Any]:
        """End a pause. Unknown: there is no such schedule."""
        self._known_schedule(name)
        return as_camel(await self._app.scheduler.resume(name))

    async def items(self, limit: int = 100, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The leads that wait, first come first, and how many there are in all."""
        waiting = await self._app.items.waiting(limit, offset)
        return [dict(item.body) for item in waiting], await self._app.items.count_waiting()

    async def all_items(self, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """All leads that ever came, with what was thought of those that a batch has judged."""
        return [_judged(item) for item in await self._app.items.listing(limit, offset, all=True)]

    async def add_items(self, bodies: Sequence[Any]) -> dict[str, Any]:
        """Take leads into the queue; the bad ones are refused by their index, the good ones kept.

        Raises:
            StoreError: not all could be stored; the same call may be made again.
        """
        intake = Intake()
        for index, body in enumerate(bodies):
            try:
                intake.take(index, to_json(body))
            except TypeError:
                intake.refuse(index, "nested too deep")
        added = await self._app.items.add(intake.bodies, self._app.clock.now())
        refused = [{"index": it.line, "reason": it.reason} for it in intake.refusals]
        return {"added": added.added, "duplicates": added.duplicates, "refused": refused}

    async def digests(self, limit: int = 50, before: date | None = None) -> list[dict[str, Any]]:
        """The digests by date, newest first; with `before` those of earlier dates."""
        days: dict[date, list[Batch]] = {}
        for batch in await self._app.digests.listing(DIGESTS_SHOWN):
            if before is None or batch.date < before:
                days.setdefault(batch.date, []).append(batch)
        return [_digest_row(day, batches) for day, batches in list(days.items())[:limit]]

    async def digest(self, day: date | None) -> dict[str, Any]:
        """The digest of a date, or the newest; from the database where its file is not sound.

        Raises:
            Unknown: there is none of that date, or none at all.
        """
        digests = self._app.digests
        if day is None and (day := await digests.newest_date(date.max)) is None:
            raise Unknown("there is no digest yet; `nightdesk run-once nightly-batch` makes one")
        found = await digests.read_file(day)
        made = found.digest if found.state is FileState.GOOD else await digests.build(day)
        if made is None:
            raise Unknown(f"there is no digest of {day.isoformat()}; `nightdesk digest list` shows the dates")
        return made

    async def send_digest(
        self, day: date | None, *, again: bool = False, wait_s: float = 0
    ) -> dict[str, Any]:
        """Send the digest of a date; without one, what the morning would send. Raises as `enqueue` does."""
        return await self.enqueue(SEND_DIGEST, digest_args(day, again=again), None, wait_s)

    async def _answer(self, accepted: Accepted, wait_s: float) -> dict[str, Any]:
        # Nothing else runs between the promise and the waiting, so that even a task which is forgotten
        # once it ended (a heartbeat) is seen to end.
        ended = await self._ended(accepted.task.id, wait_s)
        if ended is not None and ended.state.is_final:
            return {**as_camel(ended), "duplicate": accepted.is_duplicate}
        task = accepted.task
        return {"id": task.id, "state": task.state.value, "duplicate": accepted.is_duplicate}

    async def _ended(self, task_id: str, wait_s: float) -> Task | None:
        """The task once it is final; None when it is unknown, or does not end in time."""
        if wait_s <= 0:
            return None
        try:
            async with asyncio.timeout(wait_s):
                task = await self._app.worker.wait_for(task_id)
        except TimeoutError:
            return None
        # Whoever waited reads the JSON state next, and should find in it what was waited for.
        await self._app.saver.caught_up()
        return task

    def _known_handler(self, name: str) -> Handler:
        handlers = self._app.plan.handlers
        if name not in handlers:
            raise Unknown(f"there is no handler {quoted(name)}; {meant(name, handlers)}")
        return handlers[name]

    def _known_schedule(self, name: str, also: Iterable[str] = ()) -> None:
        schedules = self._app.plan.schedules
        if name not in schedules:
            known = {*schedules, *also}
            raise Unknown(f"there is no schedule {quoted(name)}; {meant(name, known)}")


def digest_args(day: date | None, *, again: bool) -> dict[str, Any]:
    """What the handler that sends digests is told."""
    args: dict[str, Any] = {} if day is None else {"date": day.isoformat()}
    return args | ({"resend": True} if again else {})


def _known_state(name: str) -> TaskState:
    unfinished = [state.value for state in TaskState if not state.is_final]
    if name not in unfinished:
        raise Unfit(f"state: {quoted(name)} is no state of an unfinished task; {meant(name, unfinished)}")
    return TaskState(name)


def _digest_row(day: date, batches: Sequence[Batch]) -> dict[str, Any]:
    newest = max(batches, key=lambda it: it.generated_at)
    sent = [it.sent_at for it in batches if it.sent_at is not None]
    return {
        "date": day.isoformat(),
        "batchId": newest.id,
        "generatedAt": newest.generated_at,
        "summary": {
            "docsProcessed": sum(it.docs_processed for it in batches),
            "queueTotal": sum(it.queue_total for it in batches),
            "markedForDraft": sum(it.marked_for_draft for it in batches),
        },
        "file": file_name(day),
        "sentAt": max(sent) if len(sent) == len(batches) else None,
    }


def _judged(item: Item) -> dict[str, Any]:
    judged = {
        "addedAt": item.added_at,
        "batchId": item.batch_id,
        "judgedScore": item.score,
        "selectedForDraft": item.selected_for_draft,
        "reasons": item.reasons,
    }
    return {**item.body, **judged}

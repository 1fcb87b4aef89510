"""The scheduler: sees to it that every slot of every schedule is served once, or its reason recorded."""

import asyncio
import heapq
import itertools
import logging
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.clock import Clock
from daemon.engine.cron import Slot
from daemon.engine.owed import Owed, decide_owed
from daemon.engine.queue import Accepted, Queue
from daemon.engine.spec import Overlap, ScheduleSpec
from daemon.logs import Allowance
from daemon.meters import Meters
from state.database import StoreConflict, StoreError
from state.records import ScheduleRecord, SlotRecord, SlotState, Task, Trigger, replace
from state.store import Change, Store

log = logging.getLogger(__name__)

# With nothing to do the scheduler still looks around this often.
IDLE = timedelta(minutes=10)
# Cron arithmetic is done between two fires, so many lines at a time (about 2 ms of the loop) and with
# such a pause between; and what has just been fired gets a while to start first.
LINES_AT_ONCE = 8
LOOK_AHEAD_AFTER = timedelta(milliseconds=250)
LOOK_AHEAD_PAUSE = timedelta(milliseconds=10)

CancelTask = Callable[[str, str], Awaitable[bool]]


@dataclass(slots=True)
class Line:
    """One schedule as it runs: the slot that comes next, and the one after it.

    Both are known before they are due, so that a fire costs no cron arithmetic; the second is None
    from a fire until there is time to compute it.
    """

    spec: ScheduleSpec
    next: Slot
    after_next: Slot | None
    last_task: str | None = None


@dataclass(slots=True)
class Fire:
    """What is about to become true of one schedule."""

    line: Line
    owed: Owed
    tasks: list[Task]
    change: Change


class Scheduler:
    """Correctness comes from the unique slot, not from timing: being late loses nothing."""

    name = "scheduler"

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        cancel: CancelTask,
        meters: Meters | None = None,
    ) -> None:
        self.woken = asyncio.Event()
        self._store = store
        self._queue = queue
        self._clock = clock
        self._cancel = cancel
        self._meters = meters or Meters()
        self._lines: dict[str, Line] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._unforeseen: deque[Line] = deque()  # those whose `after_next` is not known
        self._allowance = Allowance(log.handle)
        self._deciding = asyncio.Lock()  # a reload in the middle of a fire would mix two sets of schedules

    @property
    def specs(self) -> Mapping[str, ScheduleSpec]:
        return {name: line.spec for name, line in self._lines.items()}

    async def adopt(self, specs: Mapping[str, ScheduleSpec]) -> None:
        """Take these schedules from now on. One that is new or was changed owes nothing of the past."""
        async with self._deciding:
            await self._adopt(specs)
        self.woken.set()

    async def step(self) -> datetime:
        """Fire what is due; say when the next one is."""
        async with self._deciding:
            return await self._step()

    async def trigger(
        self, name: str, args: Mapping[str, Any] | None, key: str | None, trigger: Trigger = Trigger.MANUAL
    ) -> Accepted:
        """Run a schedule now, beside its slots.

        Raises:
            KeyError: there is no such schedule.
            QueueFull, StoreError: it is not promised.
        """
        spec = self._lines[name].spec
        return await self._queue.enqueue(
            spec.handler,
            {**spec.args, **(args or {})},
            key=key,
            trigger=trigger,
            schedule=name,
            lane=spec.lane,
            max_attempts=spec.max_attempts,
        )

    async def pause(self, name: str, until: datetime, reason: str) -> ScheduleRecord:
        """Leave out the slots up to a time, each with a record that says why. KeyError: no such schedule."""
        return await self._change_pause(name, until, reason)

    async def resume(self, name: str) -> ScheduleRecord:
        """End a pause. KeyError: no such schedule."""
        return await self._change_pause(name, None, None)

    def newest_slot(self, name: str, at: datetime) -> Slot | None:
        """The newest slot of a schedule that is due by then; None when there is no such schedule."""
        line = self._lines.get(name)
        return None if line is None else line.spec.line.newest_at(at)

    async def _adopt(self, specs: Mapping[str, ScheduleSpec]) -> None:
        now = self._clock.now()
        change = Change()
        lines: dict[str, Line] = {}
        # Only tasks of slots: one that somebody triggered runs beside them, and keeps none of them out.
        last_tasks = {it.schedule: it.id for it in self._store.tasks.values() if it.slot is not None}
        for name, spec in specs.items():
            record = self._store.schedules.get(name)
            cursor = _cursor(spec, record, now)
            upcoming = spec.line.next_after(cursor)
            lines[name] = Line(spec, upcoming, spec.line.next_after(upcoming), last_tasks.get(name))
            change.put(_record_of(spec, record, cursor, upcoming))
            fields = {"schedule": name, "cron": spec.line.text, "timezone": spec.line.timezone}
            log.info("schedule.loaded", extra={"fields": {**fields, "next_fire_at": upcoming.instant}})
        for name, record in self._store.schedules.items():
            if name not in specs:
                change.delete(record)
        await self._store.commit_change(change)
        self._lines = lines
        self._heap = [(line.next.instant, name) for name, line in lines.items()]
        heapq.heapify(self._heap)
        self._unforeseen.clear()

    async def _step(self) -> datetime:
        now = self._clock.now()
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(self._lines[heapq.heappop(self._heap)[1]])
        if due:
            try:
                await self._fire_all(due, now)
            finally:
                # Also after a failure: what has not moved on is due again at once.
                for line in due:
                    heapq.heappush(self._heap, (line.next.instant, line.spec.name))
        else:
            self._look_ahead()
        upcoming = self._heap[0][0] if self._heap else now + IDLE
        if not self._unforeseen:
            return upcoming
        return min(upcoming, self._clock.now() + (LOOK_AHEAD_AFTER if due else LOOK_AHEAD_PAUSE))

    async def _change_pause(self, name: str, until: datetime | None, reason: str | None) -> ScheduleRecord:
        # Between two fires: a fire under way would write the record as it was before, and end the pause.
        async with self._deciding:
            if name not in self._lines:
                raise KeyError(name)
            record = replace(self._store.schedules[name], paused_until=until, pause_reason=reason)
            await self._store.commit(record)
        fields = {"schedule": name, "until": until, "reason": reason}
        log.info("schedule.paused" if until else "schedule.resumed", extra={"fields": fields})
        return record

    async def _fire_all(self, due: list[Line], now: datetime) -> None:
        fires = [await self._prepare(line, now) for line in due]
        errors = await self._store.commit_each([fire.change for fire in fires])
        filed: list[Task] = []
        for fire, error in zip(fires, errors, strict=True):
            if error is None:
                filed += fire.tasks
                self._move_on(fire)
        self._queue.file(*filed)
        # Behind what was filed: the tasks are on their way before the log is told of them.
        asyncio.get_running_loop().call_soon(self._log_all, fires, errors, now)
        refused = [(fire, error) for fire, error in zip(fires, errors, strict=True) if error is not None]
        await self._settle_refused(refused, now)

    async def _prepare(self, line: Line, now: datetime) -> Fire:
        spec = line.spec
        record = self._store.schedules[spec.name]
        after_next = line.after_next or spec.line.next_after(line.next)
        owed = decide_owed(spec, record, line.next, after_next, now, unfinished=self._unfinished(line))
        if owed.fire and spec.overlap is Overlap.CANCEL and line.last_task is not None:
            await self._cancel(line.last_task, f"superseded by slot {owed.fire[-1].text}")
        return self._make_fire(line, owed, now)

    def _make_fire(self, line: Line, owed: Owed, now: datetime) -> Fire:
        spec = line.spec
        record = self._store.schedules[spec.name]
        change = Change()
        tasks = [self._task_for(spec, slot, owed.trigger) for slot in owed.fire]
        for slot, task in zip(owed.fire, tasks, strict=True):
            change.put(_slot_record(spec, slot, SlotState.FIRED, now, task_id=task.id))
            self._queue.put_in(change, task)
        for slot, reason in owed.skipped:
            change.put(_slot_record(spec, slot, SlotState.SKIPPED, now, reason=reason))
        change.put(
            replace(
                record,
                last_slot=owed.cursor.text,
                last_fired_at=now if tasks else record.last_fired_at,
                next_fire_at=owed.upcoming.instant,
                paused_until=None if owed.is_pause_over else record.paused_until,
                pause_reason=None if owed.is_pause_over else record.pause_reason,
            )
        )
        return Fire(line, owed, tasks, change)

    def _task_for(self, spec: ScheduleSpec, slot: Slot, trigger: Trigger) -> Task:
        return self._queue.new_task(
            spec.handler,
            args=spec.args,
            trigger=trigger,
            lane=spec.lane_for(trigger),
            schedule=spec.name,
            slot=slot.text,
            max_attempts=spec.max_attempts,
            scheduled_at=slot.instant,
        )

    def _unfinished(self, line: Line) -> Task | None:
        return None if line.last_task is None else self._store.tasks.get(line.last_task)

    def _move_on(self, fire: Fire) -> None:
        line = fire.line
        line.next = fire.owed.upcoming
        line.after_next = None
        self._unforeseen.append(line)
        if fire.owed.skipped:
            self._meters.skipped.add(line.spec.name, count=len(fire.owed.skipped))
        if fire.tasks:
            line.last_task = fire.tasks[-1].id

    async def _settle_refused(self, refused: list[tuple[Fire, StoreError]], now: datetime) -> None:
        """Slots that are on the disk already were decided before; what is left of the fire is still owed.

        So it is after a schedule was taken out and in again while the clock was put back.
        """
        for fire, error in refused:
            if not isinstance(error, StoreConflict):
                raise error
            owed, known = fire.owed, await self._known_slots(fire)
            owed.fire = [slot for slot in owed.fire if slot.text not in known]
            owed.skipped = [(slot, reason) for slot, reason in owed.skipped if slot.text not in known]
            rest = self._make_fire(fire.line, owed, now)
            await self._store.commit_change(rest.change)
            self._move_on(rest)
            self._queue.file(*rest.tasks)
            self._log(rest, None, now)

    async def _known_slots(self, fire: Fire) -> set[str]:
        name = fire.line.spec.name
        slots = [*fire.owed.fire, *(slot for slot, _ in fire.owed.skipped)]

        def work(connection: sqlite3.Connection) -> set[str]:
            ask = "SELECT 1 FROM slot WHERE schedule = ? AND slot = ?"
            return {it.text for it in slots if connection.execute(ask, (name, it.text)).fetchone()}

        return await self._store.read(work)

    def _look_ahead(self) -> None:
        for _ in range(min(LINES_AT_ONCE, len(self._unforeseen))):
            line = self._unforeseen.popleft()
            line.after_next = line.spec.line.next_after(line.next)

    def _log_all(self, fires: list[Fire], errors: list[StoreError | None], now: datetime) -> None:
        for fire, error in zip(fires, errors, strict=True):
            self._log(fire, error, now)

    def _log(self, fire: Fire, error: StoreError | None, now: datetime) -> None:
        spec = fire.line.spec
        fields: dict[str, Any] = {"schedule": spec.name, "cron": spec.line.text}
        if error is not None:
            log.error("schedule.refused", extra={"fields": {**fields, "error": str(error)}})
            return
        for slot, task in zip(fire.owed.fire, fire.tasks, strict=True):
            if not self._allowance.ask("schedule.fired", int(now.timestamp())):
                continue
            late_s = (now - slot.instant).total_seconds()
            more = {
                "slot": slot.text,
                "task": task.id,
                "trigger": task.trigger.value,
                "late_s": round(late_s, 3),
            }
            log.info("schedule.fired", extra={"fields": {**fields, **more}})
        for slot, reason in itertools.islice(fire.owed.skipped, 20):
            log.warning("schedule.skipped", extra={"fields": {**fields, "slot": slot.text, "reason": reason}})


def _cursor(spec: ScheduleSpec, record: ScheduleRecord | None, now: datetime) -> Slot:
    unchanged = (spec.line.text, spec.line.timezone)
    if record is None or (record.cron, record.timezone) != unchanged:
        return spec.line.newest_at(now)
    return spec.line.parse_slot(record.last_slot)


def _record_of(
    spec: ScheduleSpec, record: ScheduleRecord | None, cursor: Slot, upcoming: Slot
) -> ScheduleRecord:
    return ScheduleRecord(
        name=spec.name,
        cron=spec.line.text,
        timezone=spec.line.timezone,
        last_slot=cursor.text,
        last_fired_at=None if record is None else record.last_fired_at,
        next_fire_at=upcoming.instant,
        paused_until=None if record is None else record.paused_until,
        pause_reason=None if record is None else record.pause_reason,
    )


def _slot_record(
    spec: ScheduleSpec,
    slot: Slot,
    state: SlotState,
    now: datetime,
    *,
    task_id: str | None = None,
    reason: str | None = None,
) -> SlotRecord:
    return SlotRecord(
        schedule=spec.name, slot=slot.text, state=state, decided_at=now, task_id=task_id, reason=reason
    )

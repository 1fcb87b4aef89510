"""The worker: takes tasks in turn, runs each as an attempt, and makes what came of it durable."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from daemon.clock import Clock
from daemon.context import Context
from daemon.engine.attempt import Attempt
from daemon.engine.handler import Handler
from daemon.engine.plan import Plan
from daemon.engine.queue import Queue
from daemon.engine.verdict import End, Ending, decide, retry_wait
from state.database import StoreError
from state.records import Lane, Task, TaskState, replace
from state.store import Change, Store

log = logging.getLogger(__name__)

# While the disk refuses, ends and starts are offered again this often.
RETRY_STORE_S = 1.0
NO_WAIT = timedelta(0)
# These leave no entry in the history: nothing was done.
NO_RUN = frozenset({Ending.SNOOZED, Ending.RETURNED})
RETURNED = End(ending=Ending.RETURNED, reason="put back: the daemon was stopped")


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that is over: the task as it ran, how it ended, and what becomes of it."""

    ran: Task
    end: End
    task: Task


class Watcher(Protocol):
    """Whoever has to know how attempts end, and has something to say in the same transaction."""

    def note(self, ended: Ended) -> None:
        """Take an end into account; called once for each."""
        ...

    def write(self, change: Change, ended: Sequence[Ended]) -> None:
        """Add what follows from these ends to the change that makes them durable."""
        ...


ContextMaker = Callable[[Task, Handler], Context]


class Worker:
    """Serves the queue: so many places a lane, so that no lane starves another.

    A start is on the disk before the handler runs, and an end before anybody is told. The next task
    starts in the same commit that ends the one before.
    """

    def __init__(
        self,
        queue: Queue,
        store: Store,
        clock: Clock,
        plan: Plan,
        *,
        places: Mapping[Lane, int],
        make_context: ContextMaker,
        watcher: Watcher,
    ) -> None:
        self.plan = plan
        self._queue = queue
        self._store = store
        self._clock = clock
        self._make_context = make_context
        self._watcher = watcher
        self._free = dict(places)
        self._attempts: dict[str, Attempt] = {}
        self._left_behind: set[Attempt] = set()
        self._ended: list[tuple[Attempt, End]] = []
        self._unsaved = 0
        self._waiters: dict[str, list[asyncio.Future[Task]]] = {}
        self._is_pump_due = False
        self._is_stopping = False
        self._saved = asyncio.Event()
        queue.on_ready = self.pump

    @property
    def running(self) -> list[Task]:
        """The tasks whose handlers run now."""
        return [attempt.task for attempt in self._attempts.values()]

    @property
    def is_busy(self) -> bool:
        """Whether a handler runs, or what one came to is not on the disk yet."""
        return bool(self._attempts or self._unsaved)

    @property
    def left_behind(self) -> int:
        """How many handlers were given up on and still run."""
        self._left_behind = {attempt for attempt in self._left_behind if attempt.is_running}
        return len(self._left_behind)

    def pump(self) -> None:
        """Start what can be started, soon."""
        if not self._is_pump_due:
            self._is_pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    async def recover(self) -> list[Task]:
        """After a crash, owe again what it cut off; say what that was. Call before the queue is loaded."""
        cut_off = [task for task in self._store.tasks.values() if task.state is TaskState.EXECUTING]
        end = End(ending=Ending.INTERRUPTED, reason="interrupted: the daemon stopped in the middle of it")
        if cut_off:
            now = self._clock.now()
            ended = [Ended(task, end, decide(task, end, now, retry_wait(1))) for task in cut_off]
            await self._store.commit_change(self._change_of(ended))
        return cut_off

    async def wait_for(self, task_id: str) -> Task | None:
        """Return a task once it is final; None when it is unknown."""
        task = await self._queue.find(task_id)
        if task is None or task.state.is_final:
            return task
        future: asyncio.Future[Task] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(task_id, []).append(future)
        return await future

    async def cancel(self, task_id: str, reason: str) -> bool:
        """End a task that is not final yet; False when there is no such task."""
        if (attempt := self._attempts.get(task_id)) is not None:
            attempt.stop(End(ending=Ending.CANCELLED, reason=reason))
            return True
        if (task := self._store.tasks.get(task_id)) is None:
            return False
        end = End(ending=Ending.CANCELLED, reason=reason)
        cancelled = Ended(task, end, decide(task, end, self._clock.now(), retry_wait(1)))
        await self._store.commit_change(self._change_of([cancelled]))
        self._tell_waiters([cancelled])
        return True

    async def stop(self, grace_s: float) -> None:
        """Start nothing more; give what runs its grace, then put it back in the queue."""
        self._is_stopping = True
        timer = self._clock.call_later(grace_s, self._stop_all)
        while self.is_busy:
            self._saved.clear()
            await self._saved.wait()
        timer.cancel()

    def _stop_all(self) -> None:
        for attempt in list(self._attempts.values()):
            attempt.stop(RETURNED, grace_s=1.0)

    def _pump(self) -> None:
        self._is_pump_due = False
        if self._ended:
            self._save_ends()
        if self._is_stopping:
            return
        taken = []
        for lane, free in self._free.items():
            while free > 0 and (task := self._queue.take(lane)) is not None:
                taken.append(task)
                free -= 1
            self._free[lane] = free
        if taken:
            self._save_starts(taken)

    def _save_starts(self, taken: list[Task]) -> None:
        now = self._clock.now()
        started = [
            replace(it, state=TaskState.EXECUTING, attempt=it.attempt + 1, started_at=now, finished_at=None)
            for it in taken
        ]
        self._unsaved += len(taken)
        change = Change()
        for task in started:
            change.start(task)
        self._store.submit(change, partial(self._starts_saved, taken, started))

    def _starts_saved(self, taken: list[Task], started: list[Task], error: StoreError | None) -> None:
        self._unsaved -= len(taken)
        if error is not None:
            log.critical("store.refused", extra={"fields": {"error": str(error), "starts": len(taken)}})
            for task in taken:
                self._free[task.lane] += 1
            self._queue.put_back(taken)
            self._clock.call_later(RETRY_STORE_S, self.pump)
        for task in started if error is None else ():
            self._begin(task)
        self._saved.set()

    def _begin(self, task: Task) -> None:
        handler = self.plan.handlers.get(task.handler)
        limit_s = 0.0 if handler is None else self.plan.time_limit(task).total_seconds()
        attempt = Attempt(task, self._clock, limit_s, self._attempt_ended)
        self._attempts[task.id] = attempt
        if self._is_stopping:
            self._attempt_ended(attempt, RETURNED)
        elif handler is None:
            reason = f"there is no handler {task.handler!r} any more"
            self._attempt_ended(attempt, End(ending=Ending.FAILED, reason=reason, is_permanent=True))
        else:
            attempt.begin(handler, self._make_context(task, handler))

    def _attempt_ended(self, attempt: Attempt, end: End) -> None:
        del self._attempts[attempt.task.id]
        if attempt.is_running:
            self._left_behind.add(attempt)
        self._free[attempt.task.lane] += 1
        self._unsaved += 1
        self._ended.append((attempt, end))
        self.pump()

    def _save_ends(self) -> None:
        now = self._clock.now()
        ended = []
        for attempt, end in self._ended:
            task = attempt.task
            wait = retry_wait(task.attempt) if end.is_failure else NO_WAIT
            ended.append(Ended(task, end, decide(task, end, now, wait)))
        self._ended.clear()
        for it in ended:
            self._watcher.note(it)
        self._offer_ends(ended)

    def _offer_ends(self, ended: list[Ended]) -> None:
        self._store.submit(self._change_of(ended), partial(self._ends_saved, ended))

    def _ends_saved(self, ended: list[Ended], error: StoreError | None) -> None:
        if error is not None:
            # What was done stays in memory until there is room for it; it is never done again meanwhile.
            log.critical("store.refused", extra={"fields": {"error": str(error), "ends": len(ended)}})
            self._clock.call_later(RETRY_STORE_S, partial(self._offer_ends, ended))
            return
        self._unsaved -= len(ended)
        self._queue.file(*(it.task for it in ended if not it.task.state.is_final))
        self._tell_waiters(ended)
        self._saved.set()

    def _change_of(self, ended: list[Ended]) -> Change:
        change = Change()
        now = self._clock.now()
        for it in ended:
            if it.task.state.is_final:
                change.delete(it.task)
            else:
                change.put(it.task)
            if it.end.ending not in NO_RUN and self._is_in_history(it.task):
                change.record_run(_as_run(it.task, now))
        self._watcher.write(change, ended)
        return change

    def _is_in_history(self, task: Task) -> bool:
        handler = self.plan.handlers.get(task.handler)
        return handler is None or handler.in_history

    def _tell_waiters(self, ended: list[Ended]) -> None:
        if not self._waiters:
            return
        for it in ended:
            if it.task.state.is_final:
                for waiter in self._waiters.pop(it.task.id, ()):
                    if not waiter.done():
                        waiter.set_result(it.task)


def _as_run(task: Task, now: datetime) -> Task:
    """A task as the history keeps an attempt of it: an attempt that left it unfinished was retryable."""
    if task.state.is_final or task.state is TaskState.RETRYABLE:
        return task
    return replace(task, state=TaskState.RETRYABLE, finished_at=now)

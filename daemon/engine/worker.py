"""The worker: takes tasks in turn, runs each as an attempt, and makes what came of it durable."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from daemon.clock import Clock, Timer
from daemon.context import Context
from daemon.engine.attempt import Attempt
from daemon.engine.deadlines import Deadlines
from daemon.engine.handler import Handler
from daemon.engine.plan import Plan
from daemon.engine.queue import Queue
from daemon.engine.verdict import End, Ending, decide, retry_wait
from state.database import StoreConflict, StoreError, StoreFull
from state.records import Alert, Lane, Task, TaskState, replace
from state.store import Change, Store

log = logging.getLogger(__name__)

# While the disk refuses, ends and starts are offered again this often.
RETRY_STORE_S = 1.0
# After the grace of a stop the disk has this long to take the last ends: what it refuses is owed again.
STOP_SAVE_S = 4.0
# Once it was put back a handler has this long to let go, for the daemon is on its way out.
RETURN_GRACE_S = 1.0
NO_WAIT = timedelta(0)
# So many ends are handed to the store at once; more of them follow while it commits these.
GROUP = 32
# These leave no entry in the history unless they are the last: nothing was done.
NO_RUN = frozenset({Ending.SNOOZED, Ending.RETURNED})
RETURNED = End(ending=Ending.RETURNED, reason="put back: the daemon was stopped")


@dataclass(slots=True, eq=False)
class Ended:
    """An attempt that is over: the task as it ran, how it ended, and what becomes of it."""

    ran: Task
    end: End
    task: Task
    alarms: list[Alert] = field(default_factory=list)  # what the watcher has to say of it


class Watcher(Protocol):
    """Whoever has to know how attempts end, and has something to say in the same transaction."""

    def note(self, ended: Ended) -> None:
        """Take an end into account, and leave its alarms in it; called once for each."""
        ...

    def write(self, change: Change, ended: Sequence[Ended]) -> None:
        """Add what follows from these ends to the change that makes them durable.

        Called again for the same ends when the store refused them; then it adds the newest of each.
        """
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
        self._deadlines = Deadlines(clock)
        self._make_context = make_context
        self._watcher = watcher
        self._free = dict(places)
        self._attempts: dict[str, Attempt] = {}
        self._left_behind: set[Attempt] = set()
        self._ended: list[tuple[Attempt, End]] = []
        # Tasks whose start, end or cancellation is on its way to the disk: until it is there, or
        # refused, nothing else may be decided over them.
        self._moving: set[str] = set()
        self._aside: dict[str, Task] = {}  # came to their turn while being cancelled
        self._starts_on_their_way = 0
        self._refused_starts: list[Task] = []
        self._refused_ends: list[list[Ended]] = []
        self._start_retry: Timer | None = None
        self._end_retry: Timer | None = None
        self._waiters: dict[str, list[asyncio.Future[Task]]] = {}
        self._is_pump_due = False
        self._is_stopping = False
        self._is_over = False
        self._settled = asyncio.Event()
        queue.on_ready = self.pump

    @property
    def running(self) -> list[Task]:
        """The tasks whose handlers run now."""
        return [attempt.task for attempt in self._attempts.values()]

    @property
    def is_busy(self) -> bool:
        """Whether a handler runs, or what one came to is not on the disk yet."""
        return bool(self._attempts or self._moving)

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
            ended = [Ended(task, end, decide(task, end, now, NO_WAIT)) for task in cut_off]
            for it in ended:
                self._watcher.note(it)
            await self._store.commit_change(self._change_of(ended))
        return cut_off

    async def wait_for(self, task_id: str) -> Task | None:
        """Return a task once it is final; None when it is unknown."""
        task = await self._queue.find(task_id)
        if task is None or task.state.is_final:
            return task
        future: asyncio.Future[Task] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(task_id, [])
        waiters.append(future)
        try:
            return await future
        finally:
            # Whoever gives up waiting must not leave anything behind until the task ends, if it ever does.
            waiters.remove(future)
            if not waiters and self._waiters.get(task_id) is waiters:
                del self._waiters[task_id]

    async def cancel(self, task_id: str, reason: str) -> bool:
        """End a task that is not final yet; False when there is no such task, or it has just ended by itself.

        Raises:
            StoreFull, StoreError: it waits, and its end could not be stored; it goes on waiting.
        """
        while task_id in self._moving:
            self._settled.clear()
            await self._settled.wait()
        end = End(ending=Ending.CANCELLED, reason=reason)
        if (attempt := self._attempts.get(task_id)) is not None:
            attempt.stop(end)
            return True
        if (task := self._store.tasks.get(task_id)) is None:
            return False
        await self._cancel_waiting(task, end)
        return True

    async def stop(self, grace_s: float) -> None:
        """Start nothing more; give what runs its grace, then put it back in the queue.

        It comes to its end even while the store refuses: what could not be stored is owed again at
        the next start, as after a crash.
        """
        self._is_stopping = True
        returning = self._clock.call_later(grace_s, self._stop_all)
        giving_up = self._clock.call_later(grace_s + RETURN_GRACE_S + STOP_SAVE_S, self.let_go)
        while self.is_busy and not self._is_over:
            self._settled.clear()
            await self._settled.wait()
        returning.cancel()
        giving_up.cancel()
        if self._moving:
            log.critical("stop.unsaved", extra={"fields": {"tasks": len(self._moving)}})

    def let_go(self) -> None:
        """Ask nothing of the store any more: it is being closed."""
        self._is_stopping = self._is_over = True
        self._settled.set()

    def _stop_all(self) -> None:
        for attempt in list(self._attempts.values()):
            attempt.stop(RETURNED, RETURN_GRACE_S)

    def _pump(self) -> None:
        self._is_pump_due = False
        if self._ended and not self._is_over:
            self._save_ends()
        if self._is_stopping or self._start_retry is not None:
            return
        taken = []
        for lane, free in self._free.items():
            while free > 0 and (task := self._queue.take(lane)) is not None:
                if task.id in self._moving:
                    self._aside[task.id] = task
                    continue
                taken.append(task)
                free -= 1
            self._free[lane] = free
        if taken:
            self._save_starts(taken)

    async def _cancel_waiting(self, task: Task, end: End) -> None:
        # Earlier attempts stand in the history under their numbers; this end takes the next one.
        last = replace(task, attempt=task.attempt + (task.attempt > 0), started_at=None)
        cancelled = Ended(task, end, decide(last, end, self._clock.now(), NO_WAIT))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: StoreError | None) -> None:
            aside = self._aside.pop(task.id, None)
            if error is None:
                self._watcher.note(cancelled)
                self._tell_waiters([cancelled])
            elif aside is not None:
                self._queue.put_back([aside])
            self._unmove([task])
            self.pump()
            if not future.cancelled():
                future.set_result(None) if error is None else future.set_exception(error)

        self._store.submit(self._change_of([cancelled]), done)
        self._moving.add(task.id)
        # The shield: the cancellation is under way, whoever asked for it and stopped waiting.
        await asyncio.shield(future)

    def _unmove(self, tasks: Iterable[Task]) -> None:
        self._moving.difference_update(task.id for task in tasks)
        self._settled.set()

    def _save_starts(self, taken: list[Task]) -> None:
        now = self._clock.now()
        started = [
            replace(it, state=TaskState.EXECUTING, attempt=it.attempt + 1, started_at=now, finished_at=None)
            for it in taken
        ]
        self._moving.update(task.id for task in taken)
        self._starts_on_their_way += 1
        change = Change()
        for task in started:
            change.start(task)
        self._store.submit(change, partial(self._starts_saved, taken, started))

    def _starts_saved(self, taken: list[Task], started: list[Task], error: StoreError | None) -> None:
        self._starts_on_their_way -= 1
        self._unmove(taken)
        if error is None:
            for task in started:
                self._begin(task)
        else:
            for task in taken:
                self._free[task.lane] += 1
            self._refused_starts += taken
            if self._start_retry is None:
                log.critical("store.refused", extra={"fields": {"error": str(error), "starts": len(taken)}})
                self._start_retry = self._clock.call_later(RETRY_STORE_S, self._start_again)
        if self._refused_starts and self._starts_on_their_way == 0:
            # All at once, when no more can be refused: so they keep their order.
            self._queue.put_back(self._refused_starts)
            self._refused_starts = []

    def _start_again(self) -> None:
        self._start_retry = None
        self.pump()

    def _begin(self, task: Task) -> None:
        handler = self.plan.handlers.get(task.handler)
        limit_s = 0.0 if handler is None else self.plan.time_limit(task).total_seconds()
        attempt = Attempt(task, self._deadlines, limit_s, self._attempt_ended)
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
            self._left_behind = {attempt, *(it for it in self._left_behind if it.is_running)}
        self._free[attempt.task.lane] += 1
        self._moving.add(attempt.task.id)
        self._ended.append((attempt, end))
        if len(self._ended) < GROUP:
            self.pump()
        else:
            # Handed over without waiting for the rest, so that the disk is at work while the loop is.
            self._pump()

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

    def _offer_ends(self, ended: list[Ended], *, with_runs: bool = True) -> None:
        change = self._change_of(ended, with_runs=with_runs)
        self._store.submit(change, partial(self._ends_saved, ended, with_runs))

    def _ends_saved(self, ended: list[Ended], with_runs: bool, error: StoreError | None) -> None:
        if error is not None:
            self._ends_refused(ended, with_runs, error)
            return
        self._unmove(it.task for it in ended)
        self._queue.file(*(it.task for it in ended if not it.task.state.is_final))
        self._tell_waiters(ended)

    def _ends_refused(self, ended: list[Ended], with_runs: bool, error: StoreError) -> None:
        """What was done stays in memory until there is room for it; it is never done again meanwhile."""
        if self._is_over:
            return
        if len(ended) > 1 and not isinstance(error, StoreFull):
            # One of them may be at fault; alone, only that one is refused.
            for it in ended:
                self._offer_ends([it])
        elif with_runs and isinstance(error, StoreConflict):
            # The history has this attempt already, from before a restore. The end counts for more.
            log.error("run.refused", extra={"fields": {"error": str(error), "task": ended[0].task.id}})
            self._offer_ends(ended, with_runs=False)
        else:
            self._refused_ends.append(ended)
            if self._end_retry is None:
                log.critical("store.refused", extra={"fields": {"error": str(error), "ends": len(ended)}})
                self._end_retry = self._clock.call_later(RETRY_STORE_S, self._end_again)

    def _end_again(self) -> None:
        self._end_retry = None
        refused, self._refused_ends = self._refused_ends, []
        for ended in refused if not self._is_over else ():
            self._offer_ends(ended)

    def _change_of(self, ended: list[Ended], *, with_runs: bool = True) -> Change:
        change = Change()
        now = self._clock.now()
        for it in ended:
            is_final = it.task.state.is_final
            if is_final:
                change.delete(it.task)
            else:
                change.put(it.task)
            # The history keeps whatever was tried, and every task's last word.
            is_run = is_final or it.end.ending not in NO_RUN
            if with_runs and is_run and self._is_in_history(it.task):
                change.record_run(it.task if is_final else _as_run(it.task, now))
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
    """An unfinished task as the history keeps an attempt of it: as retryable."""
    if task.state is TaskState.RETRYABLE:
        return task
    return replace(task, state=TaskState.RETRYABLE, finished_at=now)

"""The durable queue: what has been promised, and which of it is next.

A task is on the disk before anybody is told that it was accepted. The order lives here, in memory;
the tasks themselves are the store's.
"""

import asyncio
import heapq
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from daemon.clock import Clock
from daemon.engine.ids import Ids
from daemon.engine.plain import NotPlain, plain
from state.database import StoreError
from state.records import Lane, Task, TaskKey, TaskState, Trigger
from state.schema import RUN
from state.store import Change, Store

EXECUTING = TaskState.EXECUTING
# With nothing that waits for its time the queue still looks around this often.
IDLE = timedelta(minutes=10)


class QueueFull(Exception):
    """As many tasks wait as the configuration allows."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A task that is on the disk; `is_duplicate` when the same key had made it before."""

    task: Task
    is_duplicate: bool = False


class Queue:
    """Tasks wait here until the worker takes them: first come first served, within each lane."""

    name = "queue"

    def __init__(self, store: Store, clock: Clock, max_waiting: int) -> None:
        self.woken = asyncio.Event()
        self._store = store
        self._clock = clock
        self._max_waiting = max_waiting
        self._ids = Ids()
        self._ready: dict[Lane, deque[str]] = {lane: deque() for lane in Lane}
        self._later: list[tuple[datetime, str]] = []
        self._being_made: dict[str, asyncio.Future[Accepted]] = {}  # by key
        self._in_the_making = 0
        self.on_ready: Callable[[], None] = lambda: None  # the worker's ear

    def load(self) -> None:
        """Take up the unfinished tasks that the store remembers."""
        for task in self._store.tasks.values():
            self._file(task)
        self.on_ready()

    def new_task(self, handler: str, *, scheduled_at: datetime | None = None, **fields: Any) -> Task:
        """A task with an id of its own; nobody has promised it yet."""
        now = self._clock.now()
        at = scheduled_at or now
        state = TaskState.SCHEDULED if at > now else TaskState.AVAILABLE
        return Task(id=self._ids.next(now), handler=handler, scheduled_at=at, state=state, **fields)

    async def enqueue(
        self,
        handler: str,
        args: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        trigger: Trigger = Trigger.API,
        **fields: Any,
    ) -> Accepted:
        """Promise a task; it is on the disk when this returns.

        Called twice with one key, also at once or after the task has ended, it answers with the
        first task. Whoever stops waiting for the answer may have promised the task all the same.

        Raises:
            QueueFull: too many wait already.
            StoreFull, StoreError: it could not be stored, and is not promised.
        """
        if key is not None:
            while (being_made := self._being_made.get(key)) is not None:
                await asyncio.wait({being_made})
            if (known := self._store.keys.get(key)) is not None:
                return Accepted(await self.find(known.task_id) or self._forgotten(known, handler), True)
        try:
            kept = plain(args or {})
        except NotPlain as error:
            raise StoreError(f"args of {handler}: {error}; nothing was accepted") from None
        return await self._make(self.new_task(handler, args=kept, trigger=trigger, key=key, **fields))

    async def find(self, task_id: str) -> Task | None:
        """A task by its id, finished or not; None when there never was one, or it is forgotten."""
        if (task := self._store.tasks.get(task_id)) is not None:
            return task
        for task in reversed(self._store.history):
            if task.id == task_id:
                return task
        return await self._store.read(lambda connection: _find_run(connection, task_id))

    def put_in(self, change: Change, task: Task) -> None:
        """Have a task become promised together with what causes it; then call `file`."""
        change.put(task)
        if task.key is not None:
            change.put(TaskKey(key=task.key, task_id=task.id, created_at=self._clock.now()))

    def file(self, *tasks: Task) -> None:
        """Put promised tasks in their places, and tell the worker."""
        for task in tasks:
            self._file(task)
        self.on_ready()

    def take(self, lane: Lane) -> Task | None:
        """The next task of a lane, or None; it is the taker's from now on."""
        ready = self._ready[lane]
        while ready:
            task = self._store.tasks.get(ready.popleft())
            if task is not None and task.state is not TaskState.EXECUTING:
                return task
        return None

    def put_back(self, tasks: list[Task]) -> None:
        """Give back, to the front, what was taken and could not be started."""
        for task in reversed(tasks):
            self._ready[task.lane].appendleft(task.id)

    async def step(self) -> datetime:
        """Put in line what was waiting for its time; say when the next one comes due."""
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            task = self._store.tasks.get(heapq.heappop(self._later)[1])
            if task is not None and task.state in (TaskState.SCHEDULED, TaskState.RETRYABLE):
                self._ready[task.lane].append(task.id)
        self.on_ready()
        return self._later[0][0] if self._later else now + IDLE

    def depth(self, lane: Lane) -> int:
        """How many tasks of a lane are ready to start."""
        return len(self._ready[lane])

    def waiting_since(self, lane: Lane) -> datetime | None:
        """When the one that is next in a lane was to start; None where none is ready."""
        tasks = (self._store.tasks.get(task_id) for task_id in self._ready[lane])
        return next((it.scheduled_at for it in tasks if it is not None and it.state is not EXECUTING), None)

    async def _make(self, task: Task) -> Accepted:
        if len(self._store.tasks) + self._in_the_making >= self._max_waiting:
            raise QueueFull(f"{self._max_waiting} tasks wait already; nothing was accepted")
        change = Change()
        self.put_in(change, task)
        future: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._store.submit(change, partial(self._made, task, future))
        self._in_the_making += 1
        if task.key is not None:
            self._being_made[task.key] = future
        # The shield: a caller who gives up takes neither the task out of its line nor the key from it.
        return await asyncio.shield(future)

    def _made(self, task: Task, future: asyncio.Future[Accepted], error: StoreError | None) -> None:
        self._in_the_making -= 1
        if task.key is not None:
            del self._being_made[task.key]
        if error is None:
            self.file(task)
        if future.cancelled():  # the loop is being closed
            return
        if error is None:
            future.set_result(Accepted(task))
        else:
            future.set_exception(error)

    def _file(self, task: Task) -> None:
        if task.state is TaskState.AVAILABLE:
            self._ready[task.lane].append(task.id)
        elif task.state in (TaskState.SCHEDULED, TaskState.RETRYABLE):
            heapq.heappush(self._later, (task.scheduled_at, task.id))
            if self._later[0][1] == task.id:
                self.woken.set()

    def _forgotten(self, known: TaskKey, handler: str) -> Task:
        # Its history has been pruned, but its key says that it was done: that much is still promised.
        return Task(
            id=known.task_id,
            handler=handler,
            key=known.key,
            state=TaskState.COMPLETED,
            scheduled_at=known.created_at,
        )


def _find_run(connection: sqlite3.Connection, task_id: str) -> Task | None:
    row = connection.execute(
        "SELECT * FROM run WHERE id = ? ORDER BY attempt DESC LIMIT 1", (task_id,)
    ).fetchone()
    return None if row is None else RUN.decode(row)

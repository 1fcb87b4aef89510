"""The working copy: what is true now, in memory, and never before it is on the disk."""

import asyncio
import itertools
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from state.database import Database, StoreDamaged, StoreError
from state.home import Home
from state.records import (
    Alert,
    Delivery,
    HandlerRecord,
    Note,
    Notice,
    ScheduleRecord,
    Silence,
    Task,
    TaskKey,
    Telling,
)
from state.schema import (
    ALERT,
    DELIVERY,
    HANDLER,
    HISTORY_LENGTH,
    LOADED,
    NEWEST_RUNS,
    NOTE,
    NOTICE,
    RUN,
    SCHEDULE,
    SILENCE,
    TABLE_OF,
    TASK,
    TASK_KEY,
    TASK_START,
    TELLING,
    Operation,
    Table,
    as_started,
)

T = TypeVar("T")


class Change:
    """What becomes true together, or not at all."""

    __slots__ = ("operations",)

    def __init__(self, *records: Any) -> None:
        self.operations: list[Operation] = []
        for record in records:
            self.put(record)

    def put(self, record: Any) -> None:
        """Write a record over the one of the same key."""
        table = TABLE_OF[type(record)]
        key = None if table.key is None else getattr(record, table.key)
        self.operations.append(Operation(table, key, record))

    def delete(self, record: Any) -> None:
        """Remove a record; what has no key cannot be removed."""
        table = TABLE_OF[type(record)]
        assert table.key is not None, f"{type(record).__name__} records are never removed"
        self.operations.append(Operation(table, getattr(record, table.key), None))

    def start(self, task: Task) -> None:
        """Mark a stored task as executing, with its attempt and the time it began."""
        self.operations.append(Operation(TASK_START, task.id, task))

    def record_run(self, task: Task) -> None:
        """Add a finished attempt to the history."""
        self.operations.append(Operation(RUN, None, task))


class Store:
    """What is remembered. The dictionaries are for reading; changes go through `commit`."""

    def __init__(self, home: Home, database: Database) -> None:
        self.home = home
        self.tasks: dict[str, Task] = {}
        self.history: deque[Task] = deque(maxlen=HISTORY_LENGTH)
        self.runs_total = 0
        self.handlers: dict[str, HandlerRecord] = {}
        self.schedules: dict[str, ScheduleRecord] = {}
        self.alerts: dict[str, Alert] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.silences: dict[str, Silence] = {}
        self.tellings: dict[str, Telling] = {}
        self.notices: dict[str, Notice] = {}
        self.keys: dict[str, TaskKey] = {}
        self._notes: dict[str, Note] = {}
        self._database = database
        self._memory: dict[Table, dict[str, Any]] = {
            TASK: self.tasks,
            HANDLER: self.handlers,
            SCHEDULE: self.schedules,
            ALERT: self.alerts,
            DELIVERY: self.deliveries,
            SILENCE: self.silences,
            TELLING: self.tellings,
            NOTICE: self.notices,
            TASK_KEY: self.keys,
            TASK_START: self.tasks,
            NOTE: self._notes,
        }

    @property
    def generation(self) -> int:
        """How many groups of changes are durable and in memory here; grows, never back."""
        return self._database.generation

    @property
    def is_quiet(self) -> bool:
        return self._database.is_quiet

    def on_commit(self, call: Callable[[], None]) -> None:
        """Have something called after each group of changes that became durable."""
        self._database.on_commit = call

    def on_damage(self, call: Callable[[StoreDamaged], None]) -> None:
        """Have something called when the database turns out not to be what was written to it."""
        self._database.on_damage = call

    @property
    def notes(self) -> Mapping[str, str]:
        """Small named facts, by name."""
        return {name: note.value for name, note in self._notes.items()}

    def note(self, name: str) -> str | None:
        """One small fact."""
        note = self._notes.get(name)
        return None if note is None else note.value

    def submit(self, change: Change, then: Callable[[StoreError | None], None]) -> None:
        """Make a change durable with the next group; then `then` is called on the loop."""

        def done(error: Exception | None, _result: Any) -> None:
            if error is None:
                self._apply(change)
            then(error if error is None or isinstance(error, StoreError) else StoreError(str(error)))

        self._database.submit(change.operations, done)

    async def commit(
        self, *records: Any, notes: Mapping[str, str] | None = None, deletes: Iterable[Any] = ()
    ) -> None:
        """Make records durable, all or none.

        Raises:
            StoreFull: the disk is full; nothing was kept.
            StoreError: the database refused; nothing was kept.
        """
        change = Change(*records)
        for name, value in (notes or {}).items():
            change.put(Note(name=name, value=value))
        for record in deletes:
            change.delete(record)
        await self.commit_change(change)

    async def commit_change(self, change: Change) -> None:
        """Make a change durable, all or nothing of it; raises as `commit` does."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def then(error: StoreError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.submit(change, then)
        await future

    async def commit_each(self, changes: Sequence[Change]) -> list[StoreError | None]:
        """Make several changes durable, each by itself; say for each what kept it from being stored."""
        errors: list[StoreError | None] = [None] * len(changes)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = len(changes)

        def then(index: int, error: StoreError | None) -> None:
            nonlocal left
            errors[index] = error
            left -= 1
            if left == 0 and not future.done():
                future.set_result(None)

        for index, change in enumerate(changes):
            self.submit(change, partial(then, index))
        if changes:
            await future
        return errors

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do SQL work on the writer's connection, all or nothing of it; raises as `commit` does."""
        return await self._database.run(work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Read what is committed, beside the writer."""
        return await self._database.read(work)

    async def quiet(self) -> None:
        """Return once nothing is on its way to the disk."""
        await self._database.quiet()

    async def load(self) -> None:
        """Fill the working copy from the database."""
        await self.read(self._load)

    async def close(self) -> None:
        await self._database.close()

    def _apply(self, change: Change) -> None:
        for table, key, record in change.operations:
            if key is None:
                if table is RUN:
                    self.history.append(record)
                    self.runs_total += 1
                continue
            memory = self._memory[table]
            if record is None:
                memory.pop(key, None)
            elif table is TASK_START:
                # Missing only where the same group removes it again, or writes it anew.
                if key in memory:
                    memory[key] = as_started(memory[key], record)
            else:
                memory[key] = record

    def _load(self, connection: sqlite3.Connection) -> None:
        for table in LOADED:
            assert table.key is not None
            memory = self._memory[table]
            for row in connection.execute(table.select):
                memory[row[table.key]] = table.decode(row)
        newest = connection.execute(NEWEST_RUNS).fetchall()
        self.history.extend(RUN.decode(row) for row in reversed(newest))
        self.runs_total = connection.execute("SELECT coalesce(max(seq), 0) FROM run").fetchone()[0]


def first(records: Iterable[T], count: int) -> list[T]:
    """A copy of the first few, cheap however many there are."""
    return list(itertools.islice(records, count))

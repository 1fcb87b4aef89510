"""The tables of the database, and how each record becomes a row and a row its record again."""

import re
import sqlite3
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, get_args, get_type_hints

from msgspec.structs import astuple, fields

from state.codec import from_json, parse_time, time_text, to_json
from state.records import (
    Alert,
    Delivery,
    HandlerRecord,
    Note,
    Notice,
    Record,
    ScheduleRecord,
    Silence,
    SlotRecord,
    Task,
    TaskKey,
    TaskState,
    Telling,
    replace,
)

NOT_STORED = "a task that is not stored cannot be started"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """How one class of records is kept: whole statements, and the way there and back.

    `key` names the field that a later put of the same record replaces; where it is None every put is
    a row of its own, and none is ever removed. `since` is the version of the tables that brought it.
    """

    key: str | None
    put: str
    delete: str
    select: str
    encode: Callable[[Any], tuple[Any, ...]]
    decode: Callable[[sqlite3.Row], Any]
    since: int = 1


class Operation(NamedTuple):
    """One row to write (`record`), or the key of one to delete (`record` is None)."""

    table: Table
    key: str | None
    record: Any


def write_operations(connection: sqlite3.Connection, operations: Iterable[Operation]) -> None:
    """Write many operations in few statements, as if one after the other.

    They become true together, so of several on one key only the last one matters.

    Raises:
        LookupError: a task was started that is not stored.
    """
    keyed: dict[Table, dict[str, Any]] = {}
    rows: dict[Table, list[Any]] = {}
    for table, key, record in operations:
        if key is None:
            rows.setdefault(table, []).append(record)
        elif table is TASK_START and key in keyed.get(TASK, ()):
            stored = keyed[TASK][key]
            if stored is None:
                raise LookupError(NOT_STORED)
            # The same transaction writes its row: it is written as it is once started.
            keyed[TASK][key] = as_started(stored, record)
        else:
            if table is TASK:
                keyed.get(TASK_START, {}).pop(key, None)
            keyed.setdefault(table, {})[key] = record
    _write_runs(connection, rows.pop(RUN, ()), keyed.get(TASK, {}))
    _write_starts(connection, keyed.pop(TASK_START, {}).values())
    for table, records in rows.items():
        _write_rows(connection, table.put, [table.encode(record) for record in records])
    for table, by_key in keyed.items():
        _write_rows(connection, table.put, [table.encode(it) for it in by_key.values() if it is not None])
        gone = [(key,) for key, it in by_key.items() if it is None]
        _write_rows(connection, table.delete, gone, spare=True)


def _write_starts(connection: sqlite3.Connection, starts: Collection[Task]) -> None:
    """Mark stored tasks as executing. Those that start together share their time, and most their attempt."""
    alike: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for task in starts:
        attempt, started_at, key = TASK_START.encode(task)
        alike.setdefault((attempt, started_at), []).append((key,))
    written = [
        _write_rows(connection, TASK_START.put, keys, shared=shared, spare=True)
        for shared, keys in alike.items()
    ]
    if sum(written) != len(starts):
        raise LookupError(NOT_STORED)


def _write_runs(connection: sqlite3.Connection, runs: Sequence[Task], tasks: Container[str]) -> None:
    """Add attempts to the history; `tasks` are those whose rows this transaction is about to change.

    What a task was made with never changes and stands in its row, so only the rest is handed over.
    """
    stored = [run for run in runs if run.id in tasks]
    rows = [_encode_changing(run) for run in stored]
    if _write_rows(connection, RUN_OF_TASK, rows, spare=True) != len(stored):
        known = {row[0] for row in connection.execute("SELECT id FROM task")}
        stored = [run for run in stored if run.id in known]
    if len(stored) < len(runs):
        written = {run.id for run in stored}
        _write_rows(connection, RUN.put, [RUN.encode(run) for run in runs if run.id not in written])


def _encode_changing(task: Task) -> tuple[Any, ...]:
    return (
        task.id,
        task.state._value_,
        task.attempt,
        time_text(task.scheduled_at),
        None if task.started_at is None else time_text(task.started_at),
        None if task.finished_at is None else time_text(task.finished_at),
        task.error,
        None if task.summary is None else _WRITERS[Mapping](task.summary),
    )


# Of so many rows at most a statement is made; each number is a power of two, so that there are few.
_ROWS_AT_ONCE = 128
_ONE_ROW = re.compile(r"(?<=VALUES )\([?,]+\)")


def _write_rows(
    connection: sqlite3.Connection,
    statement: str,
    rows: list[tuple[Any, ...]],
    *,
    shared: tuple[Any, ...] = (),
    spare: bool = False,
) -> int:
    """Run a statement for many rows at a time; how many it wrote.

    `shared` are the values that stand before the rows. `spare`: a row of nulls finds nothing to write
    to, so such rows may fill the last statement up.

    Not `executemany`: that lets go of the interpreter's lock at every row and waits for it again, while
    the loop is busy for up to 5 ms each time. Measured beside a busy thread: 1,100 us a task, now 100.
    """
    written, start, at_once = 0, 0, _ROWS_AT_ONCE
    while (left := len(rows) - start) > 0:
        if spare:
            at_once = min(at_once, 1 << (left - 1).bit_length())
            rows += [(None,) * len(rows[0])] * (at_once - left)
        else:
            at_once = min(at_once, 1 << (left.bit_length() - 1))
        values = [*shared, *chain.from_iterable(rows[start : start + at_once])]
        written += connection.execute(_for_rows(statement, at_once), values).rowcount
        start += at_once
    return written


@cache
def _for_rows(statement: str, count: int) -> str:
    return _ONE_ROW.sub(lambda row: ",".join([row[0]] * count), statement)


def _encoder(record: type[Record]) -> Callable[[Any], tuple[Any, ...]]:
    """Rows have the record's fields in its order; times, enums and mappings go in as text."""
    hints = get_type_hints(record)
    writers = [
        (index, _WRITERS[kind])
        for index, field in enumerate(fields(record))
        if (kind := _kind(hints[field.name])) in _WRITERS
    ]

    def encode(value: Record) -> tuple[Any, ...]:
        row = list(astuple(value))
        for index, write in writers:
            if row[index] is not None:
                row[index] = write(row[index])
        return tuple(row)

    return encode


def _decoder(record: type[Record]) -> Callable[[sqlite3.Row], Any]:
    hints = get_type_hints(record)
    readers = [(field.name, _reader(hints[field.name])) for field in fields(record)]

    def decode(row: sqlite3.Row) -> Any:
        given = {}
        for name, read in readers:
            value = row[name]
            given[name] = value if read is None or value is None else read(value)
        return record(**given)

    return decode


def _kind(hint: Any) -> type | None:
    for part in (hint, *get_args(hint)):
        origin = getattr(part, "__origin__", part)
        if origin is datetime:
            return datetime
        if isinstance(origin, type) and issubclass(origin, Enum):
            return Enum
        if origin is Mapping or origin is tuple:
            return origin
    return None


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    kind = _kind(hint)
    if kind is Enum:
        return next(
            part for part in (hint, *get_args(hint)) if isinstance(part, type) and issubclass(part, Enum)
        )
    return None if kind is None else _READERS[kind]


_WRITERS: dict[type | None, Callable[[Any], str]] = {
    datetime: time_text,
    Enum: attrgetter("_value_"),  # what `value` answers, by way of Python
    Mapping: lambda value: to_json(value).decode() if value else "{}",
    tuple: lambda value: to_json(value).decode(),
}
_READERS: dict[type, Callable[[str], Any]] = {
    datetime: parse_time,
    Mapping: from_json,
    tuple: lambda text: tuple(from_json(text)),
}


def _table(
    record: type[Record], name: str, key: str | None, put: str, order: str, *, since: int = 1
) -> Table:
    delete = f"DELETE FROM {name} WHERE {key} IN (VALUES (?))"  # noqa: S608 - names from the lines below, never data
    select = f"SELECT * FROM {name} ORDER BY {order}"  # noqa: S608
    return Table(key, put, delete, select, _encoder(record), _decoder(record), since)


TASK = _table(
    Task, "task", "id", "INSERT OR REPLACE INTO task VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "id"
)

# A start changes three columns of a row that is there; it is made for every task, so it is made cheap.
TASK_START = Table(
    key="id",
    put="UPDATE task SET state = 'executing', attempt = ?, started_at = ?, finished_at = NULL"
    " WHERE id IN (VALUES (?))",
    delete=TASK.delete,
    select=TASK.select,
    encode=lambda task: (task.attempt, time_text(task.started_at), task.id),
    decode=TASK.decode,
)


def as_started(stored: Task, start: Task) -> Task:
    """What `TASK_START` makes of a stored task."""
    return replace(
        stored,
        state=TaskState.EXECUTING,
        attempt=start.attempt,
        started_at=start.started_at,
        finished_at=None,
    )


RUN = _table(
    Task,
    "run",
    None,
    "INSERT INTO run (id, handler, args, state, trigger, lane, schedule, slot, key, attempt, max_attempts,"
    " scheduled_at, started_at, finished_at, error, summary) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "seq",
)

RUN_OF_TASK = """
INSERT INTO run (id, handler, args, state, trigger, lane, schedule, slot, key, attempt, max_attempts,
    scheduled_at, started_at, finished_at, error, summary)
SELECT id, handler, args, column2, trigger, lane, schedule, slot, key, column3, max_attempts,
    column4, column5, column6, column7, column8
FROM (VALUES (?,?,?,?,?,?,?,?)) CROSS JOIN task ON task.id = column1"""

HANDLER = _table(
    HandlerRecord, "handler", "handler", "INSERT OR REPLACE INTO handler VALUES (?,?,?,?,?,?,?,?)", "handler"
)
SCHEDULE = _table(
    ScheduleRecord, "schedule", "name", "INSERT OR REPLACE INTO schedule VALUES (?,?,?,?,?,?,?,?)", "name"
)
# No "or replace": a slot that is decided twice is a fault, and the second decision is refused.
SLOT = _table(SlotRecord, "slot", None, "INSERT INTO slot VALUES (?,?,?,?,?,?)", "schedule, slot")
ALERT = _table(
    Alert, "alert", "id", "INSERT OR REPLACE INTO alert VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "first_at"
)
DELIVERY = _table(
    Delivery, "delivery", "id", "INSERT OR REPLACE INTO delivery VALUES (?,?,?,?,?,?,?,?,?,?,?)", "created_at"
)
SILENCE = _table(
    Silence,
    "silence",
    "id",
    "INSERT OR REPLACE INTO silence VALUES (?,?,?,?,?,?,?)",
    "created_at",
    since=2,
)
TELLING = _table(
    Telling,
    "telling",
    "id",
    "INSERT OR REPLACE INTO telling VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    "id",
    since=2,
)
NOTICE = _table(
    Notice,
    "notice",
    "id",
    "INSERT OR REPLACE INTO notice VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "created_at",
    since=2,
)
NOTE = _table(Note, "note", "name", "INSERT OR REPLACE INTO note VALUES (?,?)", "name")
TASK_KEY = _table(TaskKey, "task_key", "key", "INSERT OR REPLACE INTO task_key VALUES (?,?,?)", "created_at")

# What a start reads into memory, besides the newest runs.
LOADED = (TASK, TASK_KEY, HANDLER, SCHEDULE, ALERT, DELIVERY, SILENCE, TELLING, NOTICE, NOTE)
HISTORY_LENGTH = 50
NEWEST_RUNS = f"SELECT * FROM run ORDER BY seq DESC LIMIT {HISTORY_LENGTH}"  # noqa: S608

TABLE_OF: dict[type, Table] = {
    Task: TASK,
    TaskKey: TASK_KEY,
    HandlerRecord: HANDLER,
    ScheduleRecord: SCHEDULE,
    SlotRecord: SLOT,
    Alert: ALERT,
    Delivery: DELIVERY,
    Silence: SILENCE,
    Telling: TELLING,
    Notice: NOTICE,
    Note: NOTE,
}

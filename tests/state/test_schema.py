"""Records and rows: the same fields, in the same order, there and back."""

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from state.database import make_tables
from state.records import Record, SlotRecord, Task, TaskState
from state.schema import RUN, TABLE_OF, TASK, TASK_START, Operation, write_operations
from tests.state.sample import NOW, make_task

NAMES = {
    "Task": "task", "TaskKey": "task_key", "HandlerRecord": "handler", "ScheduleRecord": "schedule",
    "SlotRecord": "slot", "Alert": "alert", "Delivery": "delivery", "Silence": "silence",
    "Telling": "telling", "Notice": "notice", "Note": "note",
}  # fmt: skip

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, TEXT, st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Anything a field may hold."""
    parts = get_args(hint)
    if type(None) in parts:
        return st.none() | values_of(parts[0])
    if getattr(hint, "__origin__", None) is Mapping:
        return st.dictionaries(TEXT, TEXT if parts[1] is str else JSON, max_size=4)
    if getattr(hint, "__origin__", None) is tuple:
        return st.lists(TEXT, max_size=4).map(tuple)
    if hint is datetime:
        return st.datetimes(timezones=st.just(UTC))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return {str: TEXT, int: INTEGERS}[hint]


def records(kind: type[Record]) -> st.SearchStrategy[Record]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in fields(kind)})


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    connection = empty_database()
    yield connection
    connection.close()


def empty_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    make_tables(connection)
    return connection


def columns(connection: sqlite3.Connection, name: str) -> list[str]:
    return [row["name"] for row in connection.execute(f"PRAGMA table_info({name})")]


@pytest.mark.parametrize("kind", TABLE_OF, ids=lambda kind: kind.__name__)
def test_a_table_has_its_records_fields_in_order(kind: type[Record], connection: sqlite3.Connection) -> None:
    assert columns(connection, NAMES[kind.__name__]) == [field.name for field in fields(kind)]


def test_a_run_is_a_task_with_a_number(connection: sqlite3.Connection) -> None:
    assert columns(connection, "run") == ["seq", *(field.name for field in fields(Task))]


@pytest.mark.parametrize("kind", TABLE_OF, ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_record_comes_back_as_it_was(
    kind: type[Record], connection: sqlite3.Connection, data: st.DataObject
) -> None:
    record, table, name = data.draw(records(kind)), TABLE_OF[kind], NAMES[kind.__name__]
    connection.execute(f"DELETE FROM {name}")
    connection.execute(table.put, table.encode(record))
    assert [table.decode(row) for row in connection.execute(table.select)] == [record]


@settings(max_examples=40, deadline=None)
@given(record=records(Task), finished_at=st.datetimes(timezones=st.just(UTC)))
def test_every_run_comes_back_as_it_was(
    connection: sqlite3.Connection, record: Task, finished_at: datetime
) -> None:
    run = Task(**{**{it.name: getattr(record, it.name) for it in fields(record)}, "finished_at": finished_at})
    connection.execute("DELETE FROM run")
    connection.execute(RUN.put, RUN.encode(run))
    assert [RUN.decode(row) for row in connection.execute(RUN.select)] == [run]


@pytest.mark.parametrize("kind", TABLE_OF, ids=lambda kind: kind.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_second_put_replaces_the_first_but_for_slots(kind: type[Record], data: st.DataObject) -> None:
    first, second, table = data.draw(records(kind)), data.draw(records(kind)), TABLE_OF[kind]
    key = table.key or "slot"
    same = kind(**{it.name: getattr(second, it.name) for it in fields(kind)} | {key: getattr(first, key)})
    if kind is SlotRecord:
        same = kind(**{it.name: getattr(first, it.name) for it in fields(kind)})
    connection = empty_database()
    try:
        connection.execute(table.put, table.encode(first))
        if kind is SlotRecord:
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(table.put, table.encode(same))
        else:
            connection.execute(table.put, table.encode(same))
            assert [table.decode(row) for row in connection.execute(table.select)] == [same]
    finally:
        connection.close()


@st.composite
def task_operations(draw: st.DrawFn) -> list[Operation]:
    """Operations on few tasks as callers may submit them: only what is stored is started."""
    stored: dict[str, Task] = {"a": make_task("a"), "b": make_task("b")}
    operations = []
    for number in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from("abc"))
        what = draw(st.sampled_from(["put", "delete", "start", "run"]))
        if what == "put":
            stored[name] = make_task(name, error=f"put {number}", attempt=number, finished_at=NOW)
            operations.append(Operation(TASK, name, stored[name]))
        elif what == "delete":
            stored.pop(name, None)
            operations.append(Operation(TASK, name, None))
        elif what == "run":
            operations.append(Operation(RUN, None, make_task(f"run-{number}", finished_at=NOW)))
        elif name in stored:
            kept = {it.name: getattr(stored[name], it.name) for it in fields(Task)}
            changed = {"attempt": number, "started_at": NOW, "finished_at": None}
            stored[name] = Task(**{**kept, **changed, "state": TaskState.EXECUTING})
            operations.append(Operation(TASK_START, name, stored[name]))
    return operations


@settings(max_examples=150, deadline=None)
@given(task_operations())
def test_operations_written_together_end_as_if_written_one_by_one(operations: list[Operation]) -> None:
    ends = []
    for groups in ([operations], [[operation] for operation in operations]):
        connection = empty_database()
        write_operations(connection, [Operation(TASK, it, make_task(it)) for it in "ab"])
        for group in groups:
            write_operations(connection, group)
        ends.append([[tuple(row) for row in connection.execute(table.select)] for table in (TASK, RUN)])
        connection.close()
    assert ends[0] == ends[1]


@pytest.mark.parametrize("before", [[], [Operation(TASK, "a", None)]], ids=["never stored", "just deleted"])
def test_a_task_that_is_not_stored_cannot_be_started(before: list[Operation]) -> None:
    connection = empty_database()
    start = Operation(TASK_START, "a", make_task("a", state=TaskState.EXECUTING, started_at=NOW))
    try:
        with pytest.raises(LookupError, match="not stored"):
            write_operations(connection, [*before, start])
    finally:
        connection.close()

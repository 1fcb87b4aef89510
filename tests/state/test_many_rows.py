"""Hundreds of rows in a few statements come to the same as one at a time."""

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.database import make_tables
from state.records import Task, TaskState, replace
from state.schema import RUN, TASK, TASK_START, Operation, write_operations

NOW = datetime(2026, 11, 21, 21, 14, 43, 123456, tzinfo=UTC)
LATER = NOW.replace(hour=22)
COUNTS = [1, 2, 3, 63, 64, 65, 127, 128, 129, 300]


@pytest.fixture
def connection() -> sqlite3.Connection:
    return empty_database()


def empty_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    make_tables(connection)
    return connection


def make_tasks(count: int) -> list[Task]:
    return [
        Task(
            id=f"task-{number:03}",
            handler="report",
            args={"n": number},
            key=f"key-{number}",
            scheduled_at=NOW,
        )
        for number in range(count)
    ]


def started(task: Task, attempt: int = 1) -> Task:
    return replace(task, state=TaskState.EXECUTING, attempt=attempt, started_at=NOW)


def ended(task: Task) -> Task:
    return replace(task, state=TaskState.COMPLETED, finished_at=LATER, summary={"items": task.attempt})


def stored(connection: sqlite3.Connection) -> tuple[list[Task], list[Task]]:
    tasks = [TASK.decode(row) for row in connection.execute(TASK.select)]
    return tasks, [RUN.decode(row) for row in connection.execute(RUN.select)]


@pytest.mark.parametrize("count", COUNTS)
def test_any_number_of_tasks_is_stored_started_and_ended(count: int, connection: sqlite3.Connection) -> None:
    tasks = make_tasks(count)
    write_operations(connection, [Operation(TASK, it.id, it) for it in tasks])
    assert stored(connection) == (tasks, [])

    running = [started(it) for it in tasks]
    write_operations(connection, [Operation(TASK_START, it.id, it) for it in running])
    assert stored(connection) == (running, [])

    runs = [ended(it) for it in running]
    ends = [part for it in runs for part in (Operation(TASK, it.id, None), Operation(RUN, None, it))]
    write_operations(connection, ends)
    assert stored(connection) == ([], runs)
    connection.close()


@pytest.mark.parametrize("count", COUNTS)
def test_only_those_that_are_named_are_touched(count: int, connection: sqlite3.Connection) -> None:
    tasks = make_tasks(count + 1)
    write_operations(connection, [Operation(TASK, it.id, it) for it in tasks])

    write_operations(connection, [Operation(TASK_START, it.id, started(it)) for it in tasks[1:]])
    write_operations(connection, [Operation(TASK, it.id, None) for it in tasks[1:]])

    assert stored(connection) == ([tasks[0]], [])
    connection.close()


@settings(max_examples=60, deadline=None)
@given(attempts=st.lists(st.integers(1, 4), min_size=1, max_size=40))
def test_tasks_that_start_together_keep_their_own_attempts(attempts: list[int]) -> None:
    connection = empty_database()
    tasks = make_tasks(len(attempts))
    write_operations(connection, [Operation(TASK, it.id, it) for it in tasks])
    running = [started(it, attempt) for it, attempt in zip(tasks, attempts, strict=True)]

    write_operations(connection, [Operation(TASK_START, it.id, it) for it in running])

    assert stored(connection) == (running, [])
    connection.close()


FATES = st.lists(st.sampled_from(["ended", "retried", "unknown", "left"]), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(fates=FATES)
def test_every_run_is_recorded_whole_whatever_became_of_its_task(fates: list[str]) -> None:
    """ "Unknown" is a task whose row is not stored: its run is recorded all the same."""
    connection = empty_database()
    running = [started(it) for it in make_tasks(len(fates))]
    kept = [it for it, fate in zip(running, fates, strict=True) if fate != "unknown"]
    write_operations(connection, [Operation(TASK, it.id, it) for it in kept])
    operations, tasks, runs = [], [], []
    for it, fate in zip(running, fates, strict=True):
        run = ended(it)
        if fate == "retried":
            run = replace(it, state=TaskState.RETRYABLE, scheduled_at=LATER, finished_at=LATER, error="no")
            operations.append(Operation(TASK, it.id, run))
            tasks.append(run)
        elif fate != "left":
            operations.append(Operation(TASK, it.id, None))
        else:
            tasks.append(it)
        operations.append(Operation(RUN, None, run))
        runs.append(run)

    write_operations(connection, operations)

    found_tasks, found_runs = stored(connection)
    assert found_tasks == tasks
    assert sorted(found_runs, key=lambda run: run.id) == runs
    connection.close()


def test_the_same_attempt_is_not_recorded_twice_among_many(connection: sqlite3.Connection) -> None:
    running = [started(it) for it in make_tasks(200)]
    write_operations(connection, [Operation(TASK, it.id, it) for it in running])
    runs = [Operation(RUN, None, ended(it)) for it in running]
    write_operations(connection, runs)

    with pytest.raises(sqlite3.IntegrityError):
        write_operations(connection, [*runs, *(Operation(TASK, it.id, None) for it in running)])
    connection.close()

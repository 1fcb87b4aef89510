"""How a schedule's slot stands once its deadline has passed: served, late, excused, or not decided yet."""

import sqlite3
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from daemon.engine.cron import CronError, Slot
from daemon.engine.owed import BEYOND_THE_WINDOW
from daemon.engine.spec import ScheduleSpec
from state.codec import time_text
from state.records import ScheduleRecord, SlotRecord, SlotState, Task, TaskState
from state.schema import RUN, SCHEDULE, SLOT, TASK, Table

# A run that somebody triggered since is looked for among so many, the newest.
RUNS_LOOKED_AT = 100_000

_SCHEDULE = "SELECT * FROM schedule WHERE name = ?"
_SLOT = "SELECT * FROM slot WHERE schedule = ? AND slot = ?"
_TASK = "SELECT * FROM task WHERE id = ?"
_RUN = "SELECT * FROM run WHERE id = ? ORDER BY attempt DESC LIMIT 1"
_SERVED_SINCE = """
SELECT 1 FROM run
WHERE schedule = ? AND state = 'completed' AND started_at >= ? AND seq > (SELECT max(seq) FROM run) - ?
ORDER BY seq DESC LIMIT 1"""


class Standing(StrEnum):
    """How a slot stands whose deadline has passed."""

    SERVED = "served"
    LATE = "late"
    EXCUSED = "excused"  # left out with a reason, or from before the schedule was known
    UNDECIDED = "undecided"  # the scheduler has not come to it yet


class Facts(NamedTuple):
    """What is known of one slot, all of one moment."""

    slot: Slot
    schedule: ScheduleRecord | None
    row: SlotRecord | None  # what was decided over it
    task: Task | None  # as it stands, or as it ended
    is_served_since: bool  # a run that began after the slot was due has succeeded, whatever started it


def judge(spec: ScheduleSpec, facts: Facts) -> Standing:
    """How a slot stands whose deadline has passed."""
    if facts.is_served_since:
        return Standing.SERVED
    schedule, row, task = facts.schedule, facts.row, facts.task
    cursor = None if schedule is None else slot_of(spec, schedule.last_slot)
    if schedule is None or cursor is None:
        return Standing.UNDECIDED  # the scheduler is about to take it up
    if row is None and facts.slot > cursor:
        is_paused = schedule.paused_until is not None and facts.slot.instant < schedule.paused_until
        return Standing.EXCUSED if is_paused else Standing.UNDECIDED
    if row is not None and (row.reason or "").startswith(BEYOND_THE_WINDOW):
        return Standing.LATE  # nobody decided that it need not run: there was nobody to run it
    # Without a row it was due before the schedule was known; without a task it was swept out long ago.
    if row is None or row.state is SlotState.SKIPPED or task is None:
        return Standing.EXCUSED
    if task.state is TaskState.COMPLETED or (task.state is TaskState.CANCELLED and task.error):
        return Standing.SERVED
    return Standing.LATE


class Question(NamedTuple):
    """What the database is asked for one slot of a schedule."""

    schedule: str
    slot: Slot
    may_be_served_since: bool  # else there is no need to look for a later run


def read_facts(questions: Sequence[Question], connection: sqlite3.Connection) -> dict[tuple[str, str], Facts]:
    """What is known of each slot, by its schedule and its name."""
    connection.execute("BEGIN")  # a task that ends meanwhile is seen before or after, never in neither table
    try:
        return {(it.schedule, it.slot.text): _facts(connection, it) for it in questions}
    finally:
        connection.execute("ROLLBACK")


def _facts(connection: sqlite3.Connection, asked: Question) -> Facts:
    def one(table: Table, statement: str, *values: Any) -> Any:
        found = connection.execute(statement, values).fetchone()
        return None if found is None else table.decode(found)

    row: SlotRecord | None = one(SLOT, _SLOT, asked.schedule, asked.slot.text)
    task_id = None if row is None else row.task_id
    task: Task | None = one(TASK, _TASK, task_id) or one(RUN, _RUN, task_id)
    since = (asked.schedule, time_text(asked.slot.instant), RUNS_LOOKED_AT)
    return Facts(
        slot=asked.slot,
        schedule=one(SCHEDULE, _SCHEDULE, asked.schedule),
        row=row,
        task=task,
        is_served_since=asked.may_be_served_since
        and bool(connection.execute(_SERVED_SINCE, since).fetchone()),
    )


def slot_of(spec: ScheduleSpec, text: str | None) -> Slot | None:
    """The slot of that name; None where the schedule's line has been changed so that it has none such."""
    try:
        return None if text is None else spec.line.parse_slot(text)
    except CronError:
        return None

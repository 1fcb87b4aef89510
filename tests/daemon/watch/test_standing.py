"""How a slot stands whose deadline has passed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.engine.cron import CronLine
from daemon.engine.owed import BEYOND_THE_WINDOW
from daemon.engine.spec import ScheduleSpec
from daemon.watch.standing import Facts, Standing, judge
from state.records import ScheduleRecord, SlotRecord, SlotState, Task, TaskState, replace

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAILY = "0 22 * * *"
LINE = CronLine.parse(DAILY, "UTC")
SPEC = ScheduleSpec(name="report", handler="report", line=LINE, timeout=HOUR, max_attempts=1, deadline=HOUR)
SLOT = LINE.newest_at(NOW)
BEFORE = LINE.newest_at(NOW - timedelta(days=1))
FIRED = SlotRecord(schedule="report", slot=SLOT.text, state=SlotState.FIRED, decided_at=NOW, task_id="t")
SKIPPED = SlotRecord(
    schedule="report", slot=SLOT.text, state=SlotState.SKIPPED, decided_at=NOW, reason="paused"
)


def schedule(**fields: Any) -> ScheduleRecord:
    given = {"name": "report", "cron": DAILY, "timezone": "UTC", "last_slot": SLOT.text}
    return ScheduleRecord(**{**given, **fields})


def task(state: TaskState, error: str | None = None) -> Task:
    return Task(id="t", handler="report", state=state, scheduled_at=NOW, error=error)


@pytest.mark.parametrize(
    ("known", "standing"),
    [
        ({"row": FIRED, "task": task(TaskState.COMPLETED)}, Standing.SERVED),
        ({"row": FIRED, "task": task(TaskState.CANCELLED, "a holiday")}, Standing.SERVED),
        ({"row": FIRED, "task": task(TaskState.CANCELLED)}, Standing.LATE),
        ({"row": FIRED, "task": task(TaskState.DISCARDED, "x")}, Standing.LATE),
        ({"row": FIRED, "task": task(TaskState.RETRYABLE, "x")}, Standing.LATE),
        ({"row": FIRED, "task": task(TaskState.EXECUTING)}, Standing.LATE),
        ({"row": FIRED, "task": task(TaskState.AVAILABLE)}, Standing.LATE),
        ({"row": FIRED, "task": task(TaskState.DISCARDED), "is_served_since": True}, Standing.SERVED),
        ({"row": FIRED}, Standing.EXCUSED),
        ({"row": SKIPPED}, Standing.EXCUSED),
        ({"row": replace(SKIPPED, reason=f"{BEYOND_THE_WINDOW} of 1h")}, Standing.LATE),
        ({}, Standing.EXCUSED),
        ({"schedule": schedule(last_slot=BEFORE.text)}, Standing.UNDECIDED),
        ({"schedule": schedule(last_slot=BEFORE.text, paused_until=NOW + HOUR)}, Standing.EXCUSED),
        ({"schedule": schedule(last_slot=BEFORE.text, paused_until=SLOT.instant)}, Standing.UNDECIDED),
        ({"schedule": schedule(last_slot=BEFORE.text), "is_served_since": True}, Standing.SERVED),
        ({"schedule": schedule(last_slot="2026-11-21T21:00:00Z"), "row": FIRED}, Standing.UNDECIDED),
        ({"schedule": None}, Standing.UNDECIDED),
    ],
    ids=[
        "completed",
        "cancelled with a reason",
        "cancelled without one",
        "failed for good",
        "waits for its next attempt",
        "runs",
        "waits",
        "failed and made up since",
        "nobody knows its task any more",
        "left out",
        "left out with nobody there",
        "due before it was known",
        "not decided yet",
        "paused",
        "paused until then",
        "not decided and made up already",
        "the line was changed",
        "not taken up yet",
    ],
)
def test_how_a_slot_stands(known: dict[str, Any], standing: Standing) -> None:
    given = {"slot": SLOT, "schedule": schedule(), "row": None, "task": None, "is_served_since": False}
    assert judge(SPEC, Facts(**{**given, **known})) is standing

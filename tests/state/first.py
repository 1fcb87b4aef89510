"""A home as the first version of the tables left it: no notices, no tellings, no silences."""

import contextlib
import hashlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from state.codec import as_camel, to_json
from state.home import Home
from state.records import (
    HandlerRecord,
    Note,
    ScheduleRecord,
    SlotRecord,
    SlotState,
    Task,
    TaskKey,
    TaskState,
    replace,
)
from state.schema import RUN, TABLE_OF
from state.seal import seal
from state.snapshot import schedule_json
from state.tables import FIRST
from tests.state.sample import NOW, home_in, make_alert, make_delivery, make_task

GENERATION = 41
ITEM = """
INSERT INTO item (id, added_at, body, score, selected) VALUES (?, '2026-11-21T20:00:00.000000Z', ?, ?, ?)"""
BATCH = (
    "INSERT INTO batch VALUES ('batch', 'run', '2026-11-21', '2026-11-21T20:00:00.000000Z', 0, 1, 1, 2, 1,"
    " 'delivery', NULL)"
)
OVER = replace(make_alert("over"), resolved_at=NOW, count=3)
RECORDS: tuple[Any, ...] = (
    make_task("waits", key="key"),
    TaskKey(key="key", task_id="waits", created_at=NOW),
    HandlerRecord(handler="report", last_state=TaskState.COMPLETED, last_finished_at=NOW, runs=1),
    ScheduleRecord(name="nightly", cron="0 23 * * *", timezone="UTC", last_slot="2026-11-20T23:00"),
    SlotRecord(schedule="nightly", slot="2026-11-20T23:00", state=SlotState.FIRED, decided_at=NOW),
    make_alert("open"),
    OVER,
    make_delivery("delivery"),
    Note(name="lastHeartbeatAt", value="2026-11-21T20:00:00.000000Z"),
    Note(name="generation", value=str(GENERATION)),
)
RAN = make_task("ran", state=TaskState.COMPLETED, attempt=1, started_at=NOW, finished_at=NOW)


def make_first(folder: Path, records: tuple[Any, ...] = RECORDS) -> Home:
    """A home with something in every table, stopped in good order by the first version."""
    home = home_in(folder)
    write_first(home.database, records)
    seal(home.database)
    return home


def write_first(path: Path, records: tuple[Any, ...] = RECORDS) -> None:
    """A database of the first version, with rows in all its tables."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(f"BEGIN; {FIRST} PRAGMA user_version=1; COMMIT;")
        for record in records:
            table = TABLE_OF[type(record)]
            connection.execute(table.put, table.encode(record))
        connection.execute(RUN.put, RUN.encode(RAN))
        connection.execute(ITEM, ("taken", '{"id":"taken"}', 0.9, 1))
        connection.execute(ITEM, ("lead", '{"id":"lead"}', None, 0))
        connection.execute(BATCH)


def write_first_state(home: Home, tasks: tuple[Task, ...] = (), **changed: Any) -> None:
    """The JSON state as the first version wrote it beside such a database, one generation later."""
    kinds = {kind: [it for it in RECORDS if isinstance(it, kind)] for kind in {type(it) for it in RECORDS}}
    [schedule] = kinds[ScheduleRecord]
    state = {
        "schema": 1,
        "generation": GENERATION + 1,
        "savedAt": NOW + timedelta(minutes=1),
        "startedAt": NOW,
        "lastHeartbeatAt": None,
        "lastDigestNotificationAt": None,
        "schedules": {schedule.name: schedule_json(schedule)},
        "failureStreaks": {"report": 0},
        "handlers": [as_camel(it) for it in kinds[HandlerRecord]],
        "totals": {"runs": 1},
        "redditQueueTotal": 1,
        "redditQueue": [{"id": "lead"}],
        "queueTotal": 1 + len(tasks),
        "queue": [as_camel(it) for it in (*kinds[Task], *tasks)],
        "taskHistory": [as_camel(RAN)],
        "alerts": [as_camel(make_alert("open")), as_camel(OVER)],
        "outbox": [as_camel(make_delivery("delivery"))],
        **changed,
    }
    body = to_json(state)[:-1]
    sealed = body + b',"checksum":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'
    home.state_file.write_bytes(sealed)

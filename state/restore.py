"""Bringing a restored database forward to what the JSON state still knows."""

import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from state.codec import from_camel, time_text, to_json
from state.database import connect
from state.records import Alert, Delivery, HandlerRecord, Note, ScheduleRecord, Task, TaskKey
from state.schema import RUN, TABLE_OF

RESTORED_BATCH = "restored"


@dataclass(slots=True, kw_only=True)
class Restored:
    """What came back, from where, and what is known to be missing."""

    backup: str | None = None
    snapshot_generation: int | None = None
    tasks: int = 0
    runs: int = 0
    items: int = 0
    lost_tasks: int = 0  # unfinished tasks that the JSON state counted but did not list
    lost_runs: int = 0  # finished runs between the backup and the last 50
    lost_items: int = 0  # waiting items that the JSON state counted but did not list

    @property
    def lost(self) -> int:
        return self.lost_tasks + self.lost_runs + self.lost_items

    def counts(self) -> dict[str, Any]:
        """For the alert and the log."""
        return asdict(self)


def bring_forward(path: Path, state: dict[str, Any] | None, backup: Path | None, now: datetime) -> Restored:
    """Write into the database at `path` all that the JSON state knows beyond it, in one transaction."""
    restored = Restored(backup=None if backup is None else backup.name)
    connection = connect(path)
    try:
        if state is None or _generation(connection) > state["generation"]:
            return restored  # the backup is the newer of the two
        restored.snapshot_generation = state["generation"]
        connection.execute("BEGIN IMMEDIATE")
        _tasks(connection, state, restored, now)
        _runs(connection, state, restored)
        _items(connection, state, restored, now)
        _small_records(connection, state)
        connection.execute("COMMIT")
    finally:
        connection.close()
    return restored


def _generation(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM note WHERE name = 'generation'").fetchone()
    return 0 if row is None else int(row[0])


def _tasks(connection: sqlite3.Connection, state: dict[str, Any], restored: Restored, now: datetime) -> None:
    listed = [from_camel(Task, it) for it in state["queue"]]
    is_complete = state["queueTotal"] <= len(listed)
    if is_complete:
        # What the backup holds beyond the list was finished since.
        connection.execute("DELETE FROM task")
    for task in listed:
        _put(connection, task)
        if task.key is not None:
            _put(connection, TaskKey(key=task.key, task_id=task.id, created_at=now))
    restored.tasks = connection.execute("SELECT count(*) FROM task").fetchone()[0]
    restored.lost_tasks = max(0, state["queueTotal"] - restored.tasks)


def _runs(connection: sqlite3.Connection, state: dict[str, Any], restored: Restored) -> None:
    for value in state["taskHistory"]:
        task = from_camel(Task, value)
        # Unique over (id, attempt): a run that the backup has already is left as it is.
        statement = RUN.put.replace("INSERT INTO", "INSERT OR IGNORE INTO")
        restored.runs += connection.execute(statement, RUN.encode(task)).rowcount
        if task.state.is_final:
            connection.execute("DELETE FROM task WHERE id = ?", (task.id,))
    known = connection.execute("SELECT count(*) FROM run").fetchone()[0]
    restored.lost_runs = max(0, state["totals"]["runs"] - known)


def _items(connection: sqlite3.Connection, state: dict[str, Any], restored: Restored, now: datetime) -> None:
    """Make exactly the listed items wait: what else waited in the backup has been in a digest since."""
    listed = state["redditQueue"]
    if state["redditQueueTotal"] <= len(listed):
        _end_window(connection, now)
        connection.executemany("DELETE FROM item WHERE id = ?", [(it["id"],) for it in listed])
    connection.executemany(
        "INSERT OR IGNORE INTO item (id, added_at, body) VALUES (?, ?, ?)",
        [(it["id"], time_text(now), to_json(it).decode()) for it in listed],
    )
    restored.items = connection.execute(
        "SELECT count(*) FROM item WHERE seq > (SELECT coalesce(max(until_seq), 0) FROM batch)"
    ).fetchone()[0]
    restored.lost_items = max(0, state["redditQueueTotal"] - restored.items)


def _end_window(connection: sqlite3.Connection, now: datetime) -> None:
    row = connection.execute(
        "SELECT coalesce((SELECT max(until_seq) FROM batch), 0), coalesce((SELECT max(seq) FROM item), 0)"
    ).fetchone()
    after_seq, until_seq = row[0], row[1]
    if until_seq > after_seq:
        name = f"{RESTORED_BATCH}-{time_text(now)}"
        # Marked as sent: which digest held these items is not known any more, and none is owed for them.
        connection.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, NULL, ?)",
            (name, name, now.date().isoformat(), time_text(now), after_seq, until_seq, time_text(now)),
        )


def _small_records(connection: sqlite3.Connection, state: dict[str, Any]) -> None:
    for name, value in state["schedules"].items():
        _put(connection, from_camel(ScheduleRecord, {"name": name, **value}))
    for value in state["alerts"]:
        _put(connection, from_camel(Alert, value))
    for value in state["outbox"]:
        _put(connection, from_camel(Delivery, value))
    for value in state["handlers"]:
        _put(connection, from_camel(HandlerRecord, value))
    for name in ("lastHeartbeatAt", "lastDigestNotificationAt"):
        if state[name] is not None:
            _put(connection, Note(name=name, value=state[name]))
    _put(connection, Note(name="generation", value=str(state["generation"])))


def _put(connection: sqlite3.Connection, record: Any) -> None:
    table = TABLE_OF[type(record)]
    connection.execute(table.put, table.encode(record))

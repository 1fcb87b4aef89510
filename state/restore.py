"""Bringing a restored database forward to what the JSON state still knows."""

import contextlib
import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from state.codec import ValidationError, as_camel, from_camel, parse_time, time_text, to_json
from state.database import connect, generation_of
from state.records import (
    Alert,
    Delivery,
    DeliveryState,
    HandlerRecord,
    Note,
    Notice,
    NoticeState,
    ScheduleRecord,
    Silence,
    Task,
    TaskKey,
    Telling,
)
from state.schema import RUN, TABLE_OF
from state.snapshot import ALERTS_KEPT, NOTICE_KINDS
from state.tables import UNTOLD

RESTORED_BATCH = "restored"
# A run comes back under its own number, so that the numbers still tell how many runs there have been.
_PUT_RUN = "INSERT OR IGNORE INTO run VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_CURSOR = "SELECT coalesce(max(until_seq), 0) FROM batch"
# What the backup holds open, and the newer JSON state does not show any more, has come to its end since.
_PENDING = """
SELECT id FROM delivery
WHERE state IN ('intended', 'unknown', 'retryable') AND kind NOT IN (?, ?, ?)"""
_SETTLE_DELIVERY = """
UPDATE delivery SET state = ?, error = NULL, proof = coalesce(proof, 'the JSON state had it as delivered')
WHERE id = ?"""
_SETTLE_NOTICE = """
UPDATE notice SET state = ?, error = NULL, delivered_at = coalesce(delivered_at, ?) WHERE id = ?"""
_KEPT_ALERTS = "SELECT count(*) FROM alert WHERE resolved_at IS NULL OR resolved_at > ?"


class NotAState(Exception):
    """It has the checksum of a JSON state, and its content is none."""


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
    lost_alerts: int = 0  # alerts that the JSON state counted but did not list

    @property
    def lost(self) -> int:
        return self.lost_tasks + self.lost_runs + self.lost_items + self.lost_alerts

    def counts(self) -> dict[str, Any]:
        """For the alert and the log."""
        return asdict(self)


def bring_forward(path: Path, state: dict[str, Any] | None, backup: Path | None, now: datetime) -> Restored:
    """Write into the database at `path` all that the JSON state knows beyond it, in one transaction.

    Raises:
        NotAState: the JSON state is not one; nothing was written.
    """
    restored = Restored(backup=None if backup is None else backup.name)
    with contextlib.closing(connect(path)) as connection:
        if state is None or generation_of(connection) > state["generation"]:
            return restored  # the backup is the newer of the two
        connection.execute("BEGIN IMMEDIATE")
        try:
            _bring_all(connection, state, restored, now)
        except (ValidationError, KeyError, TypeError, ValueError) as error:
            raise NotAState(f"it cannot be taken over: {type(error).__name__}: {error}") from None
        connection.execute("COMMIT")
    return restored


def _bring_all(
    connection: sqlite3.Connection, state: dict[str, Any], restored: Restored, now: datetime
) -> None:
    restored.snapshot_generation = state["generation"]
    state = _as_of_now(state)
    _tasks(connection, state, now)
    _runs(connection, state, restored, now)
    _items(connection, state, restored, now)
    _small_records(connection, state)
    _alerts(connection, state, restored)
    _settle_deliveries(connection, state)
    restored.tasks = connection.execute("SELECT count(*) FROM task").fetchone()[0]
    restored.lost_tasks = max(0, state["queueTotal"] - restored.tasks)


def _tasks(connection: sqlite3.Connection, state: dict[str, Any], now: datetime) -> None:
    listed = [from_camel(Task, it) for it in state["queue"]]
    if state["queueTotal"] <= len(listed):
        # What the backup holds beyond the list was finished since.
        connection.execute("DELETE FROM task")
    for task in listed:
        _put(connection, task)
        _put_key(connection, task, now)


def _runs(connection: sqlite3.Connection, state: dict[str, Any], restored: Restored, now: datetime) -> None:
    listed = [from_camel(Task, it) for it in state["taskHistory"]]
    before = connection.execute("SELECT coalesce(max(seq), 0) FROM run").fetchone()[0]
    first = state["totals"]["runs"] - len(listed) + 1
    for seq, task in enumerate(listed, first):
        restored.runs += connection.execute(_PUT_RUN, (seq, *RUN.encode(task))).rowcount
        _put_key(connection, task, now)
        if task.state.is_final:
            connection.execute("DELETE FROM task WHERE id = ?", (task.id,))
    restored.lost_runs = max(0, first - 1 - before)


def _items(connection: sqlite3.Connection, state: dict[str, Any], restored: Restored, now: datetime) -> None:
    """Make wait again what waited: leads wait in order, so those before the first listed one were taken."""
    listed = state["redditQueue"]
    if listed:
        row = connection.execute("SELECT seq FROM item WHERE id = ?", (listed[0]["id"],)).fetchone()
        _end_window(connection, None if row is None else row["seq"] - 1, now)
    elif state["redditQueueTotal"] == 0:
        _end_window(connection, None, now)
    connection.executemany(
        "INSERT OR IGNORE INTO item (id, added_at, body) VALUES (?, ?, ?)",
        [(it["id"], time_text(now), to_json(it).decode()) for it in listed],
    )
    restored.items = connection.execute(f"SELECT count(*) FROM item WHERE seq > ({_CURSOR})").fetchone()[0]  # noqa: S608
    restored.lost_items = max(0, state["redditQueueTotal"] - restored.items)


def _end_window(connection: sqlite3.Connection, until_seq: int | None, now: datetime) -> None:
    """Count leads as taken, up to a number or all there are."""
    after_seq = connection.execute(_CURSOR).fetchone()[0]
    if until_seq is None:
        until_seq = connection.execute("SELECT coalesce(max(seq), 0) FROM item").fetchone()[0]
    if until_seq > after_seq:
        name = f"{RESTORED_BATCH}-{time_text(now)}-{until_seq}"
        # Marked as sent: which digest held these items is not known any more, and none is owed for them.
        connection.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, NULL, ?)",
            (name, name, now.date().isoformat(), time_text(now), after_seq, until_seq, time_text(now)),
        )


def _as_of_now(state: dict[str, Any]) -> dict[str, Any]:
    """A JSON state of schema 1 as this version would have written it: nobody was told of alerts then."""
    if state["schema"] > 1:
        return state
    over = [it for it in state["alerts"] if it["resolvedAt"] is not None]
    told = [
        Telling(id=f"{it['id']}@", alert_id=it["id"], receiver="", count=it["count"], muted=UNTOLD)
        for it in over
    ]
    return {
        **state,
        "alertsTotal": len(state["alerts"]),
        "tellings": [as_camel(it) for it in told],
        "silences": [],
        "notices": [],
    }


def _small_records(connection: sqlite3.Connection, state: dict[str, Any]) -> None:
    for name, value in state["schedules"].items():
        _put(connection, from_camel(ScheduleRecord, {"name": name, **value}))
    for value in state["handlers"]:
        _put(connection, from_camel(HandlerRecord, value))
    for name in ("lastHeartbeatAt", "lastDigestNotificationAt"):
        if state[name] is not None:
            _put(connection, Note(name=name, value=state[name]))
    _put(connection, Note(name="generation", value=str(state["generation"])))


def _alerts(connection: sqlite3.Connection, state: dict[str, Any], restored: Restored) -> None:
    """Bring back the alerts with what has been told of them, and end what has ended since the backup."""
    saved_at = parse_time(state["savedAt"])
    for kind, name in ((Alert, "alerts"), (Telling, "tellings"), (Silence, "silences"), (Notice, "notices")):
        for value in state[name]:
            _put(connection, from_camel(kind, value))
    if state["alertsTotal"] <= len(state["alerts"]):
        opened = connection.execute("SELECT id FROM alert WHERE resolved_at IS NULL")
        over = _beyond(state["alerts"], opened)
        connection.executemany("DELETE FROM alert WHERE id = ?", over)
    else:
        kept = connection.execute(_KEPT_ALERTS, (time_text(saved_at - ALERTS_KEPT),)).fetchone()[0]
        restored.lost_alerts = max(0, state["alertsTotal"] - kept)
    connection.execute("DELETE FROM telling WHERE alert_id NOT IN (SELECT id FROM alert)")
    # One that is not shown ended long ago; the backup may hold it with the later end it had at first.
    ended = _beyond(state["silences"], connection.execute("SELECT id FROM silence"))
    connection.executemany("DELETE FROM silence WHERE id = ?", ended)


def _settle_deliveries(connection: sqlite3.Connection, state: dict[str, Any]) -> None:
    """Bring back what is owed, and take for delivered what the backup owes and the JSON state does not."""
    outbox = state["outbox"]
    for value in outbox:
        _put(connection, from_camel(Notice if "receiver" in value else Delivery, value))
    # Those of notices are not shown: what the backup knows of them stands, and the notice says the rest.
    pending = connection.execute(_PENDING, sorted(NOTICE_KINDS))
    gone = [(DeliveryState.DELIVERED.value, *row) for row in _beyond(outbox, pending)]
    connection.executemany(_SETTLE_DELIVERY, gone)
    owed = connection.execute("SELECT id FROM notice WHERE state = 'owed'")
    proved = (NoticeState.DELIVERED.value, time_text(parse_time(state["savedAt"])))
    connection.executemany(_SETTLE_NOTICE, [(*proved, *row) for row in _beyond(outbox, owed)])


def _beyond(shown: list[dict[str, Any]], rows: sqlite3.Cursor) -> list[tuple[str]]:
    """The ids that the backup has and the JSON state does not show."""
    known = {it["id"] for it in shown}
    return [(row["id"],) for row in rows.fetchall() if row["id"] not in known]


def _put_key(connection: sqlite3.Connection, task: Task, now: datetime) -> None:
    if task.key is not None:
        key = TaskKey(key=task.key, task_id=task.id, created_at=now)
        row = TABLE_OF[TaskKey].encode(key)
        connection.execute("INSERT OR IGNORE INTO task_key VALUES (?, ?, ?)", row)


def _put(connection: sqlite3.Connection, record: Any) -> None:
    table = TABLE_OF[type(record)]
    connection.execute(table.put, table.encode(record))

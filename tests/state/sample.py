"""A home with something of everything in it, and ways to look at what a home holds."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from state.database import Database
from state.digests import Digests
from state.home import Home
from state.items import Items, Judgement
from state.records import (
    Alert,
    Batch,
    Delivery,
    DeliveryState,
    HandlerRecord,
    Notice,
    NoticeState,
    ScheduleRecord,
    Severity,
    Silence,
    SlotRecord,
    SlotState,
    Task,
    TaskKey,
    TaskState,
    Telling,
    replace,
)
from state.recovery import open_home
from state.schema import NEWEST_RUNS, RUN, TABLE_OF
from state.snapshot import Snapshot
from state.store import Change, Store

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def home_in(folder: Path) -> Home:
    home = Home(folder, folder / "logs")
    home.make_folders()
    return home


@asynccontextmanager
async def opened(folder: Path, now: datetime = NOW) -> AsyncIterator[Store]:
    """Start on what the folder holds, and stop in good order."""
    home = home_in(folder)
    store = Store(home, Database(home.database, open_home(home, now).generation))
    await store.load()
    try:
        yield store
    finally:
        await store.close()


async def save(store: Store, now: datetime = NOW) -> None:
    """Write the JSON state."""
    await Snapshot(store, Items(store).head, NOW).save(now)


def make_task(name: str, **fields: Any) -> Task:
    given = {"handler": "report", "scheduled_at": NOW, "args": {"company": name, "n": [1, 2.5, None]}}
    return Task(id=name, **{**given, **fields})


async def finish(store: Store, name: str, at: datetime = NOW) -> None:
    """Have a task run once, successfully, as the worker does it."""
    task = store.tasks[name]
    started = replace(task, state=TaskState.EXECUTING, attempt=task.attempt + 1, started_at=at)
    change = Change()
    change.start(started)
    await store.commit_change(change)
    done = replace(started, state=TaskState.COMPLETED, finished_at=at, summary={"items": 3})
    change = Change(
        HandlerRecord(handler="report", last_state=TaskState.COMPLETED, last_finished_at=at, runs=1)
    )
    change.delete(done)
    change.record_run(done)
    await store.commit_change(change)


async def add_round(store: Store, number: int) -> None:
    """A bit of everything; each round has names of its own."""
    at = NOW + timedelta(minutes=number)
    names = [f"task-{number}-{n}" for n in range(4)]
    await store.commit(
        *(make_task(it, key=f"key-{it}") for it in names),
        *(TaskKey(key=f"key-{it}", task_id=it, created_at=at) for it in names),
        ScheduleRecord(name="nightly", cron="0 23 * * *", timezone="UTC", last_slot=f"slot-{number}"),
        SlotRecord(schedule="nightly", slot=f"slot-{number}", state=SlotState.FIRED, decided_at=at),
        make_alert(f"alert-{number}", at),
        make_telling(f"alert-{number}", at),
        make_notice(f"notice-{number}", at, alerts=(f"alert-{number}",)),
        make_silence(f"silence-{number}", at),
        make_delivery(f"delivery-{number}", at),
        notes={"lastHeartbeatAt": "2026-11-21T20:00:00.000000Z", "motto": f"round {number}"},
    )
    await finish(store, names[0], at)
    await Items(store).add([{"id": f"lead-{number}-{n}", "title": "How do I?"} for n in range(4)], at)


def make_alert(name: str, at: datetime = NOW) -> Alert:
    return Alert(
        id=name, fingerprint=f"print-{name}", name="task.failed", severity=Severity.ERROR, first_at=at,
        summary="something failed", labels={"handler": "report"}, last_at=at,
    )  # fmt: skip


def make_delivery(name: str, at: datetime = NOW, state: DeliveryState = DeliveryState.RETRYABLE) -> Delivery:
    return Delivery(
        id=name, kind="digest", subject="2026-11-21", channel="team", state=state, title="Digest",
        created_at=at,
    )  # fmt: skip


def make_telling(alert: str, at: datetime = NOW, receiver: str = "oncall") -> Telling:
    return Telling(
        id=f"{alert}@{receiver}", alert_id=alert, receiver=receiver, incident=f"incident-{alert}",
        severity=Severity.ERROR, count=1, noticed_at=at,
    )  # fmt: skip


def make_notice(name: str, at: datetime = NOW, **fields: Any) -> Notice:
    given = {
        "receiver": "oncall", "incident": f"incident-{name}", "kind": "alert", "title": "something failed",
        "message": {"id": name, "text": "what happened"}, "alerts": (), "since": at, "created_at": at,
        "next_try_at": at,
    }  # fmt: skip
    return Notice(id=name, **{**given, **fields})


def as_delivered(notice: Notice, at: datetime = NOW) -> Notice:
    return replace(notice, state=NoticeState.DELIVERED, delivered_at=at, channel="team", attempts=1)


def make_silence(name: str, at: datetime = NOW, **fields: Any) -> Silence:
    given = {"match": "redis.*", "owner": "ann", "reason": "it is being moved", "created_at": at}
    return Silence(id=name, **{**given, "ends_at": at + timedelta(hours=2), **fields})


async def take_batch(store: Store, name: str, at: datetime = NOW) -> Batch:
    """Put all leads that wait into a batch."""
    items, digests = Items(store), Digests(store)
    window = await digests.window()
    seen = window.after_seq
    while seen < window.until_seq:
        seen, _ = await items.judge(seen, window.until_seq, lambda _: Judgement(0.5, True, {"own": 0.5}))
    return await digests.record(
        Batch(
            id=name, task_id=name, date=date(2026, 11, 21), generated_at=at, after_seq=window.after_seq,
            until_seq=window.until_seq, docs_processed=0, queue_total=window.queue_total, marked_for_draft=0,
        )
    )  # fmt: skip


def everything(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for the generation, which may grow by itself."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for (name,) in names if name != "sqlite_sequence"]
        rows = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
    rows["note"] = [row for row in rows["note"] if row[0] != "generation"]
    return rows


def generation_in(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (value,) = connection.execute("SELECT value FROM note WHERE name = 'generation'").fetchone()
        return int(value)


async def records_of(store: Store) -> dict[str, Any]:
    """The working copy as the database alone would make it."""

    def select(connection: sqlite3.Connection) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind, table in TABLE_OF.items():
            if table.key is not None:
                rows = [table.decode(row) for row in connection.execute(table.select)]
                found[kind.__name__] = {getattr(it, table.key): it for it in rows}
        newest = connection.execute(NEWEST_RUNS).fetchall()
        found["history"] = [RUN.decode(row) for row in reversed(newest)]
        found["runs"] = connection.execute("SELECT coalesce(max(seq), 0) FROM run").fetchone()[0]
        return found

    return await store.read(select)


def memory_of(store: Store) -> dict[str, Any]:
    """The working copy as it is."""
    return {
        "Task": store.tasks,
        "TaskKey": store.keys,
        "HandlerRecord": store.handlers,
        "ScheduleRecord": store.schedules,
        "Alert": store.alerts,
        "Delivery": store.deliveries,
        "Telling": store.tellings,
        "Notice": store.notices,
        "Silence": store.silences,
        "history": list(store.history),
        "runs": store.runs_total,
        "notes": {name: value for name, value in store.notes.items() if name != "generation"},
    }

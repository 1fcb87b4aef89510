"""The JSON state that people and jq read: whole at every instant, and the restore point of last resort.

The last field is a checksum over all that stands before it, so a file that was cut or rotted is known
for what it is. Very long queues are shown by their counts and their beginning.
"""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from state.codec import NotJson, as_camel, from_json, raw_json, records_json, to_json
from state.disk import write_atomically
from state.records import (
    Alert,
    Delivery,
    DeliveryState,
    Notice,
    NoticeState,
    ScheduleRecord,
    Silence,
    Task,
    Telling,
)
from state.store import Store, first

SNAPSHOT_SCHEMA = 2
TASKS_SHOWN = 10_000
# Each takes about 900 bytes and 1 us with what has been told of it: of so many 4.5 MB, 5 ms of the loop.
ALERTS_SHOWN = 5_000
ALERTS_KEPT = timedelta(hours=48)
# These speak of alerts, and what is owed of them is the notice: which channels were tried is no matter.
NOTICE_KINDS = frozenset({"alert", "escalation", "resolved"})
_CHECKSUM_KEY = b',"checksum":"'
_CHECKSUM_END = b'"}'
_CHECKSUM_SIZE = len(_CHECKSUM_KEY) + 64 + len(_CHECKSUM_END)


# The JSON array of the first waiting items, and how many wait in all.
ItemsHead = Callable[[], Awaitable[tuple[bytes, int]]]


class SnapshotDamaged(Exception):
    """The JSON state cannot be trusted; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The parts of one snapshot, taken at one instant and not yet encoded."""

    generation: int
    fields: dict[str, Any]
    tasks: list[Task]
    tasks_total: int
    history: list[Task]
    alerts: list[Alert]
    alerts_total: int
    tellings: list[Telling]
    silences: list[Silence]
    outbox: list[Delivery | Notice]
    notices: list[Notice]
    items_json: bytes
    items_total: int


class Snapshot:
    """Writes the JSON state. What it holds is committed; its generation is never ahead of the database."""

    def __init__(self, store: Store, items_head: ItemsHead, started_at: datetime) -> None:
        self._store = store
        self._items_head = items_head
        self._started_at = started_at
        self.saved_generation = -1  # what the file on the disk shows
        self._one_at_a_time = threading.Lock()
        self._written_generation = -1

    @property
    def generation(self) -> int:
        """What a save made now would show."""
        return self._store.generation

    @property
    def is_behind(self) -> bool:
        return self.generation != self.saved_generation

    async def save(self, now: datetime) -> None:
        """Write the state as it is now, keeping the generation before.

        Raises:
            OSError: it could not be written; the file that was there is whole.
        """
        # Taken first: what is committed while the leads are read may be missing in them, so it does
        # not count as shown, and the next save shows it.
        generation = self.generation
        items_json, items_total = await self._items_head()
        picture = self._take(now, generation, items_json, items_total)
        await asyncio.to_thread(self._write, picture)
        self.saved_generation = max(self.saved_generation, generation)

    def _write(self, picture: Picture) -> None:
        # A save that was cancelled is still being written by its thread: the next one waits for it, or
        # both would write into one temporary file.
        with self._one_at_a_time:
            if picture.generation < self._written_generation:
                return
            home = self._store.home
            write_atomically(home.state_file, encode(picture), previous=home.previous_state_file)
            self._written_generation = picture.generation

    def _take(self, now: datetime, generation: int, items_json: bytes, items_total: int) -> Picture:
        store = self._store
        kept_since = now - ALERTS_KEPT
        alerts, alerts_total = _newest_alerts(store, kept_since)
        shown = {it.id for it in alerts}
        return Picture(
            generation=generation,
            fields={
                "savedAt": now,
                "startedAt": self._started_at,
                "lastHeartbeatAt": store.note("lastHeartbeatAt"),
                "lastDigestNotificationAt": store.note("lastDigestNotificationAt"),
                "schedules": {name: schedule_json(it) for name, it in store.schedules.items()},
                "failureStreaks": {name: it.failure_streak for name, it in store.handlers.items()},
                "handlers": [as_camel(it) for it in store.handlers.values()],
                "totals": {"runs": store.runs_total},
            },
            tasks=first(store.tasks.values(), TASKS_SHOWN),
            tasks_total=len(store.tasks),
            history=list(store.history),
            alerts=alerts,
            alerts_total=alerts_total,
            tellings=[it for it in store.tellings.values() if it.alert_id in shown],
            silences=[it for it in store.silences.values() if it.ends_at > kept_since],
            outbox=_outbox(store),
            notices=[
                it
                for it in store.notices.values()
                if it.delivered_at is not None and it.delivered_at > kept_since
            ],
            items_json=items_json,
            items_total=items_total,
        )


def _newest_alerts(store: Store, kept_since: datetime) -> tuple[list[Alert], int]:
    """The alerts to be shown, oldest first, and how many there are; of too many the open and the newest."""
    opened: list[Alert] = []
    ended: list[Alert] = []
    for alert in reversed(store.alerts.values()):
        if alert.resolved_at is None:
            opened.append(alert)
        elif alert.resolved_at > kept_since:
            ended.append(alert)
    alerts = opened + ended
    return sorted(alerts[:ALERTS_SHOWN], key=lambda it: it.first_at), len(alerts)


def _outbox(store: Store) -> list[Delivery | Notice]:
    """What is not proved delivered: messages on one channel, and notices, which any of several may prove."""
    deliveries = [
        it
        for it in store.deliveries.values()
        if it.state is not DeliveryState.DELIVERED and it.kind not in NOTICE_KINDS
    ]
    return [*deliveries, *(it for it in store.notices.values() if it.state is NoticeState.OWED)]


def encode(picture: Picture) -> bytes:
    """The whole file, checksum included."""
    body = to_json(
        {
            "schema": SNAPSHOT_SCHEMA,
            "generation": picture.generation,
            **picture.fields,
            "redditQueueTotal": picture.items_total,
            "redditQueue": raw_json(picture.items_json),
            "queueTotal": picture.tasks_total,
            "queue": records_json(picture.tasks),
            "taskHistory": records_json(picture.history),
            "alertsTotal": picture.alerts_total,
            "alerts": records_json(picture.alerts),
            "tellings": records_json(picture.tellings),
            "silences": records_json(picture.silences),
            "outbox": records_json(picture.outbox),
            "notices": records_json(picture.notices),
        }
    )[:-1]
    return body + _CHECKSUM_KEY + hashlib.sha256(body).hexdigest().encode() + _CHECKSUM_END


def decode(data: bytes) -> dict[str, Any]:
    """Read a state file back.

    Raises:
        SnapshotDamaged: it is cut, altered, or not a state file at all.
    """
    tail = data.rstrip()[-_CHECKSUM_SIZE:]
    if not tail.startswith(_CHECKSUM_KEY) or not tail.endswith(_CHECKSUM_END):
        raise SnapshotDamaged("it does not end in a checksum")
    body = data.rstrip()[:-_CHECKSUM_SIZE]
    said = tail[len(_CHECKSUM_KEY) : -len(_CHECKSUM_END)].decode(errors="replace")
    if hashlib.sha256(body).hexdigest() != said:
        raise SnapshotDamaged("its checksum does not fit its content")
    try:
        state = from_json(body + b"}")
    except NotJson as error:
        raise SnapshotDamaged(f"it is not JSON: {error}") from None
    if not isinstance(state, dict):
        raise SnapshotDamaged("it is not a JSON object")
    for name in ("schema", "generation"):
        if not isinstance(state.get(name), int):
            raise SnapshotDamaged(f"it has no {name}")
    return state


def read(path: Path) -> dict[str, Any]:
    """Read a state file from disk.

    Raises:
        FileNotFoundError: there is none.
        SnapshotDamaged: there is one, and it cannot be trusted.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SnapshotDamaged(f"it cannot be read: {error.strerror}") from None
    return decode(data)


def schedule_json(record: ScheduleRecord) -> dict[str, Any]:
    """A schedule as the JSON state shows it."""
    shown = as_camel(record)
    shown.pop("name")
    return shown

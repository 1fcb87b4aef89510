"""The leads: they wait in order of arrival until a batch has scored them, and are kept after that."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from state.codec import from_json, parse_time, time_text, to_json
from state.database import StoreError
from state.records import Item
from state.store import Store

CHUNK = 1000  # rows written at once: the one writer is never held for long by a big import
HEAD_ITEMS = 10_000
HEAD_BYTES = 8_000_000

_ITEM = """
SELECT item.*, (SELECT batch.id FROM batch WHERE batch.after_seq < item.seq AND item.seq <= batch.until_seq)
AS batch_id FROM item"""
_LISTING = f"{_ITEM} WHERE seq > ? ORDER BY seq LIMIT ? OFFSET ?"
_BY_ID = f"{_ITEM} WHERE item.id = ?"
_CURSOR = "SELECT coalesce(max(until_seq), 0) FROM batch"  # what lies above it waits


class WindowMoved(StoreError):
    """Another batch has taken these items in the meantime; what it recorded stands."""


class Added(NamedTuple):
    """What became of the leads brought: new ones, and ones whose id was known already."""

    added: int
    duplicates: int


class Judgement(NamedTuple):
    """What is thought of one lead."""

    score: float
    is_selected: bool
    reasons: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Head:
    """The beginning of the queue as JSON, and for which rows that was true."""

    after_seq: int
    last_seq: int
    total: int
    json: bytes
    is_full: bool


class Items:
    """All leads that ever came in. Bodies are taken as `state.intake` let them in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._head = _Head(0, 0, 0, b"[]", False)

    async def add(self, bodies: Sequence[Mapping[str, Any]], now: datetime) -> Added:
        """Put leads at the end of the queue; they are durable when this returns.

        An id that is known, here or from any earlier day, is the same lead: the first one stands. So
        after an error half-way the same call may simply be made again.

        Raises:
            StoreError: not all of it could be stored; whole chunks before that were.
        """
        added = 0
        for start in range(0, len(bodies), CHUNK):
            chunk = bodies[start : start + CHUNK]
            rows = [(body["id"], time_text(now), to_json(body).decode()) for body in chunk]
            added += await self._store.run(partial(_insert, rows=rows))
        return Added(added, len(bodies) - added)

    async def count_waiting(self) -> int:
        """How many leads wait for a batch."""
        return (await self._refreshed_head()).total

    async def head(self) -> tuple[bytes, int]:
        """The first waiting leads as a JSON array, and how many wait in all.

        At most 10,000 leads and 8 MB, so that a very long queue costs a reader no more than a long one.
        """
        head = await self._refreshed_head()
        return head.json, head.total

    async def waiting(self, limit: int = 100, offset: int = 0) -> list[Item]:
        """Leads that wait for a batch, first come first."""
        return await self.listing(limit, offset, all=False)

    async def listing(self, limit: int = 100, offset: int = 0, *, all: bool = False) -> list[Item]:
        """Leads in order of arrival: those that wait, or `all` there are."""

        def select(connection: sqlite3.Connection) -> list[Item]:
            after = 0 if all else cursor_of(connection)
            rows = connection.execute(_LISTING, (after, limit, offset))
            return [as_item(row) for row in rows]

        return await self._store.read(select)

    async def explain(self, item_id: str) -> Item | None:
        """One lead with its score, the reasons for it, and the batch that took it."""

        def select(connection: sqlite3.Connection) -> Item | None:
            row = connection.execute(_BY_ID, (item_id,)).fetchone()
            return None if row is None else as_item(row)

        return await self._store.read(select)

    async def newest_created(self, after_seq: int, until_seq: int, at_most: float) -> float | None:
        """When the newest lead of a window was made, in seconds since 1970; later ones than `at_most` lie."""

        def select(connection: sqlite3.Connection) -> float | None:
            row = connection.execute(
                "SELECT max(body ->> '$.created_utc') FROM item"
                " WHERE seq > ? AND seq <= ? AND body ->> '$.created_utc' <= ?",
                (after_seq, until_seq, at_most),
            ).fetchone()
            return None if row[0] is None else float(row[0])

        return await self._store.read(select)

    async def judge(
        self, after_seq: int, until_seq: int, judge: Callable[[Mapping[str, Any]], Judgement]
    ) -> tuple[int, int]:
        """Score the next chunk of a window; say how far it came and how many leads that were.

        `judge` runs on the reading thread, beside the loop. The verdict on a lead stays open until its
        batch is recorded, so a window may be judged again from its start.

        Raises:
            WindowMoved: a batch that was recorded in the meantime holds some of these leads.
        """

        def judged(connection: sqlite3.Connection) -> list[tuple[float, bool, str, int]]:
            rows = connection.execute(
                "SELECT seq, body FROM item WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (after_seq, until_seq, CHUNK),
            )
            verdicts = ((row["seq"], judge(from_json(row["body"]))) for row in rows)
            return [(it.score, it.is_selected, to_json(it.reasons).decode(), seq) for seq, it in verdicts]

        verdicts = await self._store.read(judged)
        if not verdicts:
            return until_seq, 0
        await self._store.run(lambda connection: _write_verdicts(connection, after_seq, verdicts))
        return verdicts[-1][-1], len(verdicts)

    async def _refreshed_head(self) -> _Head:
        # The two ends of the queue say whether anything changed: leads are only ever added at the end,
        # and leave only when a batch moves the cursor.
        self._head = await self._store.read(lambda connection: _refreshed(connection, self._head))
        return self._head


def as_item(row: sqlite3.Row) -> Item:
    """A row of `item`, with its batch's id beside it, as a record."""
    return Item(
        id=row["id"],
        body=from_json(row["body"]),
        added_at=parse_time(row["added_at"]),
        seq=row["seq"],
        batch_id=row["batch_id"],
        score=row["score"],
        selected_for_draft=bool(row["selected"]),
        reasons=None if row["reasons"] is None else from_json(row["reasons"]),
    )


def _insert(connection: sqlite3.Connection, rows: list[tuple[str, str, str]]) -> int:
    before = connection.total_changes
    connection.executemany(
        "INSERT INTO item (id, added_at, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows
    )
    return connection.total_changes - before


def cursor_of(connection: sqlite3.Connection) -> int:
    """The seq up to which batches have come; what lies above it waits."""
    row = connection.execute(_CURSOR).fetchone()
    return int(row[0])


def _write_verdicts(
    connection: sqlite3.Connection, after_seq: int, verdicts: list[tuple[float, bool, str, int]]
) -> None:
    if cursor_of(connection) > after_seq:
        raise WindowMoved("another batch has taken these leads in the meantime")
    connection.executemany("UPDATE item SET score = ?, selected = ?, reasons = ? WHERE seq = ?", verdicts)


def _refreshed(connection: sqlite3.Connection, known: _Head) -> _Head:
    after = cursor_of(connection)
    last = int(connection.execute("SELECT coalesce(max(seq), 0) FROM item").fetchone()[0])
    if (after, last) == (known.after_seq, known.last_seq):
        return known
    if after != known.after_seq or last < known.last_seq:
        known = _Head(after, after, 0, b"[]", False)
    more = connection.execute(
        "SELECT count(*) FROM item WHERE seq > ? AND seq <= ?", (known.last_seq, last)
    ).fetchone()[0]
    json, is_full = (known.json, True) if known.is_full else _first_bodies(connection, after)
    return _Head(after, last, known.total + more, json, is_full)


def _first_bodies(connection: sqlite3.Connection, after: int) -> tuple[bytes, bool]:
    """The bodies are stored as JSON: they are only strung together."""
    rows = connection.execute(
        "SELECT CAST(body AS BLOB) FROM item WHERE seq > ? ORDER BY seq LIMIT ?", (after, HEAD_ITEMS + 1)
    )
    bodies: list[bytes] = []
    size = 0
    for (body,) in rows:
        size += len(body) + 1
        if len(bodies) == HEAD_ITEMS or size > HEAD_BYTES:
            return _array(bodies), True
        bodies.append(body)
    return _array(bodies), False


def _array(bodies: list[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"

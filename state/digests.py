"""The batches and their digests: the database is the truth, the file of a date its picture."""

import sqlite3
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from state.codec import parse_time, time_text, to_pretty_json
from state.database import StoreError
from state.digest_file import DigestFile, FileState, compose, file_name, judge
from state.disk import keep_aside, write_atomically
from state.items import WindowMoved, as_item, cursor_of
from state.records import Batch, Item, replace
from state.store import Store

LAST_SENT_NOTE = "lastDigestNotificationAt"

_BATCHES_OF_DATE = "SELECT * FROM batch WHERE date = ? ORDER BY generated_at, until_seq"
_MARKED_OF_DATE = """
SELECT item.*, batch.id AS batch_id
FROM batch JOIN item ON item.seq > batch.after_seq AND item.seq <= batch.until_seq
WHERE batch.date = ? AND item.selected = 1 ORDER BY item.score DESC, item.seq"""
_COUNTS = """
SELECT count(*), count(score), coalesce(sum(selected), 0) FROM item WHERE seq > ? AND seq <= ?"""
_INSERT = """
INSERT INTO batch (id, task_id, date, generated_at, after_seq, until_seq, docs_processed, queue_total,
marked_for_draft, delivery_id, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)"""


class Window(NamedTuple):
    """What the next batch may take: after_seq < seq <= until_seq."""

    after_seq: int
    until_seq: int
    queue_total: int


class Digests:
    """Records batches, keeps the digest files, and knows which batches no delivery has covered."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def path(self, day: date) -> Path:
        """Where the digest of a date is kept."""
        return self._store.home.digests / file_name(day)

    async def window(self) -> Window:
        """All leads that wait now. Leads that come later are the next batch's."""

        def select(connection: sqlite3.Connection) -> Window:
            after = cursor_of(connection)
            last, total = connection.execute(
                "SELECT coalesce(max(seq), ?), count(*) FROM item WHERE seq > ?", (after, after)
            ).fetchone()
            return Window(after, last, total)

        return await self._store.read(select)

    async def record(self, batch: Batch) -> Batch:
        """Make a batch final, with what was judged of its window; say what was recorded.

        The counts are taken from the database, in the same transaction. A second batch of the same task
        records nothing: the first one is returned.

        Raises:
            WindowMoved: the window does not start where the last one ended.
            StoreError: leads in the window are not judged yet, or the database refused.
        """
        return await self._store.run(lambda connection: _record(connection, batch))

    async def batch_of(self, task_id: str) -> Batch | None:
        """The batch a task has recorded."""
        found = await self._select("SELECT * FROM batch WHERE task_id = ?", task_id)
        return found[0] if found else None

    async def batches_of(self, day: date) -> list[Batch]:
        """The batches of a date, oldest first."""
        return await self._select(_BATCHES_OF_DATE, day.isoformat())

    async def unsent(self, day: date, since: date | None = None) -> list[Batch]:
        """The batches of a date, or from `since` to it, that no delivery is proved to cover, oldest first."""
        return await self._select(
            "SELECT * FROM batch WHERE date >= ? AND date <= ? AND sent_at IS NULL"
            " ORDER BY date, generated_at, until_seq",
            (since or day).isoformat(),
            day.isoformat(),
        )

    async def newest_date(self, at_most: date) -> date | None:
        """The newest date that has a batch, leaving out later ones than `at_most`."""
        newest = await self._select(
            "SELECT * FROM batch WHERE date <= ? ORDER BY date DESC LIMIT 1", at_most.isoformat()
        )
        return newest[0].date if newest else None

    async def listing(self, limit: int = 100) -> list[Batch]:
        """The batches, newest first."""
        return await self._select(
            "SELECT * FROM batch ORDER BY date DESC, generated_at DESC, until_seq DESC LIMIT ?", limit
        )

    async def build(self, day: date) -> dict[str, Any] | None:
        """The digest of a date from the database alone; None where no batch is of that date."""
        return await self._store.read(lambda connection: compose(day, *_known(connection, day)))

    async def write_file(self, day: date, now: datetime) -> dict[str, Any] | None:
        """Make the file of a date what the database knows; say what it holds, None where nothing is known.

        A file there that knows of more batches is extended, never replaced; one that is damaged is
        kept aside first.

        Raises:
            OSError: it could not be written; what was there is whole.
        """
        path = self.path(day)

        # On the reading thread, of which there is one: two writers of one date follow each other, and the
        # second one finds what the first one wrote.
        def write(connection: sqlite3.Connection) -> dict[str, Any] | None:
            batches, items = _known(connection, day)
            found = _read(path, day, ())
            if found.state is FileState.DAMAGED:
                keep_aside(path, now)
            digest = compose(day, batches, items, found.digest)
            if digest is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, to_pretty_json(digest) + b"\n")
            return digest

        return await self._store.read(write)

    async def read_file(self, day: date) -> DigestFile:
        """The file of a date, judged by what the database knows."""
        path = self.path(day)

        def read(connection: sqlite3.Connection) -> DigestFile:
            batches = [as_batch(row) for row in connection.execute(_BATCHES_OF_DATE, (day.isoformat(),))]
            return _read(path, day, batches)

        return await self._store.read(read)

    async def begin(self, batch_ids: Collection[str], message_id: str) -> bool:
        """Bind batches to the message that is about to carry them; False where another message has one.

        A later try finds them bound, so it sends the same message again under the same id, however
        many batches the date has got by then.
        """
        rows = [(message_id, batch_id, message_id) for batch_id in batch_ids]
        return await self._store.run(lambda connection: _bind(connection, rows))

    async def mark_sent(self, batch_ids: Collection[str], delivery_id: str, at: datetime) -> None:
        """Keep the proof that a delivery covered these batches, and say in the state when it was.

        The proof comes first: a crash between the two leaves a note that is too old, which
        `note_last_sent` mends, and never one that speaks of a delivery that is not proved.
        """
        rows = [(delivery_id, time_text(at), batch_id) for batch_id in batch_ids]

        def mark(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE batch SET delivery_id = ?, sent_at = ? WHERE id = ? AND sent_at IS NULL", rows
            )

        await self._store.run(mark)
        await self._note_sent(at)

    async def note_last_sent(self) -> datetime | None:
        """When a digest was last proved to be delivered; the note of it is brought up to date."""

        def select(connection: sqlite3.Connection) -> str | None:
            row = connection.execute("SELECT max(sent_at) FROM batch").fetchone()
            return None if row[0] is None else str(row[0])

        newest = await self._store.read(select)
        if newest is not None:
            await self._note_sent(parse_time(newest))
        return self.last_sent_at

    @property
    def last_sent_at(self) -> datetime | None:
        """When a digest was last proved to be delivered, as the state says it."""
        note = self._store.note(LAST_SENT_NOTE)
        return None if note is None else parse_time(note)

    async def _note_sent(self, at: datetime) -> None:
        known = self.last_sent_at
        if known is None or known < at:
            await self._store.commit(notes={LAST_SENT_NOTE: time_text(at)})

    async def _select(self, sql: str, *parameters: object) -> list[Batch]:
        return await self._store.read(
            lambda connection: [as_batch(row) for row in connection.execute(sql, parameters)]
        )


def as_batch(row: sqlite3.Row) -> Batch:
    """A row of `batch` as a record."""
    return Batch(
        id=row["id"],
        task_id=row["task_id"],
        date=date.fromisoformat(row["date"]),
        generated_at=parse_time(row["generated_at"]),
        after_seq=row["after_seq"],
        until_seq=row["until_seq"],
        docs_processed=row["docs_processed"],
        queue_total=row["queue_total"],
        marked_for_draft=row["marked_for_draft"],
        delivery_id=row["delivery_id"],
        sent_at=None if row["sent_at"] is None else parse_time(row["sent_at"]),
    )


def _record(connection: sqlite3.Connection, batch: Batch) -> Batch:
    known = connection.execute("SELECT * FROM batch WHERE task_id = ?", (batch.task_id,)).fetchone()
    if known is not None:
        return as_batch(known)
    cursor = cursor_of(connection)
    if batch.after_seq != cursor or batch.until_seq < cursor:
        raise WindowMoved(f"the window starts after {batch.after_seq}; batches have come to {cursor}")
    total, judged, marked = connection.execute(_COUNTS, (batch.after_seq, batch.until_seq)).fetchone()
    if judged != total:
        raise StoreError(f"{total - judged} leads of the window are not judged yet")
    batch = replace(batch, docs_processed=total, marked_for_draft=marked)
    connection.execute(
        _INSERT,
        (
            batch.id,
            batch.task_id,
            batch.date.isoformat(),
            time_text(batch.generated_at),
            batch.after_seq,
            batch.until_seq,
            batch.docs_processed,
            batch.queue_total,
            batch.marked_for_draft,
        ),
    )
    return batch


def _bind(connection: sqlite3.Connection, rows: list[tuple[str, str, str]]) -> bool:
    connection.execute("SAVEPOINT bind")
    bound = connection.executemany(
        "UPDATE batch SET delivery_id = ?"
        " WHERE id = ? AND sent_at IS NULL AND (delivery_id IS NULL OR delivery_id = ?)",
        rows,
    ).rowcount
    if bound != len(rows):
        connection.execute("ROLLBACK TO bind")
    connection.execute("RELEASE bind")
    return bound == len(rows)


def _known(connection: sqlite3.Connection, day: date) -> tuple[list[Batch], list[Item]]:
    batches = [as_batch(row) for row in connection.execute(_BATCHES_OF_DATE, (day.isoformat(),))]
    marked = [as_item(row) for row in connection.execute(_MARKED_OF_DATE, (day.isoformat(),))]
    # A batch may have been recorded between the two reads; its leads are the next writer's.
    ids = {batch.id for batch in batches}
    return batches, [item for item in marked if item.batch_id in ids]


def _read(path: Path, day: date, batches: Collection[Batch]) -> DigestFile:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return DigestFile(FileState.MISSING, detail="there is no such file")
    except OSError as error:
        return DigestFile(FileState.DAMAGED, detail=f"cannot be read: {error.strerror}")
    return judge(data, day, list(batches))

"""The SQLite file: one writer thread that commits in groups, one reader beside it.

Whatever is submitted while a commit runs goes out together as the next one; there is no timer, so a
lone change waits for nobody and a hundred at once share one sync. Measured on this design's
prototype: as fast as a hand-made journal, with crash behaviour that others have tested for decades.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from state.schema import Operation, write_operations
from state.seal import seal, unseal
from state.tables import SCHEMA_VERSION, TABLES

T = TypeVar("T")
BUSY_TIMEOUT_S = 5.0
# A write-ahead log longer than this is folded back by the writer; 1,000 pages is SQLite's own default.
CHECKPOINT_PAGES = 4000
# Each table's statements, for one row and for up to a hundred at once.
STATEMENTS_KEPT = 256

_REPEATED_CODES = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)
# These say that the file cannot be opened or read just now, and nothing about what it holds.
NOT_NOW_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)
# What is wrong with the whole file or the machine, and no fault of one change.
_SHARED_CODES = NOT_NOW_CODES | {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR}


class StoreError(Exception):
    """A change could not be made durable; nothing of it is kept."""


class StoreFull(StoreError):
    """The disk is full. What was stored is whole, and new changes are taken again once there is space."""


class StoreReadOnly(StoreError):
    """The file may not be written to just now."""


class StoreBusy(StoreError):
    """Another process has held the file for longer than it is waited for."""


class StoreConflict(StoreError):
    """What may be there only once is there already."""


class StoreDamaged(StoreError):
    """The database file is not what was written to it."""


class StoreTooNew(StoreError):
    """The database was written by a newer version."""


Work = Callable[[sqlite3.Connection], Any]
Done = Callable[[Exception | None, Any], None]
Outcome = tuple[Exception | None, Any]


class Unit(NamedTuple):
    """What one caller wants to become true: rows to write, or work to be done in the transaction."""

    operations: Sequence[Operation]
    work: Work | None
    done: Done


class Database:
    """The open database. Everything but the work itself happens on the loop's thread."""

    def __init__(self, path: Path, generation: int) -> None:
        """Open it, and make the generation to go on from durable: nobody may show one it does not know.

        Raises:
            StoreError, OSError: it cannot be opened or written to; what it holds is whole.
        """
        # As far as the loop has heard: whoever reads it finds in memory all that it counts.
        self.generation = generation
        self._path = path
        self._connection = _opened(path, generation)
        self._committed = generation
        self._loop = asyncio.get_running_loop()
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False
        self._is_damaged = False
        self.on_commit: Callable[[], None] = lambda: None
        self.on_damage: Callable[[StoreDamaged], None] = lambda _: None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="nightdesk-reader")
        self._read_connection: sqlite3.Connection | None = None
        self._writer = threading.Thread(target=self._write_groups, name="nightdesk-writer", daemon=True)
        self._writer.start()

    def submit(self, operations: Sequence[Operation], done: Done, work: Work | None = None) -> None:
        """Have it committed with the next group; `done(error, result)` is called on the loop after.

        Raises:
            StoreError: the database is closed.
        """
        if self._closed:
            raise StoreError("the database is closed")
        self._in_flight += 1
        self._quiet.clear()
        self._units.put(Unit(operations, work, done))

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work on the writer's connection; it is durable when this returns, or undone if it raises.

        The work is done after the rows of its group are written, and once more where another change of
        the group was at fault: it may lean on nothing but the connection, and leaves transactions alone.
        """
        future: asyncio.Future[T] = self._loop.create_future()

        def done(error: Exception | None, result: Any) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.submit((), done, work)
        return await future

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work on the reading connection, which sees what is committed and can change nothing.

        Raises:
            StoreError: the database is closed, or cannot be read.
        """
        if self._closed:
            raise StoreError("the database is closed")
        return await self._loop.run_in_executor(self._reader, self._read, work)

    async def quiet(self) -> None:
        """Return once nothing is on its way to the disk."""
        await self._quiet.wait()

    @property
    def is_quiet(self) -> bool:
        return self._in_flight == 0

    async def close(self) -> None:
        """Commit what was submitted, then let go of the file, sealed."""
        if self._closed:
            return
        self._closed = True
        # The reader first: the last connection to close folds the log back, and only the writer may.
        await self._loop.run_in_executor(self._reader, self._close_reader)
        self._reader.shutdown()
        self._units.put(None)
        await asyncio.to_thread(self._writer.join)
        await self.quiet()
        await asyncio.to_thread(self._seal)

    def _seal(self) -> None:
        # A log that is still there belongs to another reader: then the file is not all there is.
        if self._is_damaged or self._path.with_name(self._path.name + "-wal").exists():
            return
        with contextlib.suppress(OSError):  # without a seal the next start notices less, and loses nothing
            seal(self._path)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._read_connection is None:
                self._read_connection = connect(self._path, read_only=True)
            return work(self._read_connection)
        except sqlite3.Error as error:
            failure = as_store_error(error)
            if isinstance(failure, StoreDamaged):
                self._loop.call_soon_threadsafe(self._tell_of_damage, failure)
            raise failure from error

    def _close_reader(self) -> None:
        if self._read_connection is not None:
            self._read_connection.close()

    def _write_groups(self) -> None:
        try:
            while (units := self._next_group()) is not None:
                outcomes = self._write(self._connection, units)
                with contextlib.suppress(RuntimeError):  # the loop is gone: nobody is left to be told
                    self._loop.call_soon_threadsafe(self._tell, units, outcomes, self._committed)
        finally:
            self._connection.close()

    def _next_group(self) -> list[Unit] | None:
        """Wait for one unit, then take all that have piled up; None when the database closes."""
        first = self._units.get()
        if first is None:
            return None
        units = [first]
        with contextlib.suppress(queue.Empty):
            while (unit := self._units.get_nowait()) is not None:
                units.append(unit)
            self._units.put(None)
        return units

    def _write(self, connection: sqlite3.Connection, units: list[Unit]) -> list[Outcome]:
        try:
            return self._write_together(connection, units)
        except Exception as error:
            # Also a value that has no form in a row, whatever it raises: a writer that ends here would
            # leave everybody waiting for ever.
            if len(units) == 1 or _is_shared(error):
                return [(_named(error), None)] * len(units)
        # One of them is at fault (a slot decided twice, say): alone, only that one is refused.
        return [outcome for unit in units for outcome in self._write(connection, [unit])]

    def _write_together(self, connection: sqlite3.Connection, units: list[Unit]) -> list[Outcome]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            write_operations(connection, [operation for unit in units for operation in unit.operations])
            outcomes = [_work(connection, unit.work) for unit in units]
            generation = self._committed + 1
            _note_generation(connection, generation)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._committed = generation
        return outcomes

    def _tell(self, units: list[Unit], outcomes: list[Outcome], generation: int) -> None:
        self._in_flight -= len(units)
        if self._in_flight == 0:
            self._quiet.set()
        self.generation = generation
        for unit, (error, result) in zip(units, outcomes, strict=True):
            try:
                unit.done(error, result)
            except Exception as fault:
                # One caller's mistake must not keep the others of the group from hearing.
                about = {"message": "a callback of the database failed", "exception": fault}
                self._loop.call_exception_handler(about)
            if isinstance(error, StoreDamaged):
                self._tell_of_damage(error)
        self.on_commit()

    def _tell_of_damage(self, damage: StoreDamaged) -> None:
        self._is_damaged = True
        self.on_damage(damage)


def _work(connection: sqlite3.Connection, work: Work | None) -> Outcome:
    """Do one caller's work under a savepoint, so that its failure undoes nobody else's."""
    if work is None:
        return None, None
    connection.execute("SAVEPOINT unit")
    try:
        result = work(connection)
    except Exception as error:
        # Whatever a caller's work raises is the caller's to hear; the writer has to live on. But where
        # SQLite has undone everything already, or nobody can write, it is everybody's.
        if _is_shared(error) or not connection.in_transaction:
            raise
        failure = as_store_error(error) if isinstance(error, sqlite3.Error) else error
        connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
        return failure, None
    connection.execute("RELEASE unit")
    return None, result


def _is_shared(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _SHARED_CODES


def _named(error: Exception) -> Exception:
    """What a caller is told: its own error as it is, all others as a StoreError."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.Error):
        return as_store_error(error)
    return StoreError(f"it cannot be stored: {error}")


def _opened(path: Path, generation: int) -> sqlite3.Connection:
    """The writer's connection, with the generation durable."""
    try:
        unseal(path)
        connection = connect(path)
        try:
            _note_generation(connection, generation)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise as_store_error(error) from error
    return connection


def _note_generation(connection: sqlite3.Connection, generation: int) -> None:
    connection.execute("INSERT OR REPLACE INTO note VALUES ('generation', ?)", (str(generation),))


def generation_of(connection: sqlite3.Connection) -> int:
    """The generation a database ends at.

    Raises:
        ValueError: what is noted there is no number.
    """
    row = connection.execute("SELECT value FROM note WHERE name = 'generation'").fetchone()
    return 0 if row is None else int(row[0])


def version_of(connection: sqlite3.Connection) -> int:
    """Which version of the tables a database has; 0 where it has none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def connect_at_rest(path: Path) -> sqlite3.Connection:
    """Open a file for reading that no daemon has open, and leave nothing beside it."""
    # Without a log the one file is all there is; opened as a shared one it would get a new, empty log.
    has_log = path.with_name(path.name + "-wal").exists()
    return connect(path, read_only=True, immutable=not has_log)


def connect(path: Path, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """Open the file with the settings every connection here uses."""
    mode = "ro" if read_only else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        connection.row_factory = sqlite3.Row
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        return connection
    except sqlite3.Error:
        connection.close()
        raise


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty database, all or none."""
    connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")


def as_store_error(error: sqlite3.Error) -> StoreError:
    """Name what happened; the text is SQLite's own and holds no values."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = _primary_code(error)
    # The file that readers and the writer share cannot grow: SQLite calls that a fault of the disk.
    if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StoreFull("the disk is full: nothing was stored; free some space and try again")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR):
        # After a failed sync nobody knows what the file holds: it is to be opened anew, not written on.
        return StoreDamaged(f"the database cannot be relied on: {error}; a restart looks it over")
    if primary == sqlite3.SQLITE_READONLY:
        return StoreReadOnly(f"the database refused: {error}")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"the database refused: {error}")
    if code in _REPEATED_CODES:
        return StoreConflict(f"it is stored already: {error}")
    return StoreError(f"the database refused: {error}")


def _primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's own code; None for what Python's binding raises by itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF

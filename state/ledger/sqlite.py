"""The ledger in a file of its own, `ledger.db`: WAL, synced at every commit, one writer thread."""

import asyncio
import contextlib
import sqlite3
from datetime import datetime
from functools import cache
from pathlib import Path

from state.codec import to_json
from state.database import (
    Database,
    StoreBusy,
    StoreConflict,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    as_store_error,
    connect,
    connect_at_rest,
    generation_of,
)
from state.ledger.errors import (
    LedgerConflict,
    LedgerDamaged,
    LedgerDown,
    LedgerError,
    LedgerFull,
    LedgerReadOnly,
)
from state.ledger.keeping import recover
from state.ledger.migrating import Step, Taken, statements, steps_for, steps_to_take
from state.ledger.script import Query, Row, Script, T, Work, plain
from state.ledger.scripted import ScriptedLedger
from state.seal import unseal

OLDEST_SQLITE = (3, 38, 0)  # the first with the operator that reads given rows
_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, taken_at TEXT NOT NULL
)"""
_ERRORS: tuple[tuple[type[StoreError], type[LedgerError]], ...] = (
    (StoreFull, LedgerFull),
    (StoreReadOnly, LedgerReadOnly),
    (StoreDamaged, LedgerDamaged),
    (StoreConflict, LedgerConflict),
    (StoreBusy, LedgerDown),
)


class SqliteLedger(ScriptedLedger):
    """The embedded ledger: nothing to set up, as durable as the disk."""

    name = "sqlite"

    def __init__(self, path: Path, backups: Path) -> None:
        self.problems: list[str] = []  # what had to be put right when it was opened
        self._path = path
        self._backups = backups
        self._database: Database | None = None

    @property
    def changes(self) -> int:
        return 0 if self._database is None else self._database.generation

    async def open(self, now: datetime) -> None:
        """Look the file over, put it right where it is damaged, and open it; again, it does so anew.

        Raises:
            LedgerDamaged: it is, and there is no backup that is whole.
            LedgerError: it cannot be opened now; what it holds is whole.
        """
        await self.close()
        try:
            self.problems = await asyncio.to_thread(recover, self._path, self._backups, now)
            await asyncio.to_thread(_migrate, self._path, now)
            generation = await asyncio.to_thread(_generation, self._path)
            self._database = Database(self._path, generation)
        except (StoreError, sqlite3.Error, OSError) as error:
            raise as_ledger_error(error) from error

    async def close(self) -> None:
        if self._database is not None:
            database, self._database = self._database, None
            await database.close()

    async def migrate(self, now: datetime, *, check: bool = False) -> list[str]:
        try:
            if not check:
                return await asyncio.to_thread(_migrate, self._path, now)
            pending = await asyncio.to_thread(_pending, self._path)
        except (StoreError, sqlite3.Error, OSError) as error:
            raise as_ledger_error(error) from error
        return [step.name for step in pending]

    async def _write(self, work: Work[T], *, is_long: bool = False, again: bool = True) -> T:
        try:
            return await self._opened().run(lambda connection: run(connection, work()))
        except StoreError as error:
            raise as_ledger_error(error) from error

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._opened().read(lambda connection: run(connection, work()))
        except StoreError as error:
            raise as_ledger_error(error) from error

    def _opened(self) -> Database:
        if self._database is None:
            raise LedgerError("the ledger is not open")
        return self._database


def as_ledger_error(error: StoreError | sqlite3.Error | OSError) -> LedgerError:
    """The same error by the ledger's name."""
    if isinstance(error, OSError):
        return LedgerError(f"the ledger's file: {error.strerror or error}")
    if isinstance(error, sqlite3.Error):
        error = as_store_error(error)
    for store_error, ledger_error in _ERRORS:
        if isinstance(error, store_error):
            return ledger_error(f"ledger: {error}")
    return LedgerError(f"ledger: {error}")


def run(connection: sqlite3.Connection, script: Script[T]) -> T:
    """Run a script to its end on a connection, inside whatever transaction it is in."""
    try:
        query = next(script)
        while True:
            query = script.send(_answer(connection, query))
    except StopIteration as end:
        result: T = end.value
        return result


def _answer(connection: sqlite3.Connection, query: Query) -> list[Row]:
    values = {str(number): _value(param) for number, param in enumerate(query.params, 1)}
    for table in query.given:
        if not table.rows:
            values[table.name] = "[]"
        else:
            values[table.name] = to_json(table.rows).decode()
    signature = tuple((table.name, tuple(name for name, _ in table.columns)) for table in query.given)
    return connection.execute(_with_given(query.sql, signature), values).fetchall()


def _value(param: object) -> object:
    shown = plain(param)
    return to_json(shown).decode() if isinstance(shown, list) else shown


@cache
def _with_given(sql: str, signature: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    """A statement with the given rows before it, each a table read out of one JSON text."""
    tables = [
        f"{name} AS (SELECT {', '.join(f'value ->> {column!r} AS {column}' for column in columns)}"
        f" FROM json_each(${name}))"
        for name, columns in signature
    ]
    return f"WITH {', '.join(tables)} {sql.lstrip()}" if tables else sql


def _migrate(path: Path, now: datetime) -> list[str]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise LedgerError(
            f"this Python has SQLite {sqlite3.sqlite_version}; the embedded ledger needs 3.38 or newer: "
            "use a newer Python, or ledger.url postgresql://…"
        )
    if path.exists() and not _pending(path):
        return []
    unseal(path)
    with contextlib.closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_MIGRATIONS)
            steps = steps_to_take(steps_for("sqlite"), _taken(connection))
            for step in steps:
                _take(connection, step, now)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return [step.name for step in steps]


def _take(connection: sqlite3.Connection, step: Step, now: datetime) -> None:
    for statement in statements(step.sql):
        connection.execute(statement)
    row = (step.number, step.name, step.checksum, plain(now))
    connection.execute("INSERT INTO migration VALUES (?, ?, ?, ?)", row)


def _pending(path: Path) -> list[Step]:
    known = steps_for("sqlite")
    if not path.exists():
        return known
    with contextlib.closing(connect_at_rest(path)) as connection:
        return steps_to_take(known, _taken(connection))


def _taken(connection: sqlite3.Connection) -> dict[int, Taken]:
    made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchone()
    if made is None:
        return {}
    rows = connection.execute("SELECT number, name, checksum FROM migration")
    return {row["number"]: Taken(row["name"], row["checksum"]) for row in rows}


def _generation(path: Path) -> int:
    with contextlib.closing(connect(path, read_only=True)) as connection:
        return generation_of(connection)

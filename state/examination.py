"""Looking a database over: its shape, its seal, and whether its records can be read."""

import contextlib
import sqlite3
from datetime import date
from itertools import chain
from pathlib import Path

from state.codec import from_json, parse_time
from state.database import StoreTooNew, as_store_error, connect, generation_of
from state.schema import LOADED, NEWEST_RUNS, RUN, SCHEMA_VERSION
from state.seal import is_seal_broken

_HEADER_SIZE = 100
_WAITING = """
SELECT CAST(body AS BLOB) FROM item WHERE seq > (SELECT coalesce(max(until_seq), 0) FROM batch)"""
# These say that the file cannot be opened or read just now, and nothing about what it holds.
_NOT_DAMAGE = frozenset(
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
_NOT_DAMAGE_EXTENDED = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN})


def examine(path: Path) -> str | None:
    """Look a database over: None when it is whole, else what is wrong with it.

    Raises:
        StoreTooNew: a newer version wrote it; it may be whole, and is not ours to judge.
        StoreError, OSError: it cannot be judged now (locked, no permission, disk full).
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_SIZE)
        if not header:
            return "it is empty"
        if is_seal_broken(path):
            return "its checksum does not fit its content"
        if (fault := _header_fault(header)) is not None:
            return fault
        with contextlib.closing(connect(path, read_only=True)) as connection:
            return _shape_fault(path, connection) or _content_fault(connection)
    except sqlite3.Error as error:
        if _says_nothing(error):
            raise as_store_error(error) from error
        return str(error)


def _says_nothing(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in _NOT_DAMAGE or code in _NOT_DAMAGE_EXTENDED)


def _header_fault(header: bytes) -> str | None:
    # Bytes 18 and 19 are the versions needed to write and to read it (sqlite.org/fileformat.html): a
    # larger number for writing makes SQLite take a damaged file for a read-only one.
    if len(header) == _HEADER_SIZE and not {header[18], header[19]} <= {1, 2}:
        return "its header is damaged"
    return None


def _shape_fault(path: Path, connection: sqlite3.Connection) -> str | None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path}: written by a newer nightdesk (schema {version}, this one knows {SCHEMA_VERSION}); "
            "install that version again, nothing was changed"
        )
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        return f"quick_check says: {verdict}"
    if version != SCHEMA_VERSION:
        return f"it has schema {version}"
    return None


def _content_fault(connection: sqlite3.Connection) -> str | None:
    """Read all that a start will read: a record that cannot be read must be known before."""
    try:
        generation_of(connection)
        for table in LOADED:
            for row in connection.execute(table.select):
                table.decode(row)
        for row in connection.execute(NEWEST_RUNS):
            RUN.decode(row)
        for (body,) in connection.execute(_WAITING):
            from_json(body)
        _read_batches(connection)
    except (ValueError, TypeError) as error:
        return f"a record in it cannot be read: {error}"
    return None


def _read_batches(connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT date, generated_at, sent_at FROM batch")
    for day, generated_at, sent_at in rows:
        date.fromisoformat(day)
        for at in chain((generated_at,), () if sent_at is None else (sent_at,)):
            parse_time(at)

"""Looking a database over: its seal, its shape, and whether its records can be read."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from state.codec import from_json, parse_time
from state.database import (
    NOT_NOW_CODES,
    StoreTooNew,
    as_store_error,
    connect_at_rest,
    generation_of,
    version_of,
)
from state.schema import LOADED, NEWEST_RUNS, RUN, SLOT
from state.seal import is_seal_broken, seal_of
from state.tables import SCHEMA_VERSION, STEPS

_HEADER_SIZE = 100
# Bodies as bytes: SQLite does not look whether a text is one.
_ITEMS = "SELECT CAST(body AS BLOB) AS body, added_at, reasons FROM item"
_WAITING_ITEMS = f"{_ITEMS} WHERE seq > (SELECT coalesce(max(until_seq), 0) FROM batch)"  # noqa: S608
_BATCHES = "SELECT * FROM batch"
_MADE = re.compile(r"CREATE TABLE (\w+)")
_NOT_DAMAGE_EXTENDED = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN})


def examine(path: Path, *, thoroughly: bool = True) -> str | None:
    """Look a database over: None when it is whole, else what is wrong with it.

    What a start reads is always tried. Where no seal vouches for the rest, as after a crash, the rest is
    looked at `thoroughly` too: about a second for each 200,000 rows. One that an older version wrote is
    judged by the tables of that version.

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
        is_all = thoroughly and not seal_of(path).exists()
        with contextlib.closing(connect_at_rest(path)) as connection:
            version = version_of(connection)
            return _shape_fault(path, connection, version, is_all) or _content_fault(
                connection, version, is_all
            )
    except sqlite3.Error as error:
        if _says_nothing(error):
            raise as_store_error(error) from error
        return str(error)


def _says_nothing(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in NOT_NOW_CODES or code in _NOT_DAMAGE_EXTENDED)


def _header_fault(header: bytes) -> str | None:
    # Bytes 18 and 19 are the versions needed to write and to read it (sqlite.org/fileformat.html): a
    # larger number for writing makes SQLite take a damaged file for a read-only one.
    if len(header) == _HEADER_SIZE and not {header[18], header[19]} <= {1, 2}:
        return "its header is damaged"
    return None


def _shape_fault(path: Path, connection: sqlite3.Connection, version: int, is_all: bool) -> str | None:
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path}: written by a newer nightdesk (schema {version}, this one knows {SCHEMA_VERSION}); "
            "install that version again, nothing was changed"
        )
    check = "PRAGMA integrity_check(1)" if is_all else "PRAGMA quick_check(1)"
    verdict = connection.execute(check).fetchone()[0]
    if verdict != "ok":
        return f"SQLite says: {verdict}"
    if version < 1:
        return f"it has schema {version}"
    if later := _tables_after(version) & _tables_in(connection):
        return f"it is marked as schema {version}, and has {', '.join(sorted(later))}"
    return None


def _tables_after(version: int) -> set[str]:
    """The tables that later versions have added."""
    steps = (sql for since, sql in STEPS.items() if since > version)
    return {name for sql in steps for name in _MADE.findall(sql)}


def _tables_in(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _content_fault(connection: sqlite3.Connection, version: int, is_all: bool) -> str | None:
    """Read the records: one that cannot be read must be known before somebody needs it."""
    tables = (*LOADED, SLOT) if is_all else LOADED
    try:
        generation_of(connection)
        for table in (it for it in tables if it.since <= version):
            for row in connection.execute(table.select):
                table.decode(row)
        for row in connection.execute(RUN.select if is_all else NEWEST_RUNS):
            RUN.decode(row)
        _read_items(connection.execute(_ITEMS if is_all else _WAITING_ITEMS))
        _read_batches(connection.execute(_BATCHES))
    except (ValueError, TypeError, LookupError) as error:
        return f"a record in it cannot be read: {error}"
    return None


def _read_items(rows: Iterator[sqlite3.Row]) -> None:
    for row in rows:
        from_json(row["body"])
        parse_time(row["added_at"])
        if row["reasons"] is not None:
            from_json(row["reasons"])


def _read_batches(rows: Iterator[sqlite3.Row]) -> None:
    for row in rows:
        date.fromisoformat(row["date"])
        parse_time(row["generated_at"])
        if row["sent_at"] is not None:
            parse_time(row["sent_at"])

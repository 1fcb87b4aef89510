"""Bringing a database of an older version forward, step by step, each of them whole or not at all."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from state.backups import backups_of, take_backup
from state.database import (
    StoreError,
    StoreFull,
    as_store_error,
    connect,
    connect_at_rest,
    generation_of,
    version_of,
)
from state.examination import examine
from state.home import Home
from state.seal import unseal
from state.tables import SCHEMA_VERSION, STEPS


def migrate(home: Home, now: datetime) -> int | None:
    """Bring the home's database to the tables of this version; the version it had, or None if that was it.

    A backup of what it was is taken first, so there is something to go back to. A start that ends in
    between leaves the database at one of the steps; the next one goes on from there.

    Raises:
        StoreFull: there is no room for the backup or the new tables; what was there is whole.
        StoreError, OSError: it cannot be done now; what was there is whole.
    """
    with contextlib.closing(connect_at_rest(home.database)) as connection:
        before, generation = version_of(connection), generation_of(connection)
    if before == SCHEMA_VERSION:
        return None
    with _told_as_full(home.database, before):
        # Once: a start that fails again and again would fill the disk with copies of one thing.
        if not any(_is_copy(path, before, generation) for path in backups_of(home)):
            take_backup(home, now, keep_all=True)
        unseal(home.database)
        bring_up(home.database)
    return before


def bring_up(path: Path) -> None:
    """Take a database, whose seal is off, through the steps it has not been through; none where it is new.

    Raises:
        StoreFull, StoreError: it stands where it stood, or at one of the steps, and is whole.
    """
    try:
        with contextlib.closing(connect(path)) as connection:
            for version in range(version_of(connection) + 1, SCHEMA_VERSION + 1):
                _take_step(connection, version)
    except sqlite3.Error as error:
        raise as_store_error(error) from error


def _take_step(connection: sqlite3.Connection, version: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {STEPS[version]} PRAGMA user_version={version}; COMMIT;")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_copy(path: Path, version: int, generation: int) -> bool:
    """Whether a backup holds what the database of this version and generation holds."""
    try:
        if examine(path) is not None:
            return False
        with contextlib.closing(connect_at_rest(path)) as connection:
            return (version_of(connection), generation_of(connection)) == (version, generation)
    except (StoreError, OSError, sqlite3.Error):
        return False  # one that cannot be looked at is none to go back to


@contextlib.contextmanager
def _told_as_full(path: Path, before: int) -> Iterator[None]:
    try:
        yield
    except (StoreFull, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFull(
            f"the disk is full: {path} could not be brought from schema {before} to {SCHEMA_VERSION}, and is "
            "as it was; make room for a copy of it and start again"
        ) from error

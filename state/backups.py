"""Hourly online backups of the database: taken beside the running daemon, three kept, each sealed."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from state.database import StoreDamaged, as_store_error, connect
from state.disk import TEMP_SUFFIX, sync_file, sync_folder
from state.examination import examine
from state.home import Home
from state.seal import seal, seal_of

BACKUP_EVERY = timedelta(hours=1)
BACKUPS_KEPT = 3


def backups_of(home: Home) -> list[Path]:
    """The backups there are, whole or not, oldest first by their names."""
    return sorted(home.backups.glob("nightdesk-*.db"))


def newest_backup_at(home: Home) -> datetime | None:
    """When the newest backup was taken, by its name; None when there is none."""
    times = [at for path in backups_of(home) if (at := _time_of(path)) is not None]
    return max(times, default=None)


def take_backup(home: Home, now: datetime, *, keep_all: bool = False) -> Path:
    """Copy the committed database to `backups/nightdesk-TIME.db`; drop the oldest beyond three, or none.

    Runs in a thread of the caller's; the daemon goes on writing meanwhile.

    Raises:
        StoreError, OSError: nothing was added; the backups that were there are whole.
    """
    path = home.backups / f"nightdesk-{now.strftime('%Y%m%dT%H%M%SZ')}.db"
    temp = path.with_name(path.name + TEMP_SUFFIX)
    try:
        _copy(home.database, temp)
        if (fault := examine(temp, thoroughly=False)) is not None:
            # A damaged copy must not push out the whole ones.
            raise StoreDamaged(f"{home.database}: {fault}")
        sync_file(temp)
        seal(temp, named=path.name)
        temp.replace(path)
    except sqlite3.Error as error:
        temp.unlink(missing_ok=True)
        raise as_store_error(error) from error
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(home.backups)
    if not keep_all:
        _drop_old(home, path, now)
    return path


def _copy(database: Path, target_path: Path) -> None:
    with (
        contextlib.closing(connect(database, read_only=True)) as source,
        contextlib.closing(sqlite3.connect(target_path)) as target,
    ):
        # In one read of one instant, which in WAL holds up no writer: a copy in parts begins anew with
        # every commit that comes between, and of a busy daemon it would never be done.
        source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode=DELETE")


def _drop_old(home: Home, newest: Path, now: datetime) -> None:
    """Keep the newest three. One that claims to come from the future was taken by a clock that was wrong."""
    others = [path for path in backups_of(home) if path != newest]
    others.sort(key=lambda path: ((_time_of(path) or now) <= now, path.name))
    for old in others[: -(BACKUPS_KEPT - 1)]:
        old.unlink(missing_ok=True)
        seal_of(old).unlink(missing_ok=True)


def _time_of(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.stem, "nightdesk-%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None

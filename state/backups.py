"""Hourly online backups of the database: taken beside the running daemon, three kept."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from state.database import StoreDamaged, connect, examine
from state.disk import TEMP_SUFFIX, sync_folder
from state.home import Home

BACKUP_EVERY = timedelta(hours=1)
BACKUPS_KEPT = 3
# Pages copied before the reader lets the writer go first: 4 MiB, a few milliseconds.
PAGES_AT_ONCE = 1000


def newest_backup_at(home: Home) -> datetime | None:
    """When the newest backup was taken, by its name; None when there is none."""
    times = [at for path in home.backups.glob("nightdesk-*.db") if (at := _time_of(path)) is not None]
    return max(times, default=None)


def take_backup(home: Home, now: datetime) -> Path:
    """Copy the committed database to `backups/nightdesk-TIME.db` and drop the oldest beyond three.

    Runs in a thread of the caller's; the daemon goes on writing meanwhile.

    Raises:
        sqlite3.Error, OSError, StoreDamaged: nothing was added; the backups that were there are whole.
    """
    path = home.backups / f"nightdesk-{now.strftime('%Y%m%dT%H%M%SZ')}.db"
    temp = path.with_name(path.name + TEMP_SUFFIX)
    try:
        with (
            contextlib.closing(connect(home.database, read_only=True)) as source,
            contextlib.closing(sqlite3.connect(temp)) as target,
        ):
            source.backup(target, pages=PAGES_AT_ONCE)
            target.execute("PRAGMA journal_mode=DELETE")
        if (fault := examine(temp)) is not None:
            # A damaged copy must not push out the whole ones.
            raise StoreDamaged(f"{home.database}: {fault}")
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(home.backups)
    for old in sorted(home.backups.glob("nightdesk-*.db"))[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)
    return path


def _time_of(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.stem, "nightdesk-%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None

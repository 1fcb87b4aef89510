"""Opening a home: whole, restored, fresh, or refused; never silently reset, never overwritten.

What is damaged is kept aside under a name with its time. A lost database comes back from the newest
whole backup, brought forward by the JSON state; what even that cannot bring back is counted.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from state import snapshot
from state.backups import take_backup
from state.database import connect, examine, make_tables
from state.disk import keep_aside, remove_leftovers, sync_folder
from state.home import Home
from state.restore import Restored, bring_forward


class StateUnreadable(Exception):
    """There is state here, and none of it can be read; starting afresh would lose it."""


@dataclass(slots=True)
class Opening:
    """How a home was found: what a person should be told, and the generation to go on from."""

    generation: int = 0
    is_fresh: bool = False
    kept_aside: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    restored: Restored | None = None


def open_home(home: Home, now: datetime) -> Opening:
    """Make the home's database fit to be opened; the caller holds the lock.

    Raises:
        StateUnreadable: nothing can be read (exit 65).
        StoreTooNew: a newer version wrote it (exit 65).
    """
    for folder in (home.folder, home.backups, home.digests):
        remove_leftovers(folder)
    opening = Opening()
    found = _readable_snapshots(home, opening, now)
    newest = max(found, key=lambda it: int(it["generation"]), default=None)
    if home.database.exists():
        fault = examine(home.database)
        if fault is None and (fault := _fallen_behind(home.database, newest)) is not None:
            take_backup(home, now)  # whole as far as it goes: the first thing to restore from
        if fault is None:
            opening.generation = _generation_of(home.database) + 1
            return opening
        opening.problems.append(f"{home.database.name}: {fault}")
        _keep_database_aside(home, opening, now)
    if newest is None and not _anything_left(home, opening):
        _make_database(home.database)
        opening.is_fresh = True
        opening.generation = 1
        return opening
    _restore(home, opening, newest, now)
    return opening


def whole_backups(home: Home) -> Iterator[Path]:
    """The backups that can be relied on, newest first."""
    for path in sorted(home.backups.glob("nightdesk-*.db"), reverse=True):
        if examine(path) is None:
            yield path


def _readable_snapshots(home: Home, opening: Opening, now: datetime) -> list[dict[str, Any]]:
    """Read both generations of the JSON state; a damaged one is kept aside."""
    found = []
    for path in (home.state_file, home.previous_state_file):
        try:
            found.append(snapshot.read(path))
        except FileNotFoundError:
            continue
        except snapshot.SnapshotDamaged as fault:
            opening.problems.append(f"{path.name}: {fault}")
            opening.kept_aside.append(keep_aside(path, now))
    return found


def _fallen_behind(path: Path, newest: dict[str, Any] | None) -> str | None:
    """A whole database that is older than the JSON state has lost commits: a cut log, or an old copy."""
    generation = _generation_of(path)
    if newest is None or generation >= newest["generation"]:
        return None
    return f"it ends at generation {generation}, the JSON state knows {newest['generation']}"


def _keep_database_aside(home: Home, opening: Opening, now: datetime) -> None:
    # The write-ahead log belongs to the file: left behind, it would be replayed into the restored one.
    for suffix in ("", "-wal", "-shm"):
        path = home.database.with_name(home.database.name + suffix)
        if path.exists():
            opening.kept_aside.append(keep_aside(path, now))


def _anything_left(home: Home, opening: Opening) -> bool:
    """Whether this home has ever held anything: then an empty start would hide a loss."""
    traces = (home.database.name, home.state_file.name, home.previous_state_file.name)
    aside = any(list(home.folder.glob(f"{name}.damaged-*")) for name in traces)
    return bool(opening.kept_aside) or aside or any(home.backups.glob("nightdesk-*.db"))


def _restore(home: Home, opening: Opening, newest: dict[str, Any] | None, now: datetime) -> None:
    backup = next(whole_backups(home), None)
    if backup is None and newest is None:
        raise StateUnreadable(
            f"{home.folder}: there is state here and none of it can be read ("
            + "; ".join(opening.problems or ["the database is missing, and no JSON state or backup is whole"])
            + "). Put a backup in place of nightdesk.db, or move the damaged files elsewhere to start afresh"
        )
    building = home.database.with_name(home.database.name + ".restoring.tmp")
    building.unlink(missing_ok=True)
    if backup is not None:
        shutil.copyfile(backup, building)
    else:
        _make_database(building)
    opening.restored = bring_forward(building, newest, backup, now)
    # A checkpoint leaves all in the one file, so that the rename moves everything or nothing.
    connection = connect(building)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
    building.replace(home.database)
    sync_folder(home.folder)
    # One more than either source knew: generations never go back, even over what was lost.
    opening.generation = max(_generation_of(home.database), _of_snapshot(newest)) + 1
    if not opening.problems:
        opening.problems.append(f"{home.database.name}: it is missing")


def _make_database(path: Path) -> None:
    connection = connect(path)
    try:
        make_tables(connection)
    finally:
        connection.close()
    sync_folder(path.parent)


def _generation_of(path: Path) -> int:
    connection = connect(path, read_only=True)
    try:
        row = connection.execute("SELECT value FROM note WHERE name = 'generation'").fetchone()
        return 0 if row is None else int(row[0])
    finally:
        connection.close()


def _of_snapshot(state: dict[str, Any] | None) -> int:
    return 0 if state is None else int(state["generation"])

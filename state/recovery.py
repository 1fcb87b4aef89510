"""Opening a home: whole, restored, fresh, or refused; never silently reset, never overwritten.

What is damaged is kept aside under a name with its time. A lost database comes back from the newest
whole backup, brought forward by the JSON state; what even that cannot bring back is counted.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from state import snapshot
from state.backups import backups_of, take_backup
from state.database import StoreTooNew, as_store_error, connect, connect_at_rest, generation_of, make_tables
from state.disk import TEMP_SUFFIX, keep_aside, remove_leftovers, sync_file, sync_folder
from state.examination import examine
from state.home import Home
from state.migration import bring_up, migrate
from state.restore import NotAState, Restored, bring_forward
from state.seal import SEAL_SUFFIX, unseal

# What belongs to the database file: its log left behind would be replayed into a restored one.
DATABASE_SUFFIXES = ("", "-wal", "-shm", SEAL_SUFFIX)


class StateUnreadable(Exception):
    """There is state here, and none of it can be read; starting afresh would lose it."""


@dataclass(slots=True)
class Opening:
    """How a home was found: what a person should be told, and the generation to go on from."""

    generation: int = 0
    is_fresh: bool = False
    older_schema: int | None = None  # the version of the tables it had, if it was brought forward
    kept_aside: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    restored: Restored | None = None


class Saved(NamedTuple):
    """A generation of the JSON state that can be trusted, and where it was found."""

    path: Path
    state: dict[str, Any]

    @property
    def generation(self) -> int:
        return int(self.state["generation"])


def open_home(home: Home, now: datetime) -> Opening:
    """Make the home's database fit to be opened; the caller holds the lock.

    Raises:
        StateUnreadable: nothing can be read (exit 65).
        StoreTooNew: a newer version wrote it (exit 65); nothing was changed.
        StoreError, OSError: it cannot be told now (locked, no permission, disk full); try again.
    """
    try:
        return _open(home, now)
    except sqlite3.Error as error:
        raise as_store_error(error) from error


def _open(home: Home, now: datetime) -> Opening:
    # All is looked over before anything is touched: a newer version's state has to stay as it is.
    fault = examine(home.database) if home.database.exists() else "it is missing"
    saved, damaged = _saved_states(home)
    for folder in (home.folder, home.backups, home.digests):
        remove_leftovers(folder)
    opening = Opening()
    for path, reason in damaged:
        opening.problems.append(f"{path.name}: {reason}")
        opening.kept_aside.append(keep_aside(path, now))
    if fault is None and (fault := _fallen_behind(home.database, saved)) is not None:
        # Whole as far as it goes: the first thing to restore from.
        take_backup(home, now, keep_all=True)
    if fault is None:
        opening.older_schema = migrate(home, now)
        opening.generation = _generation_at(home.database) + 1
        return opening
    is_missing = not home.database.exists()
    kept = _keep_database_aside(home, opening, now)
    if is_missing and not kept and not saved and not _anything_left(home, opening):
        # Built aside, like all others: a start that is killed here leaves nothing that looks damaged.
        _begin_building(_building(home), None)
        _finish_building(_building(home), home.database)
        opening.is_fresh = True
        opening.generation = 1
        return opening
    opening.problems.append(f"{home.database.name}: {fault}")
    _restore(home, opening, saved, now)
    return opening


def whole_backups(home: Home) -> Iterator[Path]:
    """The backups that can be relied on, newest first."""
    for path in reversed(backups_of(home)):
        with contextlib.suppress(StoreTooNew):
            if examine(path) is None:
                yield path


def _saved_states(home: Home) -> tuple[list[Saved], list[tuple[Path, str]]]:
    """Both generations of the JSON state, newest first; and those that are damaged, with the reason."""
    saved: list[Saved] = []
    damaged: list[tuple[Path, str]] = []
    for path in (home.state_file, home.previous_state_file):
        try:
            state = snapshot.read(path)
        except FileNotFoundError:
            continue
        except snapshot.SnapshotDamaged as fault:
            damaged.append((path, str(fault)))
            continue
        if state["schema"] > snapshot.SNAPSHOT_SCHEMA:
            raise StoreTooNew(
                f"{path}: written by a newer nightdesk (schema {state['schema']}, this one knows "
                f"{snapshot.SNAPSHOT_SCHEMA}); install that version again, nothing was changed"
            )
        saved.append(Saved(path, state))
    return sorted(saved, key=lambda it: it.generation, reverse=True), damaged


def _fallen_behind(path: Path, saved: list[Saved]) -> str | None:
    """A whole database that is older than the JSON state has lost commits: a cut log, or an old copy."""
    generation = _generation_at(path)
    if not saved or generation >= saved[0].generation:
        return None
    return f"it ends at generation {generation}, the JSON state knows {saved[0].generation}"


def _keep_database_aside(home: Home, opening: Opening, now: datetime) -> bool:
    """Put away what there is of the database, its log too where only that is left."""
    kept = False
    for suffix in DATABASE_SUFFIXES:
        path = home.database.with_name(home.database.name + suffix)
        if path.exists():
            opening.kept_aside.append(keep_aside(path, now))
            kept = True
    return kept


def _anything_left(home: Home, opening: Opening) -> bool:
    """Whether this home has ever held anything: then an empty start would hide a loss."""
    traces = (home.database.name, home.state_file.name, home.previous_state_file.name)
    aside = any(list(home.folder.glob(f"{name}*.damaged-*")) for name in traces)
    return bool(opening.kept_aside) or aside or bool(backups_of(home))


def _restore(home: Home, opening: Opening, saved: list[Saved], now: datetime) -> None:
    backup = max(whole_backups(home), key=_generation_at, default=None)
    building = _building(home)
    known = 0 if backup is None else _generation_at(backup)
    for candidate in saved:
        known = max(known, candidate.generation)
        _begin_building(building, backup)
        try:
            opening.restored = bring_forward(building, candidate.state, backup, now)
            break
        except NotAState as fault:
            opening.problems.append(f"{candidate.path.name}: {fault}")
            opening.kept_aside.append(keep_aside(candidate.path, now))
    else:
        if backup is None:
            raise StateUnreadable(_told(home, opening))
        _begin_building(building, backup)
        opening.restored = bring_forward(building, None, backup, now)
    _finish_building(building, home.database)
    # One more than any source knew: generations never go back, even over what was lost.
    opening.generation = max(_generation_at(home.database), known) + 1


def _told(home: Home, opening: Opening) -> str:
    return (
        f"{home.folder}: there is state here and none of it can be read ("
        + "; ".join([*opening.problems, "no JSON state and no backup is whole"])
        + "). Put a backup in place of nightdesk.db, or move the damaged files elsewhere to start afresh"
    )


def _building(home: Home) -> Path:
    return home.database.with_name(f"{home.database.name}.building{TEMP_SUFFIX}")


def _begin_building(building: Path, backup: Path | None) -> None:
    for suffix in DATABASE_SUFFIXES:
        building.with_name(building.name + suffix).unlink(missing_ok=True)
    if backup is None:
        with contextlib.closing(connect(building)) as connection:
            make_tables(connection)
    else:
        shutil.copyfile(backup, building)
        bring_up(building)


def _finish_building(building: Path, database: Path) -> None:
    # A checkpoint leaves all in the one file, so that the rename moves everything or nothing.
    with contextlib.closing(connect(building)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    sync_file(building)
    unseal(database)
    building.replace(database)
    sync_folder(database.parent)


def _generation_at(path: Path) -> int:
    with contextlib.closing(connect_at_rest(path)) as connection:
        return generation_of(connection)

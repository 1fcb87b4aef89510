"""Backups of the ledger's file, and how a damaged or lost one comes back from the newest that is whole."""

import contextlib
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from state.codec import time_text
from state.database import NOT_NOW_CODES, as_store_error, connect, connect_at_rest
from state.disk import TEMP_SUFFIX, keep_aside, sync_file, sync_folder
from state.ledger.errors import LedgerDamaged
from state.seal import is_seal_broken, seal, seal_of

BACKUPS_KEPT = 3
_BESIDE = ("-wal", "-shm", ".sha256")


def ledger_backups(backups: Path) -> list[Path]:
    """The backups of the ledger there are, whole or not, oldest first by their names."""
    return sorted(backups.glob("ledger-*.db"))


def take_ledger_backup(path: Path, backups: Path, now: datetime) -> Path:
    """Copy the committed ledger to `backups/ledger-TIME.db`, sealed; drop the oldest beyond three.

    Runs in a thread of the caller's. The copy is one read of one instant: taken in parts it would begin
    anew with every commit, and a ledger is always being written to.

    Raises:
        LedgerDamaged: the ledger is not whole; the backups that were there are kept.
        StoreError, OSError: nothing was added; the backups that were there are whole.
    """
    target = backups / f"ledger-{now.strftime('%Y%m%dT%H%M%SZ')}.db"
    temp = target.with_name(target.name + TEMP_SUFFIX)
    try:
        with (
            contextlib.closing(connect(path, read_only=True)) as source,
            contextlib.closing(sqlite3.connect(temp)) as copy,
        ):
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")
        if (fault := fault_of(temp)) is not None:
            raise LedgerDamaged(f"{path}: {fault}")
        sync_file(temp)
        seal(temp, named=target.name)
        temp.replace(target)
    except sqlite3.Error as error:
        temp.unlink(missing_ok=True)
        raise as_store_error(error) from error
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(backups)
    _drop_old(backups, target)
    return target


def _drop_old(backups: Path, newest: Path) -> None:
    # One that claims to come from the future was taken by a clock that was wrong.
    older = [path for path in ledger_backups(backups) if path.name < newest.name]
    later = [path for path in ledger_backups(backups) if path.name > newest.name]
    for path in [*later, *older[: -(BACKUPS_KEPT - 1)]]:
        path.unlink(missing_ok=True)
        seal_of(path).unlink(missing_ok=True)


def fault_of(path: Path) -> str | None:
    """What is wrong with a ledger's file; None where it is whole.

    Raises:
        StoreError, OSError: it cannot be judged now.
    """
    try:
        if path.stat().st_size == 0:
            return "it is empty"
        if is_seal_broken(path):
            return "its checksum does not fit its content"
        with contextlib.closing(connect_at_rest(path)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in NOT_NOW_CODES:
            raise as_store_error(error) from error
        return str(error)
    return None if verdict == "ok" else f"SQLite says: {verdict}"


def recover(path: Path, backups: Path, now: datetime) -> list[str]:
    """See to it that the file is whole; what had to be done, in sentences for an alert.

    Raises:
        LedgerDamaged: it is not, and no backup is; nothing was moved.
        StoreError, OSError: it cannot be judged now; nothing was moved.
    """
    if path.exists():
        fault = fault_of(path)
    elif ledger_backups(backups):
        fault = "it is gone"
    else:
        return []  # the first start
    if fault is None:
        return []
    whole = next((one for one in reversed(ledger_backups(backups)) if fault_of(one) is None), None)
    if whole is None:
        raise LedgerDamaged(
            f"{fault}, and there is no whole backup in {backups}. Put one in its place, or move it elsewhere "
            "to begin with an empty ledger: then look into what was sent today before anything is"
        )
    return _restore(path, whole, fault, now)


def _restore(path: Path, backup: Path, fault: str, now: datetime) -> list[str]:
    building = path.with_name(path.name + TEMP_SUFFIX)
    shutil.copyfile(backup, building)
    count = _set_in_doubt(building, backup.stem, now)
    sync_file(building)
    kept = [str(keep_aside(one, now)) for one in _parts(path) if one.exists()]
    building.replace(path)
    sync_folder(path.parent)
    where = f"; kept as {', '.join(kept)}" if kept else ""
    return [
        f"{path}: {fault}{where}. Restored from {backup.name}; {count} reports that were open then and have "
        "come due are unknown now, for they may have been sent since: nightdesk reports list --status unknown"
    ]


def _parts(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + suffix) for suffix in _BESIDE)]


def _set_in_doubt(path: Path, backup: str, now: datetime) -> int:
    """What the backup shows as open may have been sent after it was taken: nobody may send it blindly."""
    doubt = f"the ledger was restored from {backup}; whether it was sent since is not known"
    with contextlib.closing(connect(path)) as connection:
        count = connection.execute(
            "UPDATE obligation SET status = 'unknown', ready_at = NULL, lease_expires_at = NULL, error = ?"
            " WHERE ready_at IS NOT NULL AND due_at <= ?",
            (doubt, time_text(now)),
        ).rowcount
        connection.execute(
            "UPDATE send SET state = 'unknown', ended_at = ?, error = ? WHERE state = 'intended'",
            (time_text(now), doubt),
        )
        connection.execute("PRAGMA journal_mode=DELETE")
    return count

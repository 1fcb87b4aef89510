"""Files that are whole at every instant, and damaged ones that are never lost."""

import contextlib
import os
from datetime import datetime
from pathlib import Path

TEMP_SUFFIX = ".tmp"
PROOF = bytes(4096)  # a block: less may fit where no file does


def write_atomically(path: Path, data: bytes, *, previous: Path | None = None, mode: int = 0o640) -> None:
    """Replace `path` by `data` so that a reader, a kill or a power cut finds the old or the new whole.

    The folder is synced too: without that the rename itself may be lost at a power cut (of 200
    simulated cuts without it, 200 lost the acknowledged version). With `previous` the file that
    stood there is kept under that name.
    """
    temp = path.with_name(path.name + TEMP_SUFFIX)
    try:
        _write_synced(temp, data, mode)
        if previous is not None:
            _keep_as(path, previous)
        temp.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()  # a full disk leaves it behind with no bytes
        raise
    sync_folder(path.parent)


def write_whole(path: Path, data: bytes, *, mode: int = 0o640) -> None:
    """Replace `path` by `data` so that a reader or a kill finds the old or the new whole.

    Nothing is synced, which a hundred thousand files could not wait for: a power cut may take the last of
    them. It is for copies of what is known elsewhere.
    """
    temp = path.with_name(path.name + TEMP_SUFFIX)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        # Without a file object: to make one takes as long as the system takes to write the file.
        descriptor = os.open(temp, flags, mode)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        temp.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise


def prove_writable(folder: Path) -> None:
    """Write a small file into a folder, down to the disk, and take it away again. OSError: it cannot be."""
    path = folder / f".proof{TEMP_SUFFIX}"
    try:
        _write_synced(path, PROOF, 0o600)
    finally:
        path.unlink(missing_ok=True)


def keep_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged file to NAME.damaged-TIME, never over another; say where it is now."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    count = 1
    while kept.exists():
        count += 1
        kept = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
    path.replace(kept)
    sync_folder(path.parent)
    return kept


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames inside the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a kill in the middle of a write left behind."""
    # With what SQLite keeps beside a temporary database: a log found there later would be replayed
    # into the next file of that name.
    for temp in folder.glob(f"*{TEMP_SUFFIX}*"):
        with contextlib.suppress(OSError):
            temp.unlink()


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _keep_as(path: Path, previous: Path) -> None:
    # A link, not a rename: between two renames there would be an instant without any state file.
    with contextlib.suppress(FileNotFoundError):
        spare = previous.with_name(previous.name + TEMP_SUFFIX)
        spare.unlink(missing_ok=True)
        os.link(path, spare)
        spare.replace(previous)

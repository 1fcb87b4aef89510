"""What the figures were taken on, and how fast its disk is at this moment."""

import os
import platform
import time
from pathlib import Path

RECORD = b"x" * 199 + b"\n"
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}


def describe(folder: Path) -> str:
    """One line: processors, their load, Python, the system, and the file system that is written to."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    kernel = f"{platform.system()} {platform.release()}"
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores (load {load:.1f}), {python}, {kernel}, {file_system(folder)} in {folder}"


def file_system(folder: Path) -> str:
    """The kind of file system that holds a folder, by /proc/mounts; "unknown" where there is none."""
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, fs, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, fs
    return kind


def raw_syncs_per_s(folder: Path, seconds: float = 0.4) -> float:
    """Appends of 200 bytes, each with its fdatasync, a second: what durable work costs here right now."""
    path = folder / "raw"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.write(descriptor, RECORD)
            os.fdatasync(descriptor)
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()

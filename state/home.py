"""Where everything lives: one folder, and the lock that keeps a second daemon out of it."""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LOCK_TRIES = 5
LOCK_PAUSE_S = 0.02


class HomeLocked(Exception):
    """Another process holds this home."""


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one installation. Nothing is written anywhere else."""

    folder: Path
    logs: Path

    @property
    def database(self) -> Path:
        return self.folder / "nightdesk.db"

    @property
    def state_file(self) -> Path:
        return self.folder / "orchestrator_state.json"

    @property
    def previous_state_file(self) -> Path:
        return self.folder / "orchestrator_state.prev.json"

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def control_socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def lock_file(self) -> Path:
        return self.folder / "lock"

    @property
    def ledger(self) -> Path:
        """The embedded ledger; with one on PostgreSQL there is no such file."""
        return self.folder / "ledger.db"

    @property
    def beat(self) -> Path:
        """The daemon's proof of life, rewritten in place each second."""
        return self.folder / "beat"

    @property
    def watchdog_state(self) -> Path:
        """What the second process remembers over its own restarts."""
        return self.folder / "watchdog.json"

    @property
    def log_file(self) -> Path:
        return self.logs / "orchestrator.log"

    @property
    def alert_log(self) -> Path:
        return self.logs / "alerts.jsonl"

    @property
    def digests(self) -> Path:
        return self.logs / "digests"

    def make_folders(self) -> None:
        """Make what is missing. Only the owner may look inside the home itself."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs, self.digests, self.backups):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)


def find_home(chosen: str | None, config_folder: Path, environ: Mapping[str, str]) -> Home:
    """Find the home: as chosen, else NIGHTDESK_HOME, else systemd's, else `var/` beside the config."""
    name = chosen or environ.get("NIGHTDESK_HOME") or _first(environ.get("STATE_DIRECTORY"))
    folder = Path(name) if name else config_folder / "var"
    logs = _first(environ.get("LOGS_DIRECTORY"))
    return Home(folder.absolute(), Path(logs) if logs else folder.absolute() / "logs")


@contextlib.contextmanager
def locked(home: Home) -> Iterator[None]:
    """Hold the home for as long as the block runs; the kernel lets go if the process dies.

    Raises:
        HomeLocked: another process holds it; the message names its process id where it is known.
        OSError: the lock cannot be made; its text says why.
    """
    home.make_folders()
    descriptor = _open_lock(home.lock_file)
    try:
        _take(descriptor, home)
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, it only names nobody
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps({"pid": os.getpid()}).encode() + b"\n")
        yield
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            # Followed, it would have us write into a file that somebody else has chosen.
            raise OSError(errno.ELOOP, "is a symbolic link; remove it and start again", str(path)) from None
        raise


def _take(descriptor: int, home: Home) -> None:
    # More than one try: `holder` has the lock for an instant, and somebody who only looks must not
    # keep a daemon from starting.
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if tries_left == 0:
                raise HomeLocked(_who_holds(home)) from None
        time.sleep(LOCK_PAUSE_S)


def holder(home: Home) -> int | None:
    """The process that holds the home now, or None: a lock file alone says nothing, only its lock does."""
    try:
        descriptor = os.open(home.lock_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _recorded_pid(home) or -1
    finally:
        os.close(descriptor)
    return None


def _who_holds(home: Home) -> str:
    pid = _recorded_pid(home)
    who = f"process {pid}" if pid else "another process"
    return f"{home.folder}: held by {who}; a home serves one daemon at a time"


def _recorded_pid(home: Home) -> int | None:
    try:
        return int(json.loads(home.lock_file.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _first(directories: str | None) -> str | None:
    # systemd gives a colon-separated list where a unit names several directories
    return directories.split(":")[0] if directories else None

"""The beat file: the loop's proof of life, rewritten in place, for whoever watches from outside.

The second process reads the file with this module, so it leans on the standard library alone.
"""

import asyncio
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon.clock import Clock

log = logging.getLogger(__name__)

# One sector, written whole: the blocks are there from the first beat on, so a full disk stops none.
LENGTH = 512


class BeatState(StrEnum):
    """What the daemon says of itself."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"  # its last word, after a stop in good order


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One beat, as the file holds it."""

    pid: int
    boot_id: str  # of this run of the daemon, not of the machine
    at: datetime
    monotonic: float  # CLOCK_MONOTONIC in seconds, the same for every process until the machine restarts
    state: BeatState
    started_at: datetime
    in_flight: int


class BeatFile:
    """Writes the beats of one run. Its descriptor stays open, so running out of those stops no beat."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.state = BeatState.RUNNING
        self._path = path
        self._clock = clock
        self._boot_id = secrets.token_hex(8)
        self._started_at = clock.now()
        self._descriptor: int | None = None
        self._has_complained = False

    def say(self, in_flight: int = 0) -> bool:
        """Beat once; False where that failed, which the log is told the first time."""
        try:
            self._write(encode(self._beat(in_flight)))
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                fields = {"path": str(self._path), "error": str(error.strerror)}
                log.error("beat.unwritten", extra={"fields": fields})  # noqa: TRY400 - the cause is told
            return False
        self._has_complained = False
        return True

    def close(self) -> None:
        """Let go of the file; its last word stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _beat(self, in_flight: int) -> Beat:
        return Beat(
            pid=os.getpid(),
            boot_id=self._boot_id,
            at=self._clock.now(),
            monotonic=self._clock.monotonic(),
            state=self.state,
            started_at=self._started_at,
            in_flight=in_flight,
        )

    def _write(self, line: bytes) -> None:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self.close()  # somebody removed the file: nobody would ever read what is written into it
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        os.pwrite(self._descriptor, line, 0)


class Beating:
    """Beats from the loop that is to be judged, as often as the config says."""

    name = "beat"

    def __init__(
        self, file: BeatFile, clock: Clock, interval: Callable[[], timedelta], in_flight: Callable[[], int]
    ) -> None:
        self.woken = asyncio.Event()
        self._file = file
        self._clock = clock
        self._interval = interval
        self._in_flight = in_flight

    async def step(self) -> datetime:
        """Beat once."""
        self._file.say(self._in_flight())
        return self._clock.now() + self._interval()


@contextmanager
def beating(path: Path, clock: Clock) -> Iterator[BeatFile]:
    """Say that the daemon is there; at the end, unless the block failed, that it stopped in good order."""
    file = BeatFile(path, clock)
    try:
        file.say()
        yield file
        file.state = BeatState.STOPPED
        file.say()
    finally:
        file.close()


def encode(beat: Beat) -> bytes:
    """Make the line of a beat, always LENGTH bytes long."""
    fields = {
        "pid": beat.pid,
        "bootId": beat.boot_id,
        "at": _time_text(beat.at),
        "monotonic": round(beat.monotonic, 6),
        "state": beat.state,
        "startedAt": _time_text(beat.started_at),
        "inFlight": beat.in_flight,
    }
    return json.dumps(fields).encode().ljust(LENGTH - 1) + b"\n"


def decode(line: bytes) -> Beat:
    """Read the line of a beat.

    Raises:
        ValueError: it is none, or was read in the middle of being written.
    """
    try:
        fields: Any = json.loads(line)
        return Beat(
            pid=int(fields["pid"]),
            boot_id=str(fields["bootId"]),
            at=_time(fields["at"]),
            monotonic=float(fields["monotonic"]),
            state=BeatState(fields["state"]),
            started_at=_time(fields["startedAt"]),
            in_flight=int(fields["inFlight"]),
        )
    except (LookupError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no beat: {error}") from None


def read_beat(path: Path) -> Beat | None:
    """The beat that stands in the file; None where there is none that can be read."""
    try:
        # What is there may be anything: a pipe must not hold the reader, nor a large file fill it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return decode(os.pread(descriptor, LENGTH, 0))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _time_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time(text: Any) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at

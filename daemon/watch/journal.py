"""The journal of alerts: one JSON object a line for whatever happened to an alert, kept for 400 days.

A thread of its own writes it, so nobody waits for the disk. A kill loses at most what waits in the
queue, some milliseconds of it as a rule; a power cut also what the system has not written yet. What
must not be lost is in the database: this is for who looks back.
"""

import contextlib
import logging
import os
import queue
import re
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from daemon.engine.plain import plain_or_why
from state.codec import NotJson, from_json, parse_time, time_text, to_json
from state.disk import sync_file

log = logging.getLogger(__name__)

# As many as a storm makes in the time the disk takes to wake up; beyond that they are counted instead.
EVENTS_WAITING = 10_000
# One broken thing can repeat itself thousands of times a second, and its alert counts that anyway.
REPEATED = "repeated"
REPEATS_A_SECOND = 10
KEPT = timedelta(days=400)
LARGEST = 64 * 1024 * 1024
# A stop does not wait longer than this for a disk that hangs.
CLOSED_WITHIN_S = 5.0
LEFT_OUT = "left-out"
_OLDER = re.compile(r"-(\d{4})-(\d{2})(?:-(\d+))?\.jsonl$")


class Event(NamedTuple):
    """One thing that happened to an alert."""

    event: str
    at: datetime
    fields: dict[str, Any]


class Journal:
    """Takes events on the loop's thread and never holds it up; raises nothing, whatever the disk does."""

    def __init__(self, path: Path, *, largest: int = LARGEST) -> None:
        self._pages = Pages(path, largest)
        self._waiting: queue.Queue[Event | None] = queue.Queue(EVENTS_WAITING)
        self._writer: threading.Thread | None = None
        self._left_out: dict[str, int] = {}
        self._second = datetime.min.replace(tzinfo=UTC)
        self._repeats = 0
        self._is_closed = False

    def add(self, event: str, at: datetime, /, **fields: Any) -> None:
        """Note one event.

        Of those that repeat a few a second are kept; how many there were beyond that is said before the
        first event of a later second.
        """
        if self._is_closed:
            return
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="nightdesk-alerts", daemon=True)
            self._writer.start()
        self._begin_second(at)
        if event == REPEATED:
            self._repeats += 1
            if self._repeats > REPEATS_A_SECOND:
                self._leave_out(event)
                return
        self._put(Event(event, at, fields))

    def close(self) -> None:
        """Write what waits, and make it durable; what is added later is lost."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._writer is None:
            return
        self._tell_left_out(self._second, CLOSED_WITHIN_S)
        with contextlib.suppress(queue.Full):  # then the thread hangs on the disk, and ends with the process
            self._waiting.put(None, timeout=CLOSED_WITHIN_S)
        self._writer.join(CLOSED_WITHIN_S)

    def _begin_second(self, at: datetime) -> None:
        second = at.replace(microsecond=0)
        if second != self._second:
            self._second, self._repeats = second, 0
            self._tell_left_out(at)

    def _put(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._leave_out(event.event)

    def _leave_out(self, event: str) -> None:
        self._left_out[event] = self._left_out.get(event, 0) + 1

    def _tell_left_out(self, at: datetime, within_s: float = 0.0) -> None:
        """Say how many events are missing; once there is room again, if there is none by then."""
        left_out, self._left_out = self._left_out, {}
        for event, count in left_out.items():
            said = Event(LEFT_OUT, at, {"of": event, "events": count})
            try:
                self._waiting.put(said, timeout=within_s)
            except queue.Full:
                self._left_out[event] = count

    def _write(self) -> None:
        """What the thread does: write whatever has piled up, until the end."""
        is_open = True
        while is_open:
            events = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while events[-1] is not None and len(events) < EVENTS_WAITING:
                    events.append(self._waiting.get_nowait())
            is_open = events[-1] is not None
            self._pages.write([event for event in events if event is not None])
        self._pages.sync()


class Pages:
    """The file that is written to and the older ones beside it, by month: NAME-YYYY-MM[-n].jsonl.

    The file is opened anew for each write, so it may be moved away or removed at any time.
    """

    def __init__(self, path: Path, largest: int) -> None:
        self._path = path
        self._largest = largest
        self._month: str | None = None  # of the first line; None while that is not known
        self._swept: date | None = None
        self._missing = 0  # events that the disk refused

    def write(self, events: Sequence[Event]) -> None:
        """Append events; what the disk refuses is counted, and told once by the log."""
        start = 0
        for index, event in enumerate(events):
            # A new month begins a new page: what came before it goes into the old one.
            if index > start and _month(event.at) != _month(events[start].at):
                self._append(events[start:index])
                start = index
        if events:
            self._append(events[start:])

    def sync(self) -> None:
        """Make the newest page durable."""
        with contextlib.suppress(OSError):
            sync_file(self._path)

    def _append(self, events: Sequence[Event]) -> None:
        at = events[0].at
        try:
            self._turn(at)
            self._sweep(events[-1].at)
            lines = [_line(event) for event in events]
            if self._missing:
                missing = Event(LEFT_OUT, at, {"of": "any", "events": self._missing, "reason": "disk"})
                lines.insert(0, _line(missing))
            _append_whole(self._path, b"".join(lines))
        except OSError as error:
            if not self._missing:
                fields = {"path": str(self._path), "error": error.strerror or str(error)}
                log.error("journal.refused", extra={"fields": fields})  # noqa: TRY400
            self._missing += len(events)
            return
        if self._missing:
            log.info("journal.resumed", extra={"fields": {"events_missing": self._missing}})
            self._missing = 0

    def _turn(self, at: datetime) -> None:
        """Begin a new page with a new month, or where this one is full."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size == 0:
            self._month = _month(at)
        elif self._month is None:
            self._month = _first_month(self._path)
        assert self._month is not None
        # A clock that was put back goes on with the page it finds.
        if size > 0 and (self._month < _month(at) or size >= self._largest):
            self._path.rename(_free_name(self._path, self._month))
            self._month = _month(at)

    def _sweep(self, at: datetime) -> None:
        """Once a day, remove what is too old."""
        if self._swept != at.date():
            _remove_old(self._path, at)
            self._swept = at.date()


def _append_whole(path: Path, data: bytes) -> None:
    """Append all of it or nothing; a line that was cut off before is left behind as it is."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _line(event: Event) -> bytes:
    first = {"at": time_text(event.at), "event": event.event}
    fields = {key: value for key, value in event.fields.items() if key not in first}
    try:
        return to_json({**first, **fields}) + b"\n"
    except (TypeError, ValueError):
        return to_json({**first, **plain_or_why(fields)}) + b"\n"


def _month(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m}"


def _first_month(path: Path) -> str:
    """The month that a page begins in, by its first line; by the file's own time where that is no event."""
    with path.open("rb") as file:
        line = file.readline(1 << 20)
    try:
        return _month(parse_time(from_json(line)["at"]))
    except (NotJson, ValueError, TypeError, KeyError):
        return _month(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _free_name(path: Path, month: str) -> Path:
    """The name of an older page; the number goes on from the newest of that month."""
    numbers = [
        int(found[3] or 1)
        for it in _beside(path)
        if (found := _OLDER.search(it.name)) and f"{found[1]}-{found[2]}" == month
    ]
    number = max(numbers, default=0) + 1
    return path.with_name(f"{path.stem}-{month}{'' if number == 1 else f'-{number}'}{path.suffix}")


def _remove_old(path: Path, at: datetime) -> None:
    """Remove the pages whose last day is long enough ago."""
    oldest_month = _month(at - KEPT)
    for page in _beside(path):
        found = _OLDER.search(page.name)
        if found is not None and f"{found[1]}-{found[2]}" < oldest_month:
            with contextlib.suppress(OSError):  # somebody else's file: it stays
                page.unlink()


def _beside(path: Path) -> list[Path]:
    return [it for it in path.parent.glob(f"{path.stem}-*{path.suffix}") if it.is_file()]

"""The log: one JSON object a line, written by a thread of its own, never holding up the daemon."""

import contextlib
import logging
import logging.handlers
import os
import queue
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from state.codec import time_text, to_json

# As many lines as a busy second makes; beyond that lines are counted instead of kept.
LINES_WAITING = 10_000
# Of one event, so many lines a second are written; the rest of that second is told in one line.
LINES_A_SECOND = 200
TEXT_LENGTH = 4000
JOURNAL_PRIORITY = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


class JsonLines(logging.Formatter):
    """Renders a record: when, how grave, which event, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        return to_json(as_fields(record)).decode()


class ForPeople(logging.Formatter):
    """Renders a record for a terminal or the journal: the event, then its fields."""

    def __init__(self, *, is_journal: bool) -> None:
        super().__init__()
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        fields = as_fields(record)
        at, severity, event = fields.pop("at"), fields.pop("severity"), fields.pop("event")
        fields.pop("logger")
        said = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
        if self._is_journal:
            return f"<{JOURNAL_PRIORITY.get(severity, 6)}>{event} {said}"
        return f"{at[11:19]} {severity:<8} {event} {said}"


class PerEvent(logging.Filter):
    """Keeps a flood of one event from filling the disk; what it swallowed is told once a second."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        event, second = record.msg, int(record.created)
        since, count = self._seen.get(event, (second, 0))
        if since != second:
            if count > LINES_A_SECOND:
                record.fields = {**getattr(record, "fields", {}), "suppressed": count - LINES_A_SECOND}
            since, count = second, 0
        self._seen[event] = (since, count + 1)
        return count < LINES_A_SECOND or record.levelno >= logging.CRITICAL


class Hurried(logging.handlers.QueueHandler):
    """Hands records to the writing thread; drops and counts them when it cannot keep up."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
            return
        if self.dropped:
            note = logging.LogRecord(__name__, logging.WARNING, "", 0, "log.dropped", None, None)
            note.fields = {"lines": self.dropped}
            self.dropped = 0
            with contextlib.suppress(queue.Full):
                self.queue.put_nowait(note)


class Rotated(logging.handlers.WatchedFileHandler):
    """Follows the file name when logrotate moves the file away; a full disk is told on stderr once."""

    has_complained = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        if not self.has_complained:
            self.has_complained = True
            print(f"nightdesk: cannot write {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)  # noqa: T201

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            # Reopening after a rotation can fail too, and nobody above could do anything about it.
            self.handleError(record)


@contextlib.contextmanager
def writing_logs(path: Path, *, to_stderr: bool, environ: Mapping[str, str]) -> Iterator[None]:
    """Send all log records to the file, and to stderr where wanted, for as long as the block runs."""
    file = Rotated(path, encoding="utf-8", delay=True)
    file.setFormatter(JsonLines())
    targets: list[logging.Handler] = [file]
    if to_stderr:
        stream = logging.StreamHandler()
        stream.setFormatter(ForPeople(is_journal="JOURNAL_STREAM" in environ))
        targets.append(stream)
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(LINES_WAITING)
    hurried = Hurried(waiting)
    hurried.addFilter(PerEvent())
    listener = logging.handlers.QueueListener(waiting, *targets)
    root = logging.getLogger()
    level_before = root.level
    root.addHandler(hurried)
    root.setLevel(logging.INFO)
    listener.start()
    try:
        yield
    finally:
        root.removeHandler(hurried)
        root.setLevel(level_before)
        listener.stop()
        for target in targets:
            target.close()


def as_fields(record: logging.LogRecord) -> dict[str, Any]:
    """A record as one flat object; the fields cannot take the place of the first four."""
    fields: dict[str, Any] = {
        "at": time_text(datetime.fromtimestamp(record.created, UTC)),
        "severity": record.levelname,
        "event": record.getMessage() if record.args else record.msg,
        "logger": record.name,
    }
    for name, value in getattr(record, "fields", {}).items():
        fields.setdefault(name, value[:TEXT_LENGTH] if isinstance(value, str) else value)
    if record.exc_text:
        fields["traceback"] = record.exc_text[-TEXT_LENGTH:]
    return fields


def is_terminal(stream: Any) -> bool:
    """Whether a person watches: then progress is shown and colours are used."""
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else to_json(value).decode()
    text = text.replace("\n", "\\n")
    return text if len(text) <= 200 else text[:199] + "…"

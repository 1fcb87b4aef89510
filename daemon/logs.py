"""The log: one JSON object a line, written by a thread of its own, never holding up the daemon."""

import contextlib
import logging
import logging.handlers
import os
import queue
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from state.codec import time_text, to_json

# As many lines as a busy second makes; beyond that lines are counted instead of kept.
LINES_WAITING = 10_000
# Of one event, so many lines a second are written; the rest of that second is told in one line.
LINES_A_SECOND = 200
TEXT_LENGTH = 4000
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
JOURNAL_PRIORITY = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


class JsonLines(logging.Formatter):
    """Renders a record: when, how grave, which event, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = as_fields(record)
        try:
            return to_json(fields).decode()
        except (TypeError, ValueError):
            # Half a surrogate pair, a number beyond 64 bits, an object that has no text: what cannot be
            # written is shown as Python shows it.
            return to_json({_printable(name): _plain(value) for name, value in fields.items()}).decode()


class ForPeople(logging.Formatter):
    """Renders a record for a terminal or the journal: the event, then its fields."""

    def __init__(self, *, is_journal: bool) -> None:
        super().__init__()
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        fields = as_fields(record)
        at, severity, event = fields.pop("at"), fields.pop("severity"), fields.pop("event")
        fields.pop("logger")
        event = _short(event)
        said = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
        if self._is_journal:
            return f"<{JOURNAL_PRIORITY.get(severity, 6)}>{event} {said}"
        return f"{at[11:19]} {severity:<8} {event} {said}"


class Allowance:
    """Counts the lines of each event, a second at a time; what was left out is told once that is over.

    Whoever may have very many asks before making one: that costs more than not writing it.
    """

    def __init__(self, tell: Callable[[logging.LogRecord], None]) -> None:
        self._tell = tell
        self._second = 0
        self._seen: dict[str, int] = {}

    def ask(self, event: str, second: int) -> bool:
        """Whether one more line may be made in this second; it is counted either way."""
        if second != self._second:
            self.tell_and_forget()
            self._second = second
        count = self._seen.get(event, 0) + 1
        self._seen[event] = count
        return count <= LINES_A_SECOND

    def tell_and_forget(self) -> None:
        """Say how much was left out of the second that is over."""
        seen, self._seen = self._seen, {}
        for event, count in seen.items():
            if count > LINES_A_SECOND:
                self._tell(_note("log.suppressed", {"of": event, "lines": count - LINES_A_SECOND}))


class PerEvent(Allowance):
    """Keeps a flood of one event from filling the disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; what is critical always is."""
        # By its text, for a library may log any object; cut, for that may be a long one.
        is_allowed = self.ask(str(record.msg)[:100], int(record.created))
        return is_allowed or record.levelno >= logging.CRITICAL


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
            with contextlib.suppress(queue.Full):
                self.queue.put_nowait(_note("log.dropped", {"lines": self.dropped}))
                self.dropped = 0


class Listener(logging.handlers.QueueListener):
    """The writing thread; it can be ended although its queue is full."""

    def __init__(self, waiting: queue.Queue[Any], *targets: logging.Handler) -> None:
        super().__init__(waiting, *targets)
        self._waiting = waiting

    def enqueue_sentinel(self) -> None:
        """Have the thread end once it has written what waits."""
        self._waiting.put(None)


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

    def close(self) -> None:
        # What a full disk did not take is tried once more here, and refused once more.
        with contextlib.suppress(OSError):
            super().close()


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
    per_event = PerEvent(hurried.enqueue)
    hurried.addFilter(per_event.filter)
    listener = Listener(waiting, *targets)
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
        per_event.tell_and_forget()
        listener.stop()
        for target in targets:
            target.close()


def as_fields(record: logging.LogRecord) -> dict[str, Any]:
    """A record as one flat object; the fields cannot take the place of the first four."""
    fields: dict[str, Any] = {
        "at": time_text(datetime.fromtimestamp(record.created, UTC)),
        "severity": record.levelname,
        "event": _message(record),
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


def _message(record: logging.LogRecord) -> str:
    if not record.args:
        return str(record.msg)[:TEXT_LENGTH]
    try:
        return record.getMessage()[:TEXT_LENGTH]
    # Somebody's placeholders do not fit somebody's arguments; what was meant can still be guessed.
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"[:TEXT_LENGTH]


def _note(event: str, fields: Mapping[str, Any]) -> logging.LogRecord:
    """A line of the log about the log."""
    note = logging.LogRecord(__name__, logging.WARNING, "", 0, event, None, None)
    note.fields = dict(fields)
    return note


def _plain(value: Any) -> Any:
    """A value that JSON can hold: itself, or how it looks."""
    try:
        to_json(value)
    except (TypeError, ValueError):
        return _printable(value)
    return value


def _printable(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    try:
        return ascii(value)[:TEXT_LENGTH]
    # A field is anybody's object; one that cannot even be shown must not cost the others their line.
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _short(value: Any) -> str:
    """A value on one line, harmless to a terminal: what would move the cursor is shown as its code."""
    try:
        text = value if isinstance(value, str) else to_json(value).decode()
    except (TypeError, ValueError):
        text = _printable(value)
    text = CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)
    return text if len(text) <= 200 else text[:199] + "…"

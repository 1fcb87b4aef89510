"""The log of the second process: one JSON object a line, on stderr, as the daemon's own lines are."""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from daemon.watchdog.plain_json import to_json

LONGEST_TEXT = 4000
# The journal takes the priority of a line from a number in angle brackets before it, sd-daemon(3).
PRIORITY = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}


class JsonLine(logging.Formatter):
    """Renders a record: when, how grave, which event, and its fields."""

    def __init__(self, *, is_journal: bool) -> None:
        super().__init__()
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "severity": record.levelname,
            "event": record.getMessage()[:LONGEST_TEXT],
            "logger": record.name,
        }
        for name, value in getattr(record, "fields", {}).items():
            fields.setdefault(name, value[:LONGEST_TEXT] if isinstance(value, str) else value)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)[-LONGEST_TEXT:]
        line = to_json(fields).decode("utf-8", "backslashreplace")
        return f"<{PRIORITY.get(record.levelname, 6)}>{line}" if self._is_journal else line


def log_to_stderr(environ: Mapping[str, str]) -> None:
    """Send every record to stderr; where nobody reads that, nothing is lost but the line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine(is_journal="JOURNAL_STREAM" in environ))
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, handlers=[handler])

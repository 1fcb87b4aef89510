"""How long alerts took to reach somebody, and how long until they were over, from their journal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from state.codec import NotJson, from_json, parse_time

# The newest part of the journal is read: weeks of a calm house, and of a storm what memory has room for.
MOST_BYTES = 16 * 1024 * 1024
GRAVE = ("error", "critical")
OVER = ("resolved", "closed")
OWN = "health."  # what the health report says of itself is no incident


@dataclass(slots=True)
class AlertTimes:
    """Seconds, in the order they were noted."""

    told_s: list[float] = field(default_factory=list)  # from what happened to the proof that somebody knows
    over_s: list[float] = field(default_factory=list)  # from the first sign of a grave one to its end


def alert_times(log: Path, now: datetime, span: timedelta) -> AlertTimes:
    """Read what the journal tells of the last `span`; lines that are none are passed over.

    Raises:
        OSError: it is there and cannot be read.
    """
    times = AlertTimes()
    for page in _pages(log, now - span):
        for line in _lines(page):
            if now - span <= parse_time(line["at"]) <= now:
                _take(times, line)
    return times


def _take(times: AlertTimes, line: Mapping[str, Any]) -> None:
    if line["event"] == "delivered" and isinstance(line.get("took_s"), int | float):
        times.told_s.append(float(line["took_s"]))
    is_grave = line.get("severity") in GRAVE and not str(line.get("name", "")).startswith(OWN)
    if line["event"] in OVER and is_grave and line.get("firstAt"):
        over = parse_time(line["at"]) - parse_time(line["firstAt"])
        times.over_s.append(over.total_seconds())


def _pages(log: Path, since: datetime) -> list[Path]:
    """The page being written and those of earlier months that may reach into the span, oldest first."""
    earliest = f"{log.stem}-{since:%Y-%m}"
    older = [it for it in log.parent.glob(f"{log.stem}-*{log.suffix}") if it.stem >= earliest]
    return [*sorted(older), *([log] if log.exists() else [])]


def _lines(page: Path) -> Iterator[Mapping[str, Any]]:
    with page.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_BYTES))
        for raw in file:
            try:
                line = from_json(raw)
                parse_time(line["at"])
                line["event"]
            except (NotJson, ValueError, TypeError, KeyError):
                continue  # cut off, or the rest of a line before the part that is read
            yield line

"""What reports failed of: errors put together by their cause, over a week and over a month."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from state.ledger.records import Status, Tally

MOST_PATTERNS = 10
NO_REASON = "no reason was given"
# What says the same in every case of a cause, though it is made of digits: the address of a server, the
# code of an answer (as in "HTTP 503" and "450 4.7.1 later"). What is counted in something is none.
_COUNTED = r"\s?(?:s|ms|min|h|d|[kMG]?B|bytes|rows|companies|reports|times)\b"
_TELLING = (
    r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?"
    rf"|(?<![\d.,:])[45]\d\d(?!\d|[.,:]\d|{_COUNTED})"
    r"|(?<![\d.,:])[245]\.\d\.\d{1,3}(?![.,:]?\d)"
)
_NUMBER = re.compile(rf"({_TELLING})|\d+(?:[.,:]\d+)*", re.IGNORECASE)
# What differs from case to case of one cause: addresses of pages and people, texts in quotes, ids.
_PARTS = (
    (re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "URL"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "ADDRESS"),
    (re.compile(r"\"[^\"]*\"|'[^']*'"), "…"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b", re.IGNORECASE), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "ID"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One cause, and how many reports it has kept back at least once."""

    cause: str
    count: int
    share: float  # of all that failed at least once, in percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How reports fared over so many days."""

    days: int
    attempted: int  # whose first attempt has ended
    first_failed: int
    failed: int
    unknown: int
    late: int
    degraded: int
    patterns: tuple[Pattern, ...]
    troubled: int = 0  # of which an attempt failed, whatever became of them

    @property
    def first_attempt_percent(self) -> float | None:
        """How many succeeded at the first attempt; None where nothing was attempted."""
        if not self.attempted:
            return None
        return round(100 * (self.attempted - self.first_failed) / self.attempted, 2)

    def as_row(self) -> dict[str, Any]:
        """As the API answers it."""
        return {
            "days": self.days,
            "attempted": self.attempted,
            "firstAttemptPercent": self.first_attempt_percent,
            "failed": self.failed,
            "unknown": self.unknown,
            "late": self.late,
            "degraded": self.degraded,
            "patterns": [{"cause": it.cause, "count": it.count, "share": it.share} for it in self.patterns],
        }


def cause_of(error: str | None) -> str:
    """An error without what differs from case to case, so that the same cause reads the same."""
    text = error or ""
    for what, name in _PARTS:
        text = what.sub(name, text)
    text = _NUMBER.sub(lambda found: found[1] or "N", text)
    return " ".join(text.split()) or NO_REASON


def rates_of(tallies: Iterable[Tally], days: int) -> Rates:
    """Count what a ledger tells of so many days."""
    attempted: Counter[bool] = Counter()
    statuses: Counter[Status] = Counter()
    causes: Counter[str] = Counter()
    for tally in tallies:
        statuses[tally.status] += tally.count
        if tally.first_attempt_ok is not None:
            attempted[tally.first_attempt_ok] += tally.count
        if tally.first_attempt_ok is False or tally.status in (Status.FAILED, Status.UNKNOWN):
            causes[cause_of(tally.error)] += tally.count
    total = sum(causes.values())
    return Rates(
        days=days,
        attempted=sum(attempted.values()),
        first_failed=attempted[False],
        failed=statuses[Status.FAILED],
        unknown=statuses[Status.UNKNOWN],
        late=statuses[Status.DELIVERED_LATE],
        degraded=statuses[Status.DELIVERED_DEGRADED],
        troubled=total,
        patterns=tuple(
            Pattern(cause=cause, count=count, share=round(100 * count / total, 1))
            for cause, count in causes.most_common(MOST_PATTERNS)
        ),
    )

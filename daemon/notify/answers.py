"""What the answer of an HTTP receiver means; the same for every channel (RFC 9110, 6585, 7231)."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from daemon.notify.base import Failure

# 425 Too Early and 529 (overloaded, used by several services) are as temporary as the better known ones.
_TEMPORARY_REFUSALS = frozenset({408, 425, 429})
# Longer is never waited for one message: whoever sends takes another channel, or comes back later anyway.
LONGEST_WAIT = timedelta(hours=24)


def classify(status: int) -> Failure | None:
    """What an HTTP status says of the message: None is delivered, whatever the body holds.

    A redirect is a failure: it is not followed, since it may lead inside.
    """
    if 200 <= status < 300:
        return None
    if status in _TEMPORARY_REFUSALS or status >= 500:
        return Failure.TRANSIENT
    return Failure.PERMANENT


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a receiver asks to be left alone: seconds, whole or not, or an HTTP date.

    Never negative, at most 24 h; None where nothing was said or nothing that makes sense.
    """
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    seconds = _seconds(text)
    if seconds is None:
        at = _date(text)
        seconds = None if at is None else (at - now).total_seconds()
    if seconds is None:
        return None
    return timedelta(seconds=min(max(0.0, seconds), LONGEST_WAIT.total_seconds()))


def _seconds(text: str) -> float | None:
    # float() takes more than the header may hold: "1_0", "infinity", digits of other scripts.
    if not text.isascii() or "_" in text or len(text) > 40:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _date(text: str) -> datetime | None:
    if len(text) > 64:
        return None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

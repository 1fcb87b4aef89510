"""How often one person is written to: three messages in ten minutes at most, and no news waits for five."""

from collections.abc import Sequence
from datetime import datetime, timedelta

# Not sooner after the last message, the last but one, and the one before that. Together they hold the
# promise of three in ten minutes, and let nothing wait longer than 4 minutes and 30 seconds.
GAPS = (timedelta(seconds=60), timedelta(seconds=330), timedelta(seconds=600))


def earliest(sent: Sequence[datetime], now: datetime) -> datetime:
    """When the next message may go, by when the ones before went, in any order. Times to come do not count.

    A clock that was put back must not keep anybody from being told.
    """
    newest_first = sorted((at for at in sent if at <= now), reverse=True)
    waits = [at + gap for at, gap in zip(newest_first, GAPS, strict=False)]
    return max([now, *waits])

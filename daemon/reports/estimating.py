"""How long some reports will take and what they will cost, going by those of the last days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from state.codec import time_text
from state.ledger.base import Ledger

BACK = timedelta(days=7)
MOST = 2000  # deliveries that are looked at, the newest
FEWEST = 10  # fewer say nothing
# A longer pause between two of them is no work on either.
LONGEST_GAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When it will be over, and what it will cost; None where nothing tells."""

    ends_at: datetime | None
    cost_usd: float | None

    def as_row(self) -> dict[str, Any]:
        """As a plan keeps it."""
        ends_at = None if self.ends_at is None else time_text(self.ends_at)
        return {"endsAt": ends_at, "costUsd": self.cost_usd}


def pace(times: Sequence[datetime]) -> timedelta | None:
    """The time from one delivery to the next while reports were being made; None where there were too few."""
    ordered = sorted(times)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    busy = [gap for gap in gaps if gap <= LONGEST_GAP]
    return sum(busy, timedelta(0)) / len(busy) if len(busy) >= FEWEST else None


async def estimate(
    ledger: Ledger, reports: int, starts_at: datetime, now: datetime, usd_each: float | None
) -> Estimate:
    """What so many reports come to. Raises LedgerError: the ledger does not answer."""
    each = pace(await ledger.deliveries(now - BACK, limit=MOST))
    cost_usd = None if usd_each is None else round(reports * usd_each, 4)
    if not reports:
        return Estimate(ends_at=starts_at, cost_usd=0.0)
    return Estimate(ends_at=None if each is None else starts_at + reports * each, cost_usd=cost_usd)

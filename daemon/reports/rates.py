"""How reports and runs fared, date by date: what a chart of a month or a season shows."""

import asyncio
import math
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from daemon.clock import Clock
from state.codec import parse_time, time_text
from state.ledger.base import Ledger
from state.ledger.records import DELIVERED, OPEN, Status
from state.records import TaskState
from state.store import Store

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
# Dates that are counted with one question: others who ask the ledger meanwhile wait for no more than that.
DATES_AT_ONCE = 7
# A date that is settled changes only by a person's word.
SETTLED_FOR_S = 600.0

Counts = Mapping[Status, int]


class ReportDays:
    """The reports of each date by how they ended; dates that are settled are counted seldom."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settled: dict[date, Counts] = {}
        self._settled_s = clock.monotonic()

    async def rows(self, since: date, until: date) -> list[dict[str, Any]]:
        """One row a date, also for one without reports.

        Raises:
            LedgerError: the ledger does not answer.
        """
        if self._clock.monotonic() - self._settled_s > SETTLED_FOR_S:
            self._settled, self._settled_s = {}, self._clock.monotonic()
        days = [since + count * DAY for count in range((until - since).days + 1)]
        wanted = [day for day in days if day not in self._settled]
        found: dict[date, Counts] = {}
        for start in range(0, len(wanted), DATES_AT_ONCE):
            part = wanted[start : start + DATES_AT_ONCE]
            counts = await self._ledger.counts(part[0], part[-1])
            found |= {day: counts.get(day, {}) for day in part}
        self._settled |= {day: it for day, it in found.items() if _is_settled(day, it, self._clock.now())}
        return [report_row(day, found[day] if day in found else self._settled[day]) for day in days]


def report_row(day: date, counts: Counts) -> dict[str, Any]:
    """How the reports of one date fared; `owed` is all but the excused, delivered or not."""
    delivered = sum(counts.get(status, 0) for status in DELIVERED)
    excused = counts.get(Status.EXCUSED, 0)
    owed = sum(counts.values()) - excused
    return {
        "date": day.isoformat(),
        "delivered": delivered,
        "late": counts.get(Status.DELIVERED_LATE, 0),
        "degraded": counts.get(Status.DELIVERED_DEGRADED, 0),
        "failed": counts.get(Status.FAILED, 0),
        "unknown": counts.get(Status.UNKNOWN, 0),
        "excused": excused,
        "owed": owed,
        "percent": percent_of(delivered, owed),
    }


def percent_of(part: int, whole: int) -> float | None:
    """A share in percent, rounded down to a hundredth, so that 100 means all; None of nothing."""
    return math.floor(10_000 * part / whole) / 100 if whole else None


def _is_settled(day: date, counts: Counts, now: datetime) -> bool:
    # The roster of a date, and the date itself, may last for another day in some zone.
    return day < (now - 2 * DAY).date() and not any(counts.get(status) for status in OPEN)


@dataclass(frozen=True, slots=True)
class Tried:
    """How runs ended."""

    succeeded: int = 0
    failed: int = 0

    @property
    def percent(self) -> float | None:
        """How many of them succeeded; None where nothing ran."""
        return percent_of(self.succeeded, self.succeeded + self.failed)


# What was put off, and what was cancelled, neither succeeded nor failed.
_ENDED = f"""
SELECT substr(finished_at, 1, 16) AS minute, state = '{TaskState.COMPLETED.value}' AS is_ok, count(*) AS n,
    max(seq) AS seq
FROM run WHERE seq > ? AND finished_at >= ? AND (state = '{TaskState.COMPLETED.value}'
    OR state = '{TaskState.DISCARDED.value}' OR (state = '{TaskState.RETRYABLE.value}' AND error IS NOT NULL))
GROUP BY 1, 2"""  # noqa: S608 - constants


class RunDays:
    """The runs of each date by how they ended. What has ended stays so: only newer ones are ever read."""

    def __init__(self, store: Store, kept: timedelta) -> None:
        self._store = store
        self._kept = kept
        self._reading = asyncio.Lock()
        self._forget("")

    async def rows(self, since: date, until: date, zone: str, now: datetime) -> list[dict[str, Any]]:
        """One row a date of the zone, also for one on which nothing ran. StoreError: it cannot be read."""
        await self._read(zone, now)
        days = [since + count * DAY for count in range((until - since).days + 1)]
        return [
            {"date": it.isoformat(), "succeeded": self._dates[it, True], "failed": self._dates[it, False]}
            for it in days
        ]

    async def since(self, at: datetime, zone: str, now: datetime) -> Tried:
        """How those fared that ended since then, at most a week ago. StoreError: it cannot be read."""
        await self._read(zone, now)
        counts = Counter[bool]()
        for (minute, is_ok), count in self._minutes.items():
            if minute >= at:
                counts[is_ok] += count
        return Tried(counts[True], counts[False])

    def _forget(self, zone: str) -> None:
        self._zone = zone
        self._seen = 0
        self._dates: Counter[tuple[date, bool]] = Counter()
        self._minutes: Counter[tuple[datetime, bool]] = Counter()

    async def _read(self, zone: str, now: datetime) -> None:
        async with self._reading:
            if zone != self._zone:
                self._forget(zone)
            before = (self._seen, time_text(now - self._kept))
            lived, recent = ZoneInfo(zone), now - WEEK
            for minute, is_ok, count, seq in await self._store.read(lambda it: _ended(it, before)):
                at = parse_time(f"{minute}Z")
                self._dates[at.astimezone(lived).date(), is_ok] += count
                if at >= recent:
                    self._minutes[at, is_ok] += count
                self._seen = max(self._seen, seq)
            oldest = (now - self._kept).date() - DAY
            self._dates = Counter({key: n for key, n in self._dates.items() if key[0] >= oldest})
            self._minutes = Counter({key: n for key, n in self._minutes.items() if key[0] >= recent})


def _ended(connection: sqlite3.Connection, before: tuple[int, str]) -> list[tuple[str, bool, int, int]]:
    rows = connection.execute(_ENDED, before)
    return [(row["minute"], bool(row["is_ok"]), row["n"], row["seq"]) for row in rows]

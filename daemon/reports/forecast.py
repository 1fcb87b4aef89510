"""Says that reports will miss their deadline before they do."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from daemon.clock import Clock
from daemon.watch.alerts import Alerts
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Key, Load
from state.records import Severity

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(minutes=1)
RATE_OVER = timedelta(minutes=10)
# A rate that was measured for less says nothing: the first reports wait for the first answers.
WARM_UP = timedelta(minutes=3)
# No deadline is further away than this from what has come due for it.
AHEAD = timedelta(hours=48)
# A few that are tried again and again say little of the whole, until their deadline is near.
MANY = 10
NEAR = timedelta(minutes=30)
PAGE, PAGES = 1000, 10
AT_RISK = "coverage.at-risk"


class Outlook(StrEnum):
    """How it looks for one deadline."""

    CALM = "calm"  # it will be kept, or it is too early to tell
    TOO_SLOW = "too-slow"  # at this rate not all will be there
    STALLED = "stalled"  # nothing gets done at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to be expected for one deadline."""

    outlook: Outlook
    deadline_at: datetime
    due: int  # for this deadline
    ahead: int  # with all that is to be done before
    late: int  # how many of these will be late
    ends_at: datetime | None  # when the last of them will be there; None where nothing gets done


def forecast(loads: Sequence[Load], done: int, measured: timedelta, now: datetime) -> list[Forecast]:
    """What becomes of each deadline ahead, the earliest served first; `done` in the time `measured`.

    Only what has come due counts: nobody can work on the rest yet.
    """
    rate = done / measured.total_seconds() if measured >= WARM_UP else None
    found, ahead = [], 0
    for load in sorted(loads, key=lambda it: it.deadline_at):
        ahead += load.due
        if load.due and load.deadline_at > now:
            found.append(_judged(load, ahead, rate, now))
    return found


def _judged(load: Load, ahead: int, rate: float | None, now: datetime) -> Forecast:
    left = load.deadline_at - now
    in_time = ahead if rate is None else int(rate * left.total_seconds())
    late = min(load.due, max(0, ahead - in_time))
    is_worth_telling = load.due >= MANY or left <= NEAR
    outlook = Outlook.CALM
    if rate is not None and late and is_worth_telling:
        outlook = Outlook.TOO_SLOW if rate else Outlook.STALLED
    # A rate near zero would be done on a day that no calendar holds.
    ends_at = now + min(timedelta(seconds=ahead / rate), timedelta(days=365)) if rate else None
    return Forecast(
        outlook=outlook, deadline_at=load.deadline_at, due=load.due, ahead=ahead, late=late, ends_at=ends_at
    )


class Forecaster:
    """Looks each minute; `coverage.at-risk` is open for each date for which it does not look well."""

    name = "report-forecast"

    def __init__(self, ledger: Ledger, alerts: Alerts, clock: Clock) -> None:
        self.woken = asyncio.Event()
        self._ledger = ledger
        self._alerts = alerts
        self._clock = clock
        self._busy_since: datetime | None = None

    async def step(self) -> datetime:
        """Measure, look ahead, tell."""
        now = self._clock.now()
        try:
            loads = await self._ledger.loads(now, now + AHEAD)
            at_risk = [it for it in await self._forecast(loads, now) if it.outlook is not Outlook.CALM]
            by_date = await self._by_date(at_risk, now)
        except LedgerError as error:
            log.warning("forecast.delayed", extra={"fields": {"error": str(error)}})
            return now + LOOK_EVERY
        await self._tell(by_date, now)
        return now + LOOK_EVERY

    async def _forecast(self, loads: Sequence[Load], now: datetime) -> list[Forecast]:
        if not any(it.due for it in loads):
            self._busy_since = None
            return []
        # A clock that was put back must not make the past seem to lie ahead.
        self._busy_since = min(self._busy_since or now, now)
        measured = min(RATE_OVER, now - self._busy_since)
        return forecast(loads, await self._ledger.delivered_since(now - measured), measured, now)

    async def _by_date(self, at_risk: Iterable[Forecast], now: datetime) -> dict[date, Forecast]:
        """The earliest deadline in danger of each date, by the date of the companies it is for."""
        wanted = {it.deadline_at: it for it in at_risk}
        found: dict[date, Forecast] = {}
        after: Key | None = None
        for _ in range(PAGES if wanted else 0):
            page = await self._ledger.open_before(now, after=after, limit=PAGE)
            for one in page:
                seen = wanted.get(one.deadline_at)
                if seen is not None and (
                    one.date not in found or seen.deadline_at < found[one.date].deadline_at
                ):
                    found[one.date] = seen
            if len(page) < PAGE:
                break
            after = page[-1].key
        return found

    async def _tell(self, by_date: dict[date, Forecast], now: datetime) -> None:
        told = {it.labels.get("date", ""): it for it in self._alerts.open if it.name == AT_RISK}
        for day, ahead in by_date.items():
            if told.pop(day.isoformat(), None) is None:
                await self._tell_of(day, ahead, now)
        for alert in told.values():
            await self._alerts.resolve(AT_RISK, alert.labels)

    async def _tell_of(self, day: date, ahead: Forecast, now: datetime) -> None:
        left_min = round((ahead.deadline_at - now).total_seconds() / 60)
        how = (
            "nothing gets done"
            if ahead.outlook is Outlook.STALLED
            else f"at this rate {ahead.late:,} of them will be late"
        )
        await self._alerts.fire(
            AT_RISK,
            severity=Severity.ERROR,
            summary=f"{ahead.due:,} reports of {day.isoformat()} are open, {left_min} min before their"
            f" deadline: {how}",
            labels={"date": day.isoformat()},
            details={
                "outlook": ahead.outlook.value,
                "open": ahead.due,
                "ahead": ahead.ahead,
                "late": ahead.late,
                "deadlineAt": ahead.deadline_at,
                "endsAt": ahead.ends_at,
            },
            advice="nightdesk health now; nightdesk tasks",
        )

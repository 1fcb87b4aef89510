"""Watches what the daemon relies on outside: asks each by a small write, and alerts when it stays down."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from daemon.clock import Clock
from daemon.config import Config
from daemon.durations import format_duration
from daemon.reports.ledger_link import LedgerLink
from daemon.reports.link import Link, LinkDown
from daemon.reports.redis_link import RedisLink
from daemon.watch.alerts import Alerts
from state.ledger.base import Ledger

log = logging.getLogger(__name__)

ALERT_AFTER_S = 60.0  # a restart of a server takes less, and harms nobody
FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(seconds=15)  # so that its return is noticed within half a minute
LEDGER_INTERVAL = timedelta(seconds=30)
NOTHING_TO_DO = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known of a link."""

    is_up: bool | None = None  # None until it has been asked
    since: datetime | None = None  # when it became so; of one that is down, when it last answered
    since_s: float = 0.0  # the same in monotonic time
    answered_at: datetime | None = None  # the last time, as far as it is up
    answered_s: float = 0.0
    latency_ms: float | None = None  # of the last question that was answered
    failures: int = 0  # in a row
    reason: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def down_for_s(self, now_s: float) -> float:
        """How long it has been down; 0 while it is up or has not been asked."""
        return now_s - self.since_s if self.is_up is False else 0.0


def found_up(
    before: Finding, now: datetime, now_s: float, took_s: float, facts: Mapping[str, Any]
) -> Finding:
    """What is known after an answer."""
    kept = before if before.is_up else Finding(is_up=True, since=now, since_s=now_s)
    latency_ms = round(took_s * 1000, 1)
    return replace(kept, latency_ms=latency_ms, facts=facts, answered_at=now, answered_s=now_s)


def found_down(before: Finding, now: datetime, now_s: float, reason: str) -> Finding:
    """What is known after a refusal, or after none came.

    It may have been down ever since it last answered, and who waits for a minute from then on tells of it
    in time, however seldom it is asked.
    """
    since, since_s = (before.answered_at, before.answered_s) if before.is_up else (now, now_s)
    kept = before if before.is_up is False else Finding(is_up=False, since=since, since_s=since_s)
    return replace(kept, failures=kept.failures + 1, reason=reason, latency_ms=None)


def next_look(finding: Finding, interval: timedelta, now_s: float) -> timedelta:
    """How long until it is asked again: at its interval, and more often while it is down."""
    if finding.is_up is not False:
        return interval
    # The exponent has a bound: no timedelta holds what fifty doublings make of a second.
    pause: timedelta = min(FIRST_RETRY * 2 ** min(finding.failures - 1, 10), LONGEST_RETRY)
    to_alert = timedelta(seconds=ALERT_AFTER_S - finding.down_for_s(now_s))
    return min(pause, to_alert) if to_alert > timedelta() else pause


class LinkWatch:
    """Asks one link again and again; says so after 60 s without it, and when it is back."""

    def __init__(self, name: str, alert: str, clock: Clock, alerts: Alerts) -> None:
        self.name = name
        self.woken = asyncio.Event()
        self.finding = Finding()
        self._alert = alert
        self._clock = clock
        self._alerts = alerts
        self._link: Link | None = None
        self._left: list[Link] = []
        self._interval = NOTHING_TO_DO
        self._is_told = False

    def watch(self, link: Link | None, interval: timedelta) -> None:
        """Watch this one from now on; with None none, and what was said of the one before is taken back."""
        if self._link is not None:
            self._left.append(self._link)
        self._link, self._interval = link, interval
        self.finding, self._is_told = Finding(), False
        self.woken.set()

    async def step(self) -> datetime:
        """Ask it; alert where it has been down for a minute, resolve where it answers."""
        await self._leave_former()
        link = self._link
        if link is None:
            await self._alerts.resolve(self._alert)
            return self._clock.now() + NOTHING_TO_DO
        finding = await self._ask(link)
        if link is not self._link:
            return self._clock.now()  # another one was named meanwhile: this answer is of no use
        self._note(finding)
        await self._tell(link)
        return self._clock.now() + next_look(finding, self._interval, self._clock.monotonic())

    async def close(self) -> None:
        """Let go of the connections."""
        self.watch(None, NOTHING_TO_DO)
        await self._leave_former()

    async def _ask(self, link: Link) -> Finding:
        began_s = self._clock.monotonic()
        try:
            facts = await link.probe(self._clock.now())
        except LinkDown as down:
            return found_down(self.finding, self._clock.now(), began_s, str(down))
        ended_s = self._clock.monotonic()
        return found_up(self.finding, self._clock.now(), ended_s, ended_s - began_s, facts)

    def _note(self, finding: Finding) -> None:
        before, self.finding = self.finding, finding
        if before.is_up is finding.is_up:
            return
        said = {"link": self.name, "latency_ms": finding.latency_ms, "reason": finding.reason}
        log.log(
            logging.INFO if finding.is_up else logging.WARNING,
            "link.up" if finding.is_up else "link.down",
            extra={"fields": said},
        )

    async def _tell(self, link: Link) -> None:
        if self.finding.is_up:
            self._is_told = False
            await self._alerts.resolve(self._alert)
            return
        down_for_s = self.finding.down_for_s(self._clock.monotonic())
        if self._is_told or down_for_s < ALERT_AFTER_S:
            return
        self._is_told = True
        span = format_duration(timedelta(seconds=round(down_for_s)))
        details = {"downSince": self.finding.since, "tries": self.finding.failures}
        await link.alarm(self._alerts, f"{self.name} is down for {span}: {self.finding.reason}", details)

    async def _leave_former(self) -> None:
        while self._left:
            await self._left.pop().close()


class Links:
    """The watches of all links, and what the config says of them."""

    def __init__(self, clock: Clock, alerts: Alerts) -> None:
        self.redis = LinkWatch(RedisLink.name, RedisLink.alert, clock, alerts)
        self.database = LinkWatch(LedgerLink.name, LedgerLink.alert, clock, alerts)
        self.parts = (self.redis, self.database)
        self._ledger: Ledger | None = None
        self._is_adopted = False

    def adopt(self, config: Config, ledger: Ledger | None) -> None:
        """Watch what the config names."""
        redis = config.redis
        if redis is None:
            self.redis.watch(None, NOTHING_TO_DO)
        else:
            self.redis.watch(RedisLink(redis.url), redis.check_interval)
        if ledger is not self._ledger or not self._is_adopted:
            self.database.watch(None if ledger is None else LedgerLink(ledger), LEDGER_INTERVAL)
        self._ledger, self._is_adopted = ledger, True

    async def close(self) -> None:
        """Let go of all connections."""
        for part in self.parts:
            await part.close()

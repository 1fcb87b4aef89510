"""Links that are watched: alerted after a minute without them, resolved when they are back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import Clock, SystemClock
from daemon.config import load_config
from daemon.notify.base import Step
from daemon.reports.ledger_link import LedgerLink
from daemon.reports.link import LinkDown
from daemon.reports.links import Finding, Links, found_down, next_look
from daemon.reports.redis_link import RedisLink
from daemon.secret import Secret
from daemon.watch.alerts import Alerts
from state.ledger.postgres import PostgresLedger
from state.ledger.sqlite import SqliteLedger
from state.records import Severity
from tests.house import NOW, House
from tests.postgres import Postgres
from tests.valkey import running

INTERVAL = timedelta(seconds=30)


class Line:
    """A link that is up or down as a test says."""

    name = "redis"
    alert = "redis.down"

    def __init__(self, clock: Clock) -> None:
        self.reason: str | None = None
        self.asked: list[datetime] = []
        self.is_closed = False
        self._clock = clock

    async def probe(self, now: datetime) -> Mapping[str, Any]:
        self.asked.append(now)
        if self.reason is not None:
            raise LinkDown(self.reason)
        return {"role": "master"}

    async def steps(self, clock: Clock) -> list[Step]:
        return []

    async def alarm(self, alerts: Alerts, summary: str, details: Mapping[str, Any]) -> None:
        await RedisLink(Secret("redis://nowhere")).alarm(alerts, summary, details)

    async def close(self) -> None:
        self.is_closed = True


class Watched:
    """A house whose links are watched, one of them by hand."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.links = Links(house.clock, house.app.alerts)
        self.line = Line(house.clock)
        self.links.redis.watch(self.line, INTERVAL)

    async def go(self, **time: float) -> None:
        """Let so much time pass, the watch stepped whenever it asks for it."""
        until = self.house.clock.now() + timedelta(**time)
        at = await self.links.redis.step()
        while at <= until:
            await self.house.clock.advance(seconds=(at - self.house.clock.now()).total_seconds())
            at = await self.links.redis.step()
        await self.house.clock.advance(seconds=(until - self.house.clock.now()).total_seconds())


@pytest.fixture
async def watched(house: House) -> AsyncIterator[Watched]:
    await house.open()
    watched = Watched(house)
    yield watched
    await watched.links.close()


async def test_what_is_up_is_asked_each_interval(watched: Watched) -> None:
    await watched.go(minutes=2)
    assert watched.line.asked == [NOW + n * INTERVAL for n in range(5)]
    finding = watched.links.redis.finding
    assert (finding.is_up, finding.since, finding.facts) == (True, NOW, {"role": "master"})


async def test_a_minute_without_it_is_alerted_once_with_its_reason(watched: Watched) -> None:
    watched.line.reason = "OOM: its memory is full"
    await watched.go(seconds=59)
    assert watched.house.alerts == []
    await watched.go(seconds=1)
    assert watched.house.alerts == ["redis.down"]
    alert = watched.house.app.alerts.open[0]
    assert alert.summary == "redis is down for 1m: OOM: its memory is full"
    assert alert.advice == "nightdesk test redis"
    await watched.go(minutes=10)
    assert watched.house.app.alerts.open[0].count == 1


async def test_what_went_down_right_after_it_was_asked_is_told_of_within_a_minute(watched: Watched) -> None:
    await watched.go(seconds=1)
    watched.line.reason = "gone"
    await watched.go(seconds=58)
    assert watched.house.alerts == []
    await watched.go(seconds=2)
    assert watched.house.alerts == ["redis.down"]
    assert watched.house.app.alerts.open[0].details["downSince"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


async def test_its_return_ends_the_alert_within_half_a_minute(watched: Watched) -> None:
    watched.line.reason = "gone"
    await watched.go(minutes=30)
    watched.line.reason = None
    await watched.go(seconds=30)
    assert watched.house.alerts == []
    assert watched.links.redis.finding.is_up


async def test_what_comes_back_within_the_minute_wakes_nobody(watched: Watched) -> None:
    watched.line.reason = "restarted"
    await watched.go(seconds=50)
    watched.line.reason = None
    await watched.go(seconds=30)
    watched.line.reason = "restarted again"
    await watched.go(seconds=50)
    assert watched.house.alerts == []


async def test_an_alert_of_an_earlier_life_ends_with_the_first_answer(watched: Watched) -> None:
    await watched.house.app.alerts.fire("redis.down", severity=Severity.ERROR, summary="redis is down")
    await watched.links.redis.step()
    assert watched.house.alerts == []


async def test_a_link_taken_out_of_the_config_ends_its_alert_and_its_connections(watched: Watched) -> None:
    watched.line.reason = "gone"
    await watched.go(minutes=2)
    config = load_config(None, {})
    watched.links.adopt(config, None)
    await watched.links.redis.step()
    assert watched.house.alerts == []
    assert watched.line.is_closed
    assert watched.links.redis.finding == Finding()


async def test_a_reload_that_says_the_same_of_the_ledger_leaves_its_watch(
    watched: Watched, tmp_path: Path
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    await ledger.open(NOW)
    try:
        watched.links.adopt(load_config(None, {}), ledger)
        await watched.links.database.step()
        watched.links.adopt(load_config(None, {}), ledger)
        assert watched.links.database.finding.is_up
    finally:
        await ledger.close()


def test_what_is_down_is_asked_again_after_pauses_that_grow_to_a_bound() -> None:
    finding = Finding()
    pauses = []
    for at_s in (0.0, 1.0, 3.0, 7.0, 15.0, 30.0, 45.0, 60.0, 75.0):
        finding = found_down(finding, NOW, at_s, "gone")
        pauses.append(next_look(finding, INTERVAL, at_s).total_seconds())
    assert pauses == [1, 2, 4, 8, 15, 15, 15, 15, 15]


def test_the_look_that_alerts_comes_when_the_minute_is_over() -> None:
    finding = replace(found_down(Finding(), NOW, 0.0, "gone"), failures=6)
    assert next_look(finding, INTERVAL, 52.0) == timedelta(seconds=8)


async def test_a_real_redis_killed_and_started_again_is_seen(tmp_path: Path, house: House) -> None:
    await house.open()
    links = Links(house.clock, house.app.alerts)
    with running(tmp_path / "redis") as server:
        links.redis.watch(RedisLink(Secret(server.url())), INTERVAL)
        await links.redis.step()
        assert links.redis.finding.is_up
        server.kill()
        await links.redis.step()
        await house.clock.advance(seconds=60)
        await links.redis.step()
        assert house.alerts == ["redis.down"]
        server.start()
        await links.redis.step()
        assert house.alerts == []
        await links.close()


async def test_a_real_postgres_killed_or_held_still_is_seen_and_so_is_its_return(
    tmp_path: Path, house: House
) -> None:
    await house.open()
    links = Links(house.clock, house.app.alerts)
    server = Postgres(tmp_path / "postgres")
    await asyncio.to_thread(server.make)
    await asyncio.to_thread(server.start)
    ledger = PostgresLedger(server.url())
    try:
        links.adopt(load_config(None, {}), ledger)
        await links.database.step()
        assert links.database.finding.facts == {"kind": "postgres"}
        await asyncio.to_thread(server.kill)
        await links.database.step()
        await house.clock.advance(seconds=60)
        await links.database.step()
        assert [(it.name, it.severity) for it in house.app.alerts.open] == [
            ("database.down", Severity.CRITICAL)
        ]
        await asyncio.to_thread(server.start)
        await links.database.step()
        assert house.alerts == []
        server.hold()
        async with asyncio.timeout(20):
            await links.database.step()
        assert links.database.finding.is_up is False
        server.go_on()
        await links.database.step()
        assert links.database.finding.is_up
    finally:
        server.go_on()
        await ledger.close()
        await asyncio.to_thread(server.stop)


async def test_the_steps_of_a_ledger_say_which_and_how_far(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    await ledger.open(NOW)
    try:
        steps = await LedgerLink(ledger).steps(SystemClock())
    finally:
        await ledger.close()
    assert [(it.name, it.is_ok, it.detail) for it in steps] == [
        ("connect", True, "sqlite: its tables are as wanted"),
        ("write and read", True, "took a row and gave it back"),
    ]


async def test_the_steps_of_a_ledger_that_is_away_end_at_once(tmp_path: Path) -> None:
    ledger = PostgresLedger(Postgres(tmp_path / "nowhere").url())
    steps = await LedgerLink(ledger).steps(SystemClock())
    await ledger.close()
    assert [(it.name, it.is_ok) for it in steps] == [("connect", False)]
    assert "127.0.0.1" not in steps[0].detail

"""Tells whoever listens what has happened: looks when something was committed, while somebody listens."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from daemon import told
from daemon.clock import Clock
from daemon.dispatch.dispatcher import Dispatcher
from daemon.engine.plan import Plan
from daemon.feed.hub import RESET, Hub
from daemon.feed.sight import Said, Sight, new_alerts, new_digests, new_runs, new_schedules, said_of
from daemon.watch.alerts import Alerts
from state.codec import as_camel
from state.database import StoreError
from state.digests import Digests
from state.records import Batch
from state.store import Store

if TYPE_CHECKING:
    from daemon.feed.coverage import CoverageFeed

LOOK_S = 0.5  # between two looks, so that a hundred commits are one
SHARE = 20.0  # a look that takes longer makes the pause so many times as long
BEAT_S = 15.0  # proxies cut a line on which nothing comes for a minute
LINGER_S = 60.0  # who comes back within this time has missed nothing
IDLE = timedelta(hours=1)
NEWEST_BATCHES = 10
MOST_ALERTS = 50  # of a storm; the rest is told by the next looks


class Watched(Protocol):
    """What is watched: an open home."""

    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Store: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def dispatch(self) -> Dispatcher: ...
    @property
    def digests(self) -> Digests: ...
    @property
    def plan(self) -> Plan: ...
    @property
    def is_ready(self) -> bool: ...


class Feed:
    """Finds what is new, and has the hub tell it."""

    name = "feed"

    def __init__(self, house: Watched, coverage: "CoverageFeed", hub: Hub) -> None:
        self.woken = asyncio.Event()
        self._house = house
        self._clock = house.clock
        self._coverage = coverage
        self._hub = hub
        self._seen: Sight | None = None  # None: nobody listens, and nothing is looked at
        self._status: dict[str, Any] = {}
        self._batches: list[Batch] | None = None
        self._is_changed = False
        self._look_s = self._beat_s = self._heard_s = self._clock.monotonic()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._hub.count

    def note(self) -> None:
        """Something was committed."""
        if self._seen is not None and not self._is_changed:
            self._is_changed = True
            self.woken.set()

    def listen(self, last_id: str | None) -> AsyncGenerator[bytes, None]:
        """All events from now on, and those missed since `last_id`, as they go over the line."""
        if self._seen is None:
            self._seen, self._status = self._sight(), self._standing()
            self._beat_s = self._clock.monotonic()
        self._heard_s = self._clock.monotonic()
        pieces = self._hub.pieces(self._standing(), last_id)
        self.woken.set()
        self._coverage.woken.set()
        return pieces

    def end(self) -> None:
        """Let go of all who listen."""
        self._hub.end()

    async def step(self) -> datetime:
        """Look where something was committed, and show that the line stands."""
        now_s = self._clock.monotonic()
        if self._hub.count:
            self._heard_s = now_s
        elif self._seen is not None and now_s - self._heard_s >= LINGER_S:
            self._seen = self._batches = None
            self._hub.forget()
        if self._seen is None:
            return self._clock.now() + IDLE
        if self._batches is None:
            self._batches = await self._newest_batches()
        if self._is_changed and now_s >= self._look_s:
            await self._look(self._seen)
            self._look_s = now_s + max(LOOK_S, SHARE * (self._clock.monotonic() - now_s))
        if now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            self._hub.beat()
        next_s = min(self._beat_s + BEAT_S, self._look_s if self._is_changed else now_s + BEAT_S)
        return self._clock.now() + timedelta(seconds=max(0.0, next_s - now_s))

    async def _look(self, before: Sight) -> None:
        self._is_changed = False
        seen = self._sight()
        runs = new_runs(self._house.store, before.runs_total)
        for run in runs:
            self._hub.publish("run", as_camel(run))
        self._tell_schedules(before, seen)
        self._seen = replace(seen, alerts=self._tell_alerts(before, seen))
        if runs:
            await self._tell_digests()
        self._tell_status()

    def _tell_schedules(self, before: Sight, seen: Sight) -> None:
        changed = new_schedules(before.schedules, seen.schedules)
        if changed is None:
            self._hub.publish(RESET, {})  # another configuration: nothing a page shows need be there any more
        for record in changed or ():
            self._hub.publish("schedule", as_camel(record))

    def _tell_alerts(self, before: Sight, seen: Sight) -> dict[str, Said]:
        """Tell of the alerts that have changed; what is known of each once that is told."""
        changed = new_alerts(before.alerts, seen.alerts)
        self._is_changed = self._is_changed or len(changed) > MOST_ALERTS
        named, dispatch = set(changed[:MOST_ALERTS]), self._house.dispatch
        alerts = [it for it in self._house.alerts.known() if it.id in named]
        known = told.Known(
            alerts={it.id: it for it in alerts},
            tellings={it.id: dispatch.tellings_of(it.id) for it in alerts},
            notices=dispatch.notices() if alerts else (),
        )
        for row in told.rows(alerts, known):
            self._hub.publish("alert", row)
        left = set(changed[MOST_ALERTS:])
        as_before = {name: before.alerts[name] for name in left & before.alerts.keys()}
        return {name: said for name, said in seen.alerts.items() if name not in left} | as_before

    async def _tell_digests(self) -> None:
        """Tell of the dates whose digest was made or sent, which only a run does."""
        batches = await self._newest_batches()
        if batches is not None and self._batches is not None:
            for day in new_digests(self._batches, batches):
                self._hub.publish("digest", {"date": day.isoformat()})
        self._batches = batches or self._batches

    def _tell_status(self) -> None:
        status = self._standing()
        if status != self._status:
            self._status = status
            self._hub.publish("status", status)

    async def _newest_batches(self) -> list[Batch] | None:
        try:
            return await self._house.digests.listing(NEWEST_BATCHES)
        except StoreError:
            return None  # the next run has it looked for again

    def _sight(self) -> Sight:
        house = self._house
        alerts, known = house.alerts.known(), house.store.schedules
        tellings = {it.id: house.dispatch.tellings_of(it.id) for it in alerts}
        return Sight(
            runs_total=house.store.runs_total,
            schedules={name: known[name] for name in house.plan.schedules if name in known},
            alerts=said_of(alerts, tellings, house.dispatch.notices()),
        )

    def _standing(self) -> dict[str, Any]:
        """The house in one line."""
        house = self._house
        return {
            "ready": house.is_ready,
            "queueDepth": len(house.store.tasks),
            "openAlerts": len(house.alerts.open),
            "coverageToday": self._coverage.percent,
            "lastHeartbeatAt": house.store.note("lastHeartbeatAt"),
            "generation": house.store.generation,
        }

"""Every part that the work depends on, asked for a proof: what it answered, and how long that took."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from daemon.clock import Clock
from daemon.config import Config
from daemon.durations import format_duration
from daemon.notify.health import ChannelHealth, Condition
from daemon.notify.notifier import Notifier
from daemon.notify.trial import Trial, try_out
from daemon.reports.ledger_link import LedgerLink
from daemon.reports.link import Link, LinkDown
from daemon.reports.redis_link import RedisLink, cautions
from daemon.watch.alerts import Alerts
from state.codec import parse_time, time_text
from state.database import StoreError
from state.disk import prove_writable
from state.home import Home
from state.ledger.base import Ledger
from state.store import Store

CHECKED_NOTE = "healthCheckedAt"
RUNNING_NOTE = "runningSince"
HEARTBEAT_NOTE = "lastHeartbeatAt"
ANSWER_S = 4.0  # what a part may take to answer; a connection that hangs is let go of in 2 s more
TRY_S = 6.0  # what all channels together may take
LITTLE_FREE, HARDLY_FREE = 0.10, 0.02
NO_DAEMON = "no daemon is running"
LOOP_ALERTS = ("loop.dead", "loop.failing")


class House(Protocol):
    """What is examined: an open home, or what a handler is given of it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Store: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def notify(self) -> Notifier: ...
    @property
    def config(self) -> Config: ...
    @property
    def home(self) -> Home: ...
    @property
    def ledger(self) -> Ledger | None: ...


class State(StrEnum):
    """How a component is."""

    OK = "ok"
    DEGRADED = "degraded"  # it works, and something about it has to be seen to
    DOWN = "down"
    OFF = "off"  # the configuration has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part, as it was found."""

    name: str
    state: State
    latency_ms: float | None = None
    detail: str = ""

    @property
    def is_ailing(self) -> bool:
        return self.state in (State.DEGRADED, State.DOWN)

    def as_row(self) -> dict[str, Any]:
        """As the API answers it, without the name."""
        return {"status": self.state.value, "latencyMs": self.latency_ms, "detail": self.detail}


async def components_of(house: House, *, deep: bool) -> list[Component]:
    """Ask every part, side by side; with `deep` every channel is tried too, without a message.

    Ends within 8 s, whatever hangs: what is broken is to be known within 10 s, also by who asks each second.
    """
    redis = house.config.redis
    found = await asyncio.gather(
        _within(_state(house), "state"),
        _ledger(house),
        _redis(house, None if redis is None else RedisLink(redis.url)),
        _within(_disk(house), "disk"),
        _channels(house, deep=deep),
    )
    state, ledger, redis_found, disk, channels = found
    return [state, _scheduler(house), ledger, redis_found, disk, _llm(house), *channels]


async def _within(asked: Awaitable[Component], name: str) -> Component:
    """What a part answers in time."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await asked
    except TimeoutError:
        return Component(name=name, state=State.DOWN, detail=f"no answer within {ANSWER_S:g} s")


async def _state(house: House) -> Component:
    """Whether a change of state reaches the disk."""

    async def write() -> str:
        await house.store.commit(notes={CHECKED_NOTE: time_text(house.clock.now())})
        return f"took a change, generation {house.store.generation}"

    try:
        return await _timed(house, "state", write)
    except StoreError as error:
        return Component(name="state", state=State.DOWN, detail=str(error))


def _scheduler(house: House) -> Component:
    """Whether the chain of schedule, queue and worker has done something lately: a heartbeat proves it."""
    stopped = [it.summary for it in house.alerts.open if it.name in LOOP_ALERTS]
    if stopped:
        return Component(name="scheduler", state=State.DOWN, detail="; ".join(stopped[:3]))
    if not house.store.note(RUNNING_NOTE):
        return Component(name="scheduler", state=State.DOWN, detail=NO_DAEMON)
    noted = house.store.note(HEARTBEAT_NOTE)
    if not noted:
        return Component(name="scheduler", state=State.DOWN, detail="no task has ever run from end to end")
    age = house.clock.now() - parse_time(noted)
    detail = f"the last heartbeat is {format_duration(age)} old"
    is_late = age > house.config.watchdog.heartbeat_gap
    return Component(name="scheduler", state=State.DOWN if is_late else State.OK, detail=detail)


async def _ledger(house: House) -> Component:
    if house.ledger is None:
        return Component(name="ledger", state=State.OFF, detail="no reports are configured")
    name = house.ledger.name
    return await _linked(house, "ledger", LedgerLink(house.ledger), lambda _: (State.OK, name))


async def _redis(house: House, link: RedisLink | None) -> Component:
    """Ask by a connection of its own, so that what is answered is true now."""
    if link is None:
        return Component(name="redis", state=State.OFF, detail="redis.url is not set")
    try:
        return await _linked(house, "redis", link, _redis_said)
    finally:
        await link.close()


def _redis_said(facts: Mapping[str, Any]) -> tuple[State, str]:
    warned = cautions(facts)
    if warned:
        return State.DEGRADED, "; ".join(warned)
    return State.OK, f"version {facts['redis_version']}, {facts['role']}" if facts else "takes writes"


async def _linked(
    house: House, name: str, link: Link, said: Callable[[Mapping[str, Any]], tuple[State, str]]
) -> Component:
    began_s = house.clock.monotonic()
    try:
        async with asyncio.timeout(ANSWER_S):
            facts = await link.probe(house.clock.now())
    except TimeoutError:
        return Component(name=name, state=State.DOWN, detail=f"no answer within {ANSWER_S:g} s")
    except LinkDown as down:
        return Component(name=name, state=State.DOWN, detail=str(down))
    state, detail = said(facts)
    return Component(name=name, state=state, latency_ms=_passed_ms(house, began_s), detail=detail)


async def _disk(house: House) -> Component:
    """Whether the disk of the home takes a file, and how much room there is for more."""
    folder, began_s = house.home.folder, house.clock.monotonic()
    try:
        usage = await asyncio.to_thread(_tried_disk, folder)
    except OSError as error:
        detail = f"{folder} takes no file: {error.strerror}"
        return Component(name="disk", state=State.DOWN, detail=detail)
    free = usage.free / usage.total if usage.total else 0.0
    detail = f"{usage.free / 1e9:,.1f} GB free, {free:.0%} of the disk of {folder}"
    took_ms = _passed_ms(house, began_s)
    return Component(name="disk", state=disk_state(free), latency_ms=took_ms, detail=detail)


def _tried_disk(folder: Path) -> "shutil._ntuple_diskusage":
    prove_writable(folder)
    return shutil.disk_usage(folder)


def disk_state(free: float) -> State:
    """What a share of free space means."""
    if free < HARDLY_FREE:
        return State.DOWN
    return State.DEGRADED if free < LITTLE_FREE else State.OK


def _llm(house: House) -> Component:
    """What the breakers of the providers say: their alerts are open for as long as one is left alone."""
    providers = house.config.llm.providers
    if not providers:
        return Component(name="llm", state=State.OFF, detail="no providers: the template writes")
    troubles = [it for it in house.alerts.open if it.name.startswith("llm.")]
    if not troubles:
        names = ", ".join(it.name for it in providers)
        return Component(name="llm", state=State.OK, detail=f"no trouble known of {names}")
    down = {it.labels.get("provider") for it in troubles if it.name == "llm.provider-down"}
    is_down = down >= {it.name for it in providers}
    detail = "; ".join(it.summary for it in troubles[:3])
    return Component(name="llm", state=State.DOWN if is_down else State.DEGRADED, detail=detail)


async def _channels(house: House, *, deep: bool) -> list[Component]:
    health = house.notify.health()
    trials: dict[str, Trial] = {}
    if deep:
        tried = await try_out(house.notify.channels, house.clock, TRY_S)
        trials = {trial.channel: trial for trial in tried}
    return [_channel(name, health[name], trials.get(name)) for name in sorted(health)]


def _channel(name: str, health: ChannelHealth, trial: Trial | None) -> Component:
    """Put together what its last sends and a trial say; a trial that fails says more than an old send."""
    took_s = None if trial is None else sum(step.took_s for step in trial.steps)
    latency_ms = None if took_s is None else round(took_s * 1000, 1)
    state, detail = _of_sends(health)
    if trial is not None and not trial.is_ok:
        state, detail = State.DOWN, next(step.detail for step in trial.steps if not step.is_ok)
    elif trial is not None and health.state is Condition.UNTRIED and trial.steps:
        detail = trial.steps[-1].detail
    return Component(name=f"channel:{name}", state=state, latency_ms=latency_ms, detail=detail)


def _of_sends(health: ChannelHealth) -> tuple[State, str]:
    if health.state is Condition.DEAD:
        return State.DOWN, f"refuses: {health.error}"
    if health.state is Condition.FAILING:
        return State.DEGRADED, f"was not reached {health.failures} times: {health.error}"
    if health.state is Condition.OK:
        return State.OK, "its last send is proved"
    return State.OK, "nothing has been sent since the start"


async def _timed(house: House, name: str, work: Callable[[], Awaitable[str]]) -> Component:
    began_s = house.clock.monotonic()
    detail = await work()
    return Component(name=name, state=State.OK, latency_ms=_passed_ms(house, began_s), detail=detail)


def _passed_ms(house: House, began_s: float) -> float:
    return round((house.clock.monotonic() - began_s) * 1000, 1)

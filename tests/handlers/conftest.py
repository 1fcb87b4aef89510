"""A house with real parts, a clock that stands still, and one channel that does as it is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from daemon.clock import VirtualClock
from daemon.config import load_config
from daemon.context import Context, Services
from daemon.engine.cron import CronLine, Slot
from daemon.kept import Kept
from daemon.notify.base import ChannelError, Message, Receipt, Step
from daemon.notify.notifier import Notifier
from daemon.watch.alerts import Alerts
from state.database import Database
from state.digests import Digests
from state.home import Home
from state.items import Items
from state.records import Task, TaskState
from state.recovery import open_home
from state.store import Store

EVENING = datetime(2026, 11, 21, 23, 0, 1, tzinfo=UTC)
MORNING = datetime(2026, 11, 22, 6, 0, 1, tzinfo=UTC)


class Room:
    """A channel: keeps what arrives, and fails as it was told to."""

    Options: ClassVar[Any] = None
    is_delivery: ClassVar[bool] = True

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.failures: list[ChannelError] = []

    async def send(self, message: Message) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        return Receipt(proof="ok")

    async def check(self) -> list[Step]:
        return [Step(name="connect", is_ok=True, detail="reached", took_s=0.0)]

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.messages]


class NightlySchedule:
    """The schedules as handlers see them: only the nightly batch's line is known."""

    def __init__(self) -> None:
        self.line: CronLine | None = CronLine.parse("0 23 * * *", "UTC")

    def newest_slot(self, name: str, at: datetime) -> Slot | None:
        assert name == "nightly-batch"
        return None if self.line is None else self.line.newest_at(at)


@dataclass
class World:
    """One installation, and how a test speaks to it."""

    home: Home
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(EVENING))
    room: Room = field(default_factory=Room)
    ops: Room = field(default_factory=Room)
    schedules: NightlySchedule = field(default_factory=NightlySchedule)
    options: Any = None
    house: Any = None

    async def open(self) -> None:
        """Start on what the disk holds, as after a crash."""
        self.store = Store(
            self.home, Database(self.home.database, open_home(self.home, self.clock.now()).generation)
        )
        await self.store.load()
        self.house = Services(
            clock=self.clock,
            store=self.store,
            items=Items(self.store),
            digests=Digests(self.store),
            notify=Notifier({"team": self.room, "ops": self.ops}, self.store, self.clock),
            alerts=Alerts(self.store, self.clock, timedelta(hours=48)),
            schedules=self.schedules,  # type: ignore[arg-type]
            enqueue=None,  # type: ignore[arg-type]
            kept=Kept(),
            config=load_config(None, {}),
            home=self.home,
            owner="test",
        )

    async def restart(self) -> None:
        await self.store.close()
        await self.open()

    def context(self, handler: str, task_id: str = "task-1", **task: Any) -> Context:
        attempt, args = task.pop("attempt", 1), task.pop("args", {})
        made = Task(
            id=task_id, handler=handler, args=args, attempt=attempt, max_attempts=5,
            state=TaskState.EXECUTING, scheduled_at=self.clock.now(), started_at=self.clock.now(), **task,
        )  # fmt: skip
        return Context(task=made, house=self.house, options=self.options)

    async def add(self, *scores: float) -> None:
        start = len(await self.house.items.listing(100_000, all=True))
        bodies = [
            {"id": f"t3_{start + n}", "title": f"lead {start + n}", "score": it}
            for n, it in enumerate(scores)
        ]
        await self.house.items.add(bodies, self.clock.now())

    async def go_to(self, at: datetime) -> None:
        await self.clock.advance(at - self.clock.now())

    def open_alerts(self) -> list[str]:
        return [alert.name for alert in self.house.alerts.open]


@pytest.fixture
async def world(home_folder: Path) -> AsyncIterator[World]:
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    world = World(home)
    world.options = SimpleNamespace(
        timezone="UTC",
        channel="team",
        target="",
        threshold=0.75,
        app_url=None,
        slow_after=timedelta(seconds=30),
        scoring=SimpleNamespace(
            topics={},
            intent_phrases=("how do i",),
            weights=SimpleNamespace(relevance=0.4, engagement=0.25, freshness=0.15, intent=0.2),
            freshness_half_life=timedelta(days=2),
        ),
    )
    await world.open()
    yield world
    await world.store.close()

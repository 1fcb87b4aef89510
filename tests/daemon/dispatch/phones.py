"""Channels that ring in this very process, for a house whose clock stands still."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel

from daemon.clock import Clock
from daemon.config.sections import AlertsSection, Route
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.notifier import Notifier
from state.records import Alert, Severity
from tests.house import House


@dataclass
class Phone:
    """A channel whose line can be cut: `failure` is what every send then comes to."""

    Options: ClassVar[type[BaseModel]] = BaseModel
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = False
    clock: Clock
    failure: Failure | None = None
    arrives_all_the_same: bool = False  # an answer that is lost, not a message
    retry_after: timedelta | None = None
    got: list[tuple[datetime, Message]] = field(default_factory=list)
    tries: list[datetime] = field(default_factory=list)
    before: asyncio.Event | None = None  # holds every message back until it is set
    after: asyncio.Event | None = None  # holds every answer back until it is set

    @property
    def messages(self) -> list[Message]:
        return [message for _, message in self.got]

    @property
    def times(self) -> list[datetime]:
        return [at for at, _ in self.got]

    async def send(self, message: Message) -> Receipt:
        self.tries.append(self.clock.now())
        if self.before is not None:
            await self.before.wait()
        if self.failure is None or self.arrives_all_the_same:
            self.got.append((self.clock.now(), message))
        if self.after is not None:
            await self.after.wait()
        if self.failure is not None:
            raise ChannelError("the line is cut", failure=self.failure, retry_after=self.retry_after)
        return Receipt(proof="heard")

    async def check(self) -> Sequence[Step]:
        return [Step(name="ring", is_ok=self.failure is None, detail="", took_s=0.0)]


class Record(Phone):
    """A channel by which nobody is told."""

    is_delivery: ClassVar[bool] = False


ONCALL = {"oncall": ("slack", "mail", "pager")}


@dataclass
class Office:
    """A house with phones, and people who are to hear of what happens in it."""

    house: House
    phones: dict[str, Phone]

    async def open(self) -> None:
        """Start the house; what a kill has left is found again, the phones stay as they are."""
        await self.house.open()
        app = self.house.app
        app.notify = Notifier(self.phones, app.store, self.house.clock, app.meters)
        app.dispatch.adopt(self.house.config, app.notify)
        await self.house.start_open()

    async def kill(self) -> None:
        """End as kill -9 does, and start again."""
        await self.house.kill()
        await self.open()

    async def fire(self, name: str = "x.broke", severity: Severity = Severity.ERROR, **about: Any) -> Alert:
        """Raise an alert, and let what follows at once happen."""
        about.setdefault("summary", f"{name} is wrong")
        alert = await self.house.app.alerts.fire(name, severity=severity, **about)
        await self.house.settle()
        return alert

    async def resolve(self, name: str = "x.broke", **labels: str) -> None:
        await self.house.app.alerts.resolve(name, labels)
        await self.house.settle()

    async def advance(self, **units: float) -> None:
        await self.house.clock.advance(**units)

    def all_times(self) -> list[datetime]:
        """When anything reached anybody."""
        return sorted(at for phone in self.phones.values() for at in phone.times)


def office(house: House, *names: str, **alerts: Any) -> Office:
    """Fit a house with phones, named as they are in the receivers; `alerts` is that section of the config."""
    alerts.setdefault("receivers", {"oncall": names or ("slack", "mail", "pager")})
    alerts.setdefault("routes", (Route(receiver=next(iter(alerts["receivers"]))),))
    section = AlertsSection(**alerts)
    house.config = replace(house.config, alerts=section)
    house.parts = (*house.parts, "dispatch")
    wanted = dict.fromkeys(name for order in section.receivers.values() for name in order)
    return Office(house, {name: Phone(house.clock) for name in wanted})

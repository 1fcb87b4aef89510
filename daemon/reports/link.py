"""What a link is: something outside that the daemon relies on, asked by a small write and read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from daemon.clock import Clock
from daemon.notify.base import Step
from daemon.watch.alerts import Alerts


class LinkDown(Exception):
    """It did not do what it is for. The text says why and what to do, and never holds an address."""


class Link(Protocol):
    """One thing outside."""

    name: str
    alert: str  # the alert that says it is down

    async def probe(self, now: datetime) -> Mapping[str, Any]:
        """Have it write and read something small; what it says of itself.

        Raises:
            LinkDown: it did not, in bounded time.
        """
        ...

    async def steps(self, clock: Clock) -> list[Step]:
        """The same step by step with the time of each; ends with the first that fails, raises nothing."""
        ...

    async def alarm(self, alerts: Alerts, summary: str, details: Mapping[str, Any]) -> None:
        """Alert that it is down."""
        ...

    async def close(self) -> None: ...

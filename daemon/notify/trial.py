"""Trying channels as far as that goes without a message, for whoever wants to know before the night."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.clock import Clock
from daemon.notify.base import Channel, Step

WITHIN_S = 20.0  # what all steps of one channel may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How far one channel got."""

    channel: str
    steps: tuple[Step, ...]

    @property
    def is_ok(self) -> bool:
        return all(step.is_ok for step in self.steps)

    def as_row(self) -> dict[str, Any]:
        """The trial in the words of the API."""
        steps = [
            {"name": it.name, "ok": it.is_ok, "detail": it.detail, "tookS": round(it.took_s, 3)}
            for it in self.steps
        ]
        return {"channel": self.channel, "ok": self.is_ok, "steps": steps}


async def try_out(channels: Mapping[str, Channel], clock: Clock, within_s: float = WITHIN_S) -> list[Trial]:
    """Check channels side by side; none of them can hold up or spoil the trial of another."""
    trials = (_tried(name, channel, clock, within_s) for name, channel in channels.items())
    return list(await asyncio.gather(*trials))


async def _tried(name: str, channel: Channel, clock: Clock, within_s: float) -> Trial:
    began_s = clock.monotonic()
    try:
        async with asyncio.timeout(within_s):
            return Trial(channel=name, steps=tuple(await channel.check()))
    except TimeoutError:
        detail = f"no end within {within_s:g} s"
    # A channel is a stranger's library away from any exception there is; its text may hold an address with
    # its token, its class does not.
    except Exception as error:
        detail = f"the channel broke ({type(error).__name__})"
    step = Step(name="check", is_ok=False, detail=detail, took_s=clock.monotonic() - began_s)
    return Trial(channel=name, steps=(step,))

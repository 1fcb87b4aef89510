"""The only loop in the house: step, survive, log, wait, stop."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from daemon.clock import Clock

log = logging.getLogger(__name__)

# After a failed step the part is given this long, doubled each time, before it is stepped again.
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)


class Periodic(Protocol):
    """A part that has something to do now and then."""

    @property
    def name(self) -> str: ...

    @property
    def woken(self) -> asyncio.Event:
        """Set it to have the part stepped at once."""
        ...

    async def step(self) -> datetime:
        """Do what is due; say when to call again."""
        ...


@dataclass(slots=True)
class Tick:
    """When a part was last heard of, in seconds of monotonic time, and when it is to be heard of again."""

    expected_s: float
    failures: int = 0  # steps in a row that raised


class Ticks:
    """What every loop leaves behind, so that somebody may notice the one that has stopped."""

    def __init__(self, names: Iterable[str], clock: Clock) -> None:
        started_s = clock.monotonic()
        self.known = {name: Tick(started_s) for name in names}

    def note(self, name: str, expected_s: float, failures: int) -> None:
        """A part has been stepped, and is to be again by then."""
        self.known[name] = Tick(expected_s, failures)


async def repeat(part: Periodic, clock: Clock, ticks: Ticks | None = None) -> None:
    """Step a part whenever it asks for it, until cancelled; a step that raises does not end it."""
    failures = 0
    while True:
        part.woken.clear()
        try:
            again_at = await part.step()
            failures = 0
        except Exception:
            # Whatever went wrong in one step, a loop that ends here would never fire again: that is
            # the one failure nobody would notice.
            failures += 1
            # The exponent has a bound too: no timedelta holds what fifty doublings make of a second.
            pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
            again_at = clock.now() + pause
            log.exception(
                "loop.failed",
                extra={
                    "fields": {"loop": part.name, "failures": failures, "again_in_s": pause.total_seconds()}
                },
            )
        if ticks is not None:
            wait_s = max(0.0, (again_at - clock.now()).total_seconds())
            ticks.note(part.name, clock.monotonic() + wait_s, failures)
        await clock.wait_until(again_at, part.woken)

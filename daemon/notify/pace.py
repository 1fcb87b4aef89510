"""One queue in front of one receiver: one message at a time, and not too often."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from daemon.clock import Clock
from daemon.notify.base import ChannelError, Failure


class Pace:
    """Lets one sender in at a time, `spacing_s` seconds apart, first come first served.

    Its queue is bounded by patience: who would have to wait longer is turned away at once.
    """

    def __init__(self, clock: Clock, spacing_s: float) -> None:
        self._clock = clock
        self._spacing_s = spacing_s
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._open_at_s = 0.0  # monotonic; 0 is long ago, or this moment on a virtual clock

    @asynccontextmanager
    async def turn(self, patience_s: float) -> AsyncIterator[None]:
        """Wait for one's turn, and keep it for the length of the block.

        Raises:
            ChannelError: the turn did not come within `patience_s` seconds; nothing was sent.
        """
        await self._take(patience_s)
        try:
            self.begin()
            yield
        finally:
            self._lock.release()

    def begin(self) -> None:
        """Count the spacing from here: something is about to be sent."""
        self._hold_until(self._clock.monotonic() + self._spacing_s)

    def hold(self, span: timedelta) -> None:
        """Let nobody in for this long: the receiver asked for it."""
        self._hold_until(self._clock.monotonic() + span.total_seconds())

    async def _take(self, patience_s: float) -> None:
        wait_s = self._wait_s() + self._waiting * self._spacing_s
        if wait_s > patience_s:
            raise _turned_away(wait_s)
        self._waiting += 1
        try:
            async with asyncio.timeout(patience_s):
                await self._lock.acquire()
                await self._stand_or_step_aside(patience_s)
        except TimeoutError:
            raise _turned_away(self._wait_s() + self._spacing_s) from None
        finally:
            self._waiting -= 1

    async def _stand_or_step_aside(self, patience_s: float) -> None:
        try:
            await self._stand(patience_s)
        except BaseException:  # cancellation too must leave the way free for the next
            self._lock.release()
            raise

    async def _stand(self, patience_s: float) -> None:
        """At the head of the queue: wait for the spacing, which a refusal may meanwhile have stretched."""
        wait_s = self._wait_s()
        if wait_s > patience_s:
            raise _turned_away(wait_s)
        if wait_s > 0:
            await self._clock.sleep(wait_s)

    def _wait_s(self) -> float:
        return max(0.0, self._open_at_s - self._clock.monotonic())

    def _hold_until(self, at_s: float) -> None:
        self._open_at_s = max(self._open_at_s, at_s)


def _turned_away(wait_s: float) -> ChannelError:
    return ChannelError(
        f"the receiver's queue is full for the next {math.ceil(wait_s)} s; nothing was sent",
        failure=Failure.TRANSIENT,
        retry_after=timedelta(seconds=wait_s),
    )

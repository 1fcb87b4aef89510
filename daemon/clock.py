"""The only reader of time. Everything else is handed a `Clock`, or is told the time."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Waits are cut into pieces this long and recomputed, so that a suspended machine or a stepped
# clock is noticed within it, however far away the next fire is.
LONGEST_WAIT_S = 5.0


class Timer(Protocol):
    """A call that will be made later, unless it is cancelled."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Wall time for what people wrote (cron lines), monotonic time for how long things take."""

    def now(self) -> datetime:
        """The wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never steps."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` in `delay_s` seconds of monotonic time."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return in `delay_s` seconds of monotonic time."""
        ...

    async def wait_until(self, at: datetime, woken: asyncio.Event) -> None:
        """Return when the wall shows `at` or later, or as soon as `woken` is set.

        Returns too after as long as that seemed away, in monotonic time: were the wall clock put back
        an hour meanwhile, whoever only wanted to wait a second would else sleep for that hour.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    async def wait_until(self, at: datetime, woken: asyncio.Event) -> None:
        deadline_s = time.monotonic() + (at - self.now()).total_seconds()
        # Also where nothing is to be waited for: whoever is always due must not keep the others out.
        await asyncio.sleep(0)
        while not woken.is_set():
            left_s = min((at - self.now()).total_seconds(), deadline_s - time.monotonic())
            if left_s <= 0:
                return
            try:
                async with asyncio.timeout(min(left_s, LONGEST_WAIT_S)):
                    await woken.wait()
            except TimeoutError:
                continue


class VirtualTimer:
    """A call on a `VirtualClock`."""

    __slots__ = ("callback", "is_cancelled")

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class VirtualClock:
    """A clock that stands still until it is told to advance: a day passes in a moment.

    `settle` is awaited whenever time is about to move, so that everything which is due now has
    been done first; the owner passes one that knows about its threads (the database writer).
    """

    def __init__(self, now: datetime, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        self._now = now
        self._elapsed_s = 0.0
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._waits: list[tuple[datetime, int, VirtualTimer]] = []
        self._order = itertools.count()
        self.settle: Callable[[], Awaitable[None]] = settle or _yield_often

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_s

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> VirtualTimer:
        timer = VirtualTimer(callback)
        due_s = self._elapsed_s + max(0.0, delay_s)
        heapq.heappush(self._timers, (due_s, next(self._order), timer))
        return timer

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        done = asyncio.Event()
        timer = self.call_later(delay_s, done.set)
        try:
            await done.wait()
        finally:
            timer.cancel()

    async def wait_until(self, at: datetime, woken: asyncio.Event) -> None:
        if at <= self._now or woken.is_set():
            await asyncio.sleep(0)
            return
        reached = asyncio.Event()
        timer = VirtualTimer(reached.set)
        heapq.heappush(self._waits, (at, next(self._order), timer))
        elapsed = self.call_later((at - self._now).total_seconds(), reached.set)
        waiters = {asyncio.ensure_future(reached.wait()), asyncio.ensure_future(woken.wait())}
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            elapsed.cancel()
            for waiter in waiters:
                waiter.cancel()

    async def advance(self, span: timedelta | None = None, **units: float) -> None:
        """Move both times forward, stopping at everything that is due on the way."""
        target = self._now + (span if span is not None else timedelta(**units))
        await self.settle()
        while (due := self._next_due()) is not None and due <= target:
            self._move_to(due)
            self._ring()
            await self.settle()
        self._move_to(target)
        await self.settle()

    async def step(self, span: timedelta) -> None:
        """Step the wall clock alone, as an operator or NTP does; monotonic time stands still."""
        self._now += span
        self._ring()
        await self.settle()

    def _next_due(self) -> datetime | None:
        while self._timers and self._timers[0][2].is_cancelled:
            heapq.heappop(self._timers)
        while self._waits and self._waits[0][2].is_cancelled:
            heapq.heappop(self._waits)
        candidates = []
        if self._timers:
            candidates.append(self._now + timedelta(seconds=self._timers[0][0] - self._elapsed_s))
        if self._waits:
            candidates.append(self._waits[0][0])
        return min(candidates, default=None)

    def _move_to(self, at: datetime) -> None:
        if at > self._now:
            self._elapsed_s += (at - self._now).total_seconds()
            self._now = at

    def _ring(self) -> None:
        tick_s = 1e-6  # a microsecond, the grain of a datetime: a timer is due when it rounds to now
        while self._timers and self._timers[0][0] <= self._elapsed_s + tick_s:
            timer = heapq.heappop(self._timers)[2]
            if not timer.is_cancelled:
                timer.callback()
        while self._waits and self._waits[0][0] <= self._now:
            waiter = heapq.heappop(self._waits)[2]
            if not waiter.is_cancelled:
                waiter.callback()


# So many turns of the loop without anything to do, and whatever follows from a call has followed.
CALM_TURNS = 20


def settling(is_busy: Callable[[], bool]) -> Callable[[], Awaitable[None]]:
    """A `settle` that also waits, in real time, for what real threads and processes are busy with."""

    async def settle() -> None:
        calm = 0
        while calm < CALM_TURNS:
            busy = is_busy()
            await asyncio.sleep(0.001 if busy else 0)
            calm = 0 if busy else calm + 1

    return settle


async def _yield_often() -> None:
    for _ in range(CALM_TURNS):
        await asyncio.sleep(0)

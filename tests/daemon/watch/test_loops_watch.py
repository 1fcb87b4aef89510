"""A loop that has stopped, or only fails, is noticed; and so is its return."""

import asyncio
from datetime import datetime, timedelta

from daemon.loops import Ticks, repeat
from daemon.watch.loops import LoopWatch
from state.records import Severity
from tests.house import House


class Part:
    """A part that does as it is told: works, fails, or hangs."""

    name = "part"

    def __init__(self, house: House) -> None:
        self.woken = asyncio.Event()
        self.is_broken = False
        self.hangs: asyncio.Event | None = None
        self._clock = house.clock

    async def step(self) -> datetime:
        if self.hangs is not None:
            await self.hangs.wait()
        if self.is_broken:
            raise RuntimeError("no")
        return self._clock.now() + timedelta(seconds=10)


async def watched(house: House, part: Part | None) -> list[asyncio.Task[None]]:
    await house.start()
    ticks = Ticks(["part"], house.clock)
    watch = LoopWatch(ticks, house.clock, house.app.alerts)
    parts = [watch] if part is None else [watch, part]
    return [asyncio.create_task(repeat(it, house.clock, ticks)) for it in parts]


async def end(loops: list[asyncio.Task[None]]) -> None:
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def test_a_loop_that_turns_is_no_news(house: House) -> None:
    loops = await watched(house, Part(house))
    await house.clock.advance(hours=1)
    assert house.app.alerts.open == []
    await end(loops)


async def test_a_loop_that_never_ran_is_named_within_a_minute(house: House) -> None:
    loops = await watched(house, None)
    await house.clock.advance(seconds=60)
    [alert] = house.app.alerts.open
    assert (alert.name, alert.severity, alert.labels) == ("loop.dead", Severity.CRITICAL, {"loop": "part"})
    await house.clock.advance(minutes=5)
    assert house.app.alerts.open[0].count == 1
    await end(loops)


async def test_a_loop_that_hangs_is_named_and_its_return_told(house: House) -> None:
    part = Part(house)
    loops = await watched(house, part)
    part.hangs = asyncio.Event()
    await house.clock.advance(seconds=75)
    assert house.alerts == ["loop.dead"]
    part.hangs.set()
    part.hangs = None
    await house.clock.advance(seconds=10)
    assert house.alerts == []
    await end(loops)


async def test_a_loop_that_fails_is_an_error_then_critical_and_over_when_it_works(house: House) -> None:
    part = Part(house)
    part.is_broken = True
    loops = await watched(house, part)
    await house.clock.advance(seconds=1)
    await house.clock.advance(seconds=5)
    assert house.alerts == ["loop.failing"]
    await house.clock.advance(minutes=1)
    assert house.app.alerts.open[0].severity is Severity.CRITICAL
    part.is_broken = False
    await house.clock.advance(minutes=1)
    assert house.alerts == []
    await end(loops)

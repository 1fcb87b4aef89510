"""The one loop of the house: it steps, survives, gives way, and stops."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from daemon.clock import SystemClock, VirtualClock
from daemon.loops import FIRST_PAUSE, LONGEST_PAUSE, repeat

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)


class Part:
    """A part that notes when it was stepped, and fails as often as it is told to."""

    name = "part"

    def __init__(self, clock: VirtualClock | SystemClock, every: timedelta, failures: int = 0) -> None:
        self.woken = asyncio.Event()
        self.stepped_at: list[datetime] = []
        self._clock = clock
        self._every = every
        self._failures = failures

    async def step(self) -> datetime:
        self.stepped_at.append(self._clock.now())
        if len(self.stepped_at) <= self._failures:
            raise ValueError(f"failure {len(self.stepped_at)}")
        return self._clock.now() + self._every


async def stop(loop: asyncio.Task[None]) -> None:
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


async def test_a_part_is_stepped_when_it_asks_for_it() -> None:
    clock = VirtualClock(NOW)
    part = Part(clock, timedelta(minutes=1))
    loop = asyncio.create_task(repeat(part, clock))

    await clock.advance(minutes=3)

    assert part.stepped_at == [NOW + timedelta(minutes=n) for n in range(4)]
    await stop(loop)


async def test_a_part_that_is_woken_is_stepped_at_once() -> None:
    clock = VirtualClock(NOW)
    part = Part(clock, timedelta(hours=1))
    loop = asyncio.create_task(repeat(part, clock))
    await clock.advance(minutes=5)

    part.woken.set()
    await clock.settle()

    assert part.stepped_at == [NOW, NOW + timedelta(minutes=5)]
    assert not part.woken.is_set()
    await stop(loop)


async def test_being_woken_during_a_step_is_not_forgotten() -> None:
    clock = VirtualClock(NOW)
    part = Part(clock, timedelta(hours=1))
    step = part.step

    async def waking() -> datetime:
        if not part.stepped_at:
            part.woken.set()
        return await step()

    part.step = waking  # type: ignore[method-assign]
    loop = asyncio.create_task(repeat(part, clock))
    await clock.settle()

    assert len(part.stepped_at) == 2
    await stop(loop)


async def test_a_part_that_fails_is_stepped_again_after_ever_longer_pauses() -> None:
    clock = VirtualClock(NOW)
    part = Part(clock, timedelta(minutes=5), failures=8)
    loop = asyncio.create_task(repeat(part, clock))

    await clock.advance(minutes=10)

    pauses = [later - sooner for sooner, later in zip(part.stepped_at, part.stepped_at[1:], strict=False)]
    assert pauses[:7] == [FIRST_PAUSE * 2**n for n in range(5)] + [LONGEST_PAUSE] * 2
    assert pauses[8] == timedelta(minutes=5)
    await stop(loop)


async def test_a_part_that_fails_for_a_whole_day_goes_on_when_it_can() -> None:
    clock = VirtualClock(NOW)
    part = Part(clock, timedelta(minutes=5), failures=2880)
    loop = asyncio.create_task(repeat(part, clock))

    await clock.advance(days=1)
    assert not loop.done()
    await clock.advance(hours=1)

    assert len(part.stepped_at) > 2880
    await stop(loop)


async def test_a_failure_is_logged_with_its_place_and_the_next_try(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock(NOW)
    loop = asyncio.create_task(repeat(Part(clock, timedelta(hours=1), failures=1), clock))
    await clock.settle()

    [record] = [it for it in caplog.records if it.message == "loop.failed"]
    assert record.levelno == logging.ERROR
    assert record.fields == {"loop": "part", "failures": 1, "again_in_s": 1.0}  # type: ignore[attr-defined]
    assert record.exc_info is not None
    await stop(loop)


@pytest.mark.parametrize("where", ["waiting", "stepping"])
async def test_a_loop_that_is_cancelled_ends_wherever_it_is(where: str) -> None:
    clock = VirtualClock(NOW)
    part = Part(clock, timedelta(hours=1))

    async def stuck() -> datetime:
        await asyncio.Event().wait()
        return NOW

    if where == "stepping":
        part.step = stuck  # type: ignore[method-assign]
    loop = asyncio.create_task(repeat(part, clock))
    await clock.settle()

    await stop(loop)

    assert loop.cancelled()


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock(NOW)], ids=["system", "virtual"])
async def test_a_part_that_is_always_due_keeps_nobody_out(clock: SystemClock | VirtualClock) -> None:
    part = Part(clock, -timedelta(hours=1))
    loop = asyncio.create_task(repeat(part, clock))

    for _ in range(20):
        await asyncio.sleep(0)

    assert 1 < len(part.stepped_at) < 40
    await stop(loop)

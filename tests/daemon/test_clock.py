"""The clocks: the real one notices when the wall is stepped, the virtual one moves only when told to."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from daemon import clock as clock_module
from daemon.clock import SystemClock, VirtualClock, settling

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Stepped(SystemClock):
    """The real clock on a wall that can be stepped."""

    def __init__(self) -> None:
        self.step = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.step


# The real clock


def test_the_wall_is_told_in_utc() -> None:
    with time_machine.travel(NOW, tick=False):
        assert SystemClock().now() == NOW
        assert SystemClock().now().tzinfo is UTC


async def test_a_wait_ends_when_the_wall_shows_the_time() -> None:
    clock = SystemClock()
    began = clock.monotonic()

    await clock.wait_until(clock.now() + timedelta(seconds=0.05), asyncio.Event())

    assert 0.04 <= clock.monotonic() - began < 2


async def test_a_wait_ends_when_it_is_woken() -> None:
    clock, woken = SystemClock(), asyncio.Event()
    clock.call_later(0.01, woken.set)

    async with asyncio.timeout(2):
        await clock.wait_until(clock.now() + HOUR, woken)


@pytest.mark.parametrize("at", [timedelta(0), -HOUR])
async def test_what_is_past_is_not_waited_for(at: timedelta) -> None:
    clock = SystemClock()

    async with asyncio.timeout(1):
        await clock.wait_until(clock.now() + at, asyncio.Event())


async def test_a_wall_that_is_put_forward_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "LONGEST_WAIT_S", 0.02)
    clock = Stepped()
    waiting = asyncio.create_task(clock.wait_until(clock.now() + HOUR, asyncio.Event()))
    await clock.sleep(0.05)
    assert not waiting.done()

    clock.step = 2 * HOUR

    async with asyncio.timeout(2):
        await waiting


async def test_a_wall_that_is_put_back_does_not_make_a_short_wait_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "LONGEST_WAIT_S", 0.02)
    clock = Stepped()
    waiting = asyncio.create_task(clock.wait_until(clock.now() + timedelta(seconds=0.1), asyncio.Event()))
    await clock.sleep(0.01)

    clock.step = -HOUR

    async with asyncio.timeout(2):
        await waiting


def test_no_wait_is_longer_than_five_seconds() -> None:
    assert clock_module.LONGEST_WAIT_S <= 5


async def test_a_call_is_made_later_unless_it_is_cancelled() -> None:
    clock, calls = SystemClock(), []
    clock.call_later(0.01, lambda: calls.append("made"))
    clock.call_later(0.01, lambda: calls.append("cancelled")).cancel()

    await clock.sleep(0.05)

    assert calls == ["made"]


# The virtual clock


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(NOW)
    sleeping = asyncio.create_task(clock.sleep(1))
    await clock.settle()
    assert (clock.now(), clock.monotonic(), sleeping.done()) == (NOW, 0.0, False)

    await clock.advance(seconds=1)

    assert (clock.now(), clock.monotonic(), sleeping.done()) == (NOW + timedelta(seconds=1), 1.0, True)


async def test_everything_due_on_the_way_happens_in_its_order_and_at_its_time() -> None:
    clock = VirtualClock(NOW)
    seen: list[tuple[str, float]] = []

    async def part(name: str, every_s: float) -> None:
        for _ in range(3):
            await clock.sleep(every_s)
            seen.append((name, clock.monotonic()))

    parts = [asyncio.create_task(part("a", 2)), asyncio.create_task(part("b", 3))]
    await clock.advance(seconds=10)

    assert seen == [("a", 2), ("b", 3), ("a", 4), ("b", 6), ("a", 6), ("b", 9)] or seen == [
        ("a", 2), ("b", 3), ("a", 4), ("a", 6), ("b", 6), ("b", 9)
    ]  # fmt: skip
    await asyncio.gather(*parts)


async def test_a_step_moves_the_wall_alone() -> None:
    clock = VirtualClock(NOW)
    sleeping = asyncio.create_task(clock.sleep(60))
    waiting = asyncio.create_task(clock.wait_until(NOW + HOUR, asyncio.Event()))
    await clock.settle()

    await clock.step(2 * HOUR)

    assert (clock.now(), clock.monotonic()) == (NOW + 2 * HOUR, 0.0)
    assert (sleeping.done(), waiting.done()) == (False, True)
    await clock.advance(minutes=1)
    assert sleeping.done()


async def test_a_step_back_leaves_a_short_wait_short() -> None:
    clock = VirtualClock(NOW)
    waiting = asyncio.create_task(clock.wait_until(NOW + timedelta(seconds=5), asyncio.Event()))
    await clock.settle()
    await clock.step(-HOUR)

    await clock.advance(seconds=5)

    assert waiting.done()
    assert clock.now() == NOW - HOUR + timedelta(seconds=5)


async def test_what_was_cancelled_keeps_no_time() -> None:
    clock, calls = VirtualClock(NOW), []
    clock.call_later(1, lambda: calls.append(1)).cancel()
    waiting = asyncio.create_task(clock.wait_until(NOW + HOUR, asyncio.Event()))
    await clock.settle()
    waiting.cancel()
    await clock.settle()

    await clock.advance(hours=2)

    assert calls == []
    assert clock.monotonic() == 7200


async def test_settling_waits_for_what_threads_do() -> None:
    busy = [True]
    timer = asyncio.get_running_loop().call_later(0.02, busy.clear)
    done = []
    clock = VirtualClock(NOW, settling(lambda: bool(busy)))
    clock.call_later(1, lambda: done.append(not busy))

    await clock.advance(seconds=1)

    assert done == [True]
    timer.cancel()


@pytest.mark.parametrize("delay_s", [0, -1])
async def test_sleeping_for_nothing_gives_way_once(delay_s: float) -> None:
    async with asyncio.timeout(1):
        await VirtualClock(NOW).sleep(delay_s)

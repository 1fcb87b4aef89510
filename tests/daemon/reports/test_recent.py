"""An answer that is good for a moment: asked by one, shared by all, and never older than it may be."""

import asyncio

import pytest

from daemon.clock import VirtualClock
from daemon.reports.recent import LONGEST_S, SHARE, Recent
from tests.contracts.ledgers import NOW

LASTS_S = 5.0


class Source:
    """Something that is asked: it takes time, may fail, and counts."""

    def __init__(self, clock: VirtualClock) -> None:
        self.asked = 0
        self.version = 0
        self.takes_s = 0.0
        self.fails = False
        self._clock = clock

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self._clock.sleep(self.takes_s)
        if self.fails:
            raise OSError("it is away")
        return number


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def source(clock: VirtualClock) -> Source:
    return Source(clock)


@pytest.fixture
def recent(clock: VirtualClock, source: Source) -> Recent[int]:
    return Recent(clock, source, lambda: source.version, lasts_s=LASTS_S)


async def test_an_answer_is_given_again_until_it_is_old(
    clock: VirtualClock, source: Source, recent: Recent[int]
) -> None:
    assert [await recent.get(), await recent.get()] == [1, 1]
    await clock.advance(seconds=LASTS_S - 0.1)
    assert await recent.get() == 1
    await clock.advance(seconds=0.2)
    assert recent.at_hand() is None
    assert await recent.get() == 2


async def test_what_has_changed_is_asked_anew(source: Source, recent: Recent[int]) -> None:
    assert await recent.get() == 1
    source.version += 1
    assert await recent.get() == 2


async def test_what_changes_while_it_is_asked_is_asked_again(
    clock: VirtualClock, source: Source, recent: Recent[int]
) -> None:
    source.takes_s = 1e-3
    asking = asyncio.ensure_future(recent.get())
    await asyncio.sleep(0)
    source.version += 1
    await clock.advance(seconds=1)
    assert await asking == 1
    assert recent.at_hand() is None


async def test_what_takes_long_is_good_for_longer_whatever_changes(
    clock: VirtualClock, source: Source, recent: Recent[int]
) -> None:
    source.takes_s = 1.0
    asking = asyncio.ensure_future(recent.get())
    await clock.advance(seconds=1)
    assert await asking == 1
    source.version += 1
    await clock.advance(seconds=SHARE - 1)
    assert recent.at_hand() == (1,)
    await clock.advance(seconds=1.5)
    assert recent.at_hand() is None


async def test_nothing_is_good_for_longer_than_its_bound(
    clock: VirtualClock, source: Source, recent: Recent[int]
) -> None:
    source.takes_s = 30.0
    asking = asyncio.ensure_future(recent.get())
    await clock.advance(seconds=30)
    await asking
    await clock.advance(seconds=LONGEST_S + 1)
    assert recent.at_hand() is None


async def test_many_who_ask_at_once_are_one(clock: VirtualClock, source: Source, recent: Recent[int]) -> None:
    source.takes_s = 0.5
    asking = [asyncio.ensure_future(recent.get()) for _ in range(20)]
    await clock.advance(seconds=1)
    assert await asyncio.gather(*asking) == [1] * 20


async def test_where_old_answers_will_do_only_one_waits_for_the_new_one(
    clock: VirtualClock, source: Source
) -> None:
    recent = Recent(clock, source, lambda: source.version, lasts_s=LASTS_S, serves_old=True)
    assert await recent.get() == 1
    await clock.advance(seconds=LASTS_S + 1)
    source.takes_s = 0.5
    first = asyncio.ensure_future(recent.get())
    await asyncio.sleep(0)
    assert await recent.get() == 1
    await clock.advance(seconds=1)
    assert await first == 2


async def test_one_who_goes_takes_the_answer_from_nobody(
    clock: VirtualClock, source: Source, recent: Recent[int]
) -> None:
    source.takes_s = 0.5
    first, second = (asyncio.ensure_future(recent.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await clock.advance(seconds=1)
    assert await second == 2


async def test_a_failure_is_not_remembered(source: Source, recent: Recent[int]) -> None:
    source.fails = True
    with pytest.raises(OSError, match="away"):
        await recent.get()
    source.fails = False
    assert await recent.get() == 2

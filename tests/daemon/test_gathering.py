"""Things handed in one by one and done together."""

import asyncio
from collections.abc import Sequence

import pytest

from daemon.gathering import Desk


class Bench:
    """Doubles numbers, when it is let; notes what it was given at once."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.let = asyncio.Event()

    async def double(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(numbers))
        await self.let.wait()
        if 13 in numbers:
            raise OSError("no thirteen here")
        return [ValueError(f"{it} is odd") if it % 2 else 2 * it for it in numbers]


async def handed_in(desk: Desk[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(desk.hand_in(it)) for it in numbers]
    await asyncio.sleep(0)
    return tasks


async def test_what_is_handed_in_while_a_call_runs_goes_out_together_as_the_next_one() -> None:
    bench = Bench()
    desk: Desk[int, int] = Desk(bench.double, 10)
    first = await handed_in(desk, 2)
    await asyncio.sleep(0)
    rest = await handed_in(desk, 4, 6, 8)
    bench.let.set()
    assert await asyncio.gather(*first, *rest) == [4, 8, 12, 16]
    assert bench.batches == [[2], [4, 6, 8]]


async def test_never_more_go_out_at_once_than_may() -> None:
    bench = Bench()
    desk: Desk[int, int] = Desk(bench.double, 2)
    bench.let.set()
    tasks = await handed_in(desk, 2, 4, 6, 8, 10)
    assert await asyncio.gather(*tasks) == [4, 8, 12, 16, 20]
    assert bench.batches == [[2, 4], [6, 8], [10]]


async def test_what_went_wrong_with_one_is_told_to_nobody_else() -> None:
    bench = Bench()
    desk: Desk[int, int] = Desk(bench.double, 10)
    bench.let.set()
    even, odd = await handed_in(desk, 2, 3)
    assert await even == 4
    with pytest.raises(ValueError, match="3 is odd"):
        await odd


async def test_a_call_that_breaks_is_told_to_all_it_was_made_for_and_the_next_one_is_made() -> None:
    bench = Bench()
    desk: Desk[int, int] = Desk(bench.double, 2)
    bench.let.set()
    tasks = await handed_in(desk, 2, 13, 4)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(it) for it in ended] == ["no thirteen here", "no thirteen here", "8"]


async def test_what_somebody_waits_for_no_longer_is_done_all_the_same() -> None:
    bench = Bench()
    desk: Desk[int, int] = Desk(bench.double, 10)
    gone, stays = await handed_in(desk, 2, 4)
    await asyncio.sleep(0)
    gone.cancel()
    bench.let.set()
    assert await stays == 8
    await desk.end()
    assert bench.batches == [[2, 4]] and gone.cancelled()


async def test_its_end_is_waited_for() -> None:
    bench = Bench()
    desk: Desk[int, int] = Desk(bench.double, 10)
    await desk.end()  # nothing is being done
    (task,) = await handed_in(desk, 2)
    await asyncio.sleep(0)
    bench.let.set()
    await desk.end()
    assert await task == 4

"""The ring of events and those who listen: nobody misses one unnoticed, nobody costs more than a bound."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from daemon.feed.hub import BEAT, KEPT, MOST_BYTES, MOST_WAITING, Hub
from tests.daemon.feed.event_stream import Told, parsed


async def heard(stream: AsyncGenerator[bytes, None]) -> list[Told]:
    """All that waits."""
    async with asyncio.timeout(2):
        return parsed(await anext(stream))


@pytest.fixture
def hub() -> Hub:
    return Hub("b007")


async def test_who_comes_is_greeted_and_hears_all_from_then_on(hub: Hub) -> None:
    hub.publish("run", {"n": 1})
    stream = hub.pieces({"ready": True})
    hub.publish("run", {"n": 2})
    assert await heard(stream) == [("b007-1", "status", {"ready": True}), ("b007-2", "run", {"n": 2})]
    hub.publish("alert", {"summary": "two\nlines"})
    assert await heard(stream) == [("b007-3", "alert", {"summary": "two\nlines"})]
    await stream.aclose()
    assert hub.count == 0


async def test_who_comes_back_hears_what_was_missed_and_nothing_twice(hub: Hub) -> None:
    for number in range(1, 6):
        hub.publish("run", number)
    stream = hub.pieces({}, "b007-3")
    assert [it[2] for it in await heard(stream)] == [4, 5]
    await stream.aclose()
    up_to_date = hub.pieces({}, "b007-5")
    hub.publish("run", 6)
    assert [it[2] for it in await heard(up_to_date)] == [6]
    await up_to_date.aclose()


@pytest.mark.parametrize(
    "last_id",
    ["0ther-3", "b007-2000", "b007-0", "b007-x", "b007--1", "", "b007", "b007-" + "9" * 30, "é-1"],
)
async def test_who_may_have_missed_what_is_not_kept_is_told_to_load_anew(hub: Hub, last_id: str) -> None:
    for number in range(KEPT + 5):
        hub.publish("run", number)
    stream = hub.pieces({}, last_id)
    assert [it[1] for it in await heard(stream)] == ["reset"]
    await stream.aclose()


async def test_what_happened_unwatched_is_not_passed_over(hub: Hub) -> None:
    hub.publish("run", 1)
    hub.forget()
    stream = hub.pieces({}, "b007-1")
    assert [it[1] for it in await heard(stream)] == ["reset"]
    await stream.aclose()


async def test_more_than_a_listener_may_hold_is_not_repeated_to_him(hub: Hub) -> None:
    hub.publish("run", 1)
    for _ in range(3):
        hub.publish("run", "x" * (MOST_BYTES // 2))
    stream = hub.pieces({}, "b007-1")
    assert [it[1] for it in await heard(stream)] == ["reset"]
    await stream.aclose()


@pytest.mark.parametrize("size", [1, MOST_BYTES // 10], ids=["many", "large"])
async def test_who_does_not_keep_up_is_told_so_and_let_go(hub: Hub, size: int) -> None:
    slow, quick = hub.pieces({}), hub.pieces({})
    for _ in range(MOST_WAITING + 1):
        hub.publish("run", "x" * size)
        await heard(quick)
    assert [it[1] for it in await heard(slow)] == ["reset"]
    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    assert hub.count == 1
    await quick.aclose()


async def test_a_beat_is_a_comment_and_is_not_kept(hub: Hub) -> None:
    stream = hub.pieces({})
    await heard(stream)
    hub.beat()
    assert await anext(stream) == BEAT
    assert parsed(BEAT) == []
    assert hub.newest == "b007-0"
    await stream.aclose()


async def test_the_end_ends_all_at_once_and_those_who_come_later(hub: Hub) -> None:
    waiting = hub.pieces({})
    await heard(waiting)
    one = asyncio.ensure_future(anext(waiting, b"over"))
    await asyncio.sleep(0)
    hub.end()
    async with asyncio.timeout(2):
        assert await one == b"over"
    late = hub.pieces({})
    assert [it[1] for it in await heard(late)] == ["status"]
    assert await anext(late, b"over") == b"over"


async def test_a_stream_that_nobody_ever_read_is_forgotten(hub: Hub) -> None:
    stream = hub.pieces({})
    assert hub.count == 1
    del stream
    assert hub.count == 0

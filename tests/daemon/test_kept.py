"""What handlers keep open: made once, closed with the daemon."""

import asyncio

import pytest

from daemon.kept import Kept


class Thing:
    def __init__(self, closed: list[str], name: str, *, is_bad: bool = False) -> None:
        self._closed, self._name, self._is_bad = closed, name, is_bad

    async def close(self) -> None:
        self._closed.append(self._name)
        if self._is_bad:
            raise RuntimeError("no")


async def test_many_who_ask_at_once_get_the_same_one() -> None:
    kept, closed, made = Kept(), list[str](), list[Thing]()

    async def make() -> Thing:
        await asyncio.sleep(0)
        made.append(Thing(closed, "a"))
        return made[-1]

    found = await asyncio.gather(*(kept.get("a", make) for _ in range(9)))
    assert found == made * 9
    await kept.close()
    assert closed == ["a"]


async def test_what_could_not_be_made_is_tried_again_by_the_next() -> None:
    kept, closed, tries = Kept(), list[str](), list[int]()

    async def make() -> Thing:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return Thing(closed, "a")

    with pytest.raises(OSError, match="not yet"):
        await kept.get("a", make)
    assert isinstance(await kept.get("a", make), Thing)
    await kept.close()


async def test_one_that_will_not_close_keeps_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    kept, closed = Kept(), list[str]()
    for name, is_bad in (("a", False), ("b", True), ("c", False)):

        async def make(name: str = name, is_bad: bool = is_bad) -> Thing:
            return Thing(closed, name, is_bad=is_bad)

        await kept.get(name, make)
    await kept.close()
    assert closed == ["c", "b", "a"]
    assert "kept.unclosed" in caplog.text
    with pytest.raises(RuntimeError, match="closing"):
        await kept.get("d", make)


async def test_who_asks_may_be_cancelled_and_the_others_still_get_it() -> None:
    kept, closed, go = Kept(), list[str](), asyncio.Event()

    async def make() -> Thing:
        await go.wait()
        return Thing(closed, "a")

    first, second = (asyncio.ensure_future(kept.get("a", make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert isinstance(await second, Thing)
    with pytest.raises(asyncio.CancelledError):
        await first
    await kept.close()
    assert closed == ["a"]

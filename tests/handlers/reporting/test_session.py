"""A thread that owns a connection: what happens when it does not answer."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from handlers.reporting.base import SourceError
from handlers.reporting.sources.session import MOST_SESSIONS, Sessions
from tests.handlers.reporting.shops import source


class Deaf:
    """A connection whose work ends when the test says so, and which minds no interruption."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.is_closed = threading.Event()
        self.threads: set[int] = set()

    @contextmanager
    def connect(self) -> Iterator["Deaf"]:
        self.threads.add(threading.get_ident())
        yield self
        self.threads.add(threading.get_ident())
        self.is_closed.set()

    def interrupt(self, _connection: "Deaf") -> None:
        """Mind nothing."""

    def work(self, _connection: "Deaf") -> str:
        self.threads.add(threading.get_ident())
        self.may_end.wait(20)
        return "done"


async def hang(sessions: Sessions[Deaf], deaf: Deaf) -> None:
    async with sessions.session(0.1) as session:
        with pytest.raises(SourceError, match=r"^it: took longer than 0\.1 s and was stopped"):
            await session.ask("it", deaf.work)


async def test_a_thread_that_hangs_is_left_behind_and_tidies_up_when_it_comes_back() -> None:
    deaf = Deaf()
    sessions = Sessions(deaf.connect, deaf.interrupt)
    async with asyncio.timeout(5):
        await hang(sessions, deaf)
    assert not deaf.is_closed.is_set()
    deaf.may_end.set()
    assert await asyncio.to_thread(deaf.is_closed.wait, 10)
    assert len(deaf.threads) == 1
    assert threading.get_ident() not in deaf.threads


async def test_no_more_threads_hang_than_there_are_places_and_the_places_come_back() -> None:
    deaf = Deaf()
    sessions = Sessions(deaf.connect, deaf.interrupt)
    async with asyncio.timeout(10):
        await asyncio.gather(*(hang(sessions, deaf) for _ in range(MOST_SESSIONS)))
        with pytest.raises(SourceError, match=f"^all {MOST_SESSIONS} places for questions were taken"):
            async with sessions.session(0.1):
                pass
        deaf.may_end.set()
        async with sessions.session(5) as session:
            assert await session.ask("it", deaf.work) == "done"


async def test_what_the_work_raises_comes_to_the_one_who_asked() -> None:
    deaf = Deaf()

    def fail(_connection: Deaf) -> None:
        raise KeyError("x")

    async with Sessions(deaf.connect, deaf.interrupt).session(5) as session:
        with pytest.raises(KeyError):
            await session.ask("it", fail)
        deaf.may_end.set()
        assert await session.ask("it", deaf.work) == "done"


async def test_a_pipe_in_place_of_a_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sales.csv")
    made = source(tmp_path, type="files", facts="FROM 'sales.csv'", timeout="200ms")
    async with asyncio.timeout(5):
        with pytest.raises(SourceError):
            await made.facts(date(2026, 11, 21), ["acme"])
    await made.close()
    # Whatever still waits for the other end of the pipe is given it.
    os.close(os.open(tmp_path / "sales.csv", os.O_RDWR | os.O_NONBLOCK))

"""A web server in a thread of its own that stands in for Slack, for daemons in processes of their own."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.daemon.notify.receivers import Receiver, Script, receiver, refused_by_slack, saying

OK = saying(200, "ok")
OPENING_S = 10.0


@dataclass
class StandIn:
    """What was posted, when; and what the next posts are answered with."""

    receiver: Receiver
    posted_s: list[float] = field(default_factory=list)  # monotonic

    @property
    def url(self) -> str:
        return self.receiver.url

    @property
    def posts(self) -> list[dict[str, Any]]:
        return self.receiver.payloads

    @property
    def refused(self) -> list[str]:
        """Why Slack would not have had what was posted, of each post that it would not."""
        return [why for body in self.receiver.bodies if (why := refused_by_slack(body)) is not None]

    def answers(self, *scripts: Script) -> None:
        """Answer the next posts by these, and what follows by the last one."""
        self.receiver.scripts[:] = [self._timed(script) for script in scripts]

    def _timed(self, script: Script) -> Script:
        async def answer(writer: asyncio.StreamWriter) -> None:
            self.posted_s.append(time.monotonic())
            await script(writer)

        return answer


class Held:
    """A script that takes the post and answers it only when it is let go."""

    def __init__(self, then: Script = OK) -> None:
        self._then = then
        self._let_go = threading.Event()

    def let_go(self) -> None:
        self._let_go.set()

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        while not self._let_go.is_set():
            await asyncio.sleep(0.01)
        await self._then(writer)


@contextmanager
def slack_stand_in() -> Iterator[StandIn]:
    """Open a stand-in that accepts whatever is posted, until it is told otherwise."""
    opened: Future[StandIn] = Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            async with receiver(OK) as made:
                stand_in = StandIn(made)
                stand_in.answers(OK)
                opened.set_result(stand_in)
                await ended.wait()
        except OSError as error:
            opened.set_exception(error)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="slack-stand-in")
    thread.start()
    try:
        yield opened.result(OPENING_S)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()

"""Lines on loopback that can be cut, fall silent or be held, for daemons in processes of their own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

OPENING_S = 10.0
LOOK_S = 0.01
BACKLOG = 64


class Way(StrEnum):
    """How whoever calls is dealt with."""

    OPEN = "open"
    REFUSED = "refused"  # nobody listens
    SILENT = "silent"  # taken, and neither read nor answered


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A message that a stand-in has taken in: from here on somebody may have read it."""

    id: str
    text: str  # all that is shown of it
    thread: str | None
    at: datetime
    whole: Any


@dataclass
class Line:
    """A port of its own, and what is at the other end of it."""

    answering: Callable[[], asyncio.BaseProtocol]
    loop: asyncio.AbstractEventLoop
    port: int = 0
    calls: int = 0
    copies: list[Copy] = field(default_factory=list)
    is_mute: bool = False  # takes messages in, and gives no answer before this is over
    _way: Way = Way.REFUSED
    _door: socket.socket | None = None
    _taking: asyncio.Task[None] | None = None
    _unread: list[socket.socket] = field(default_factory=list)

    def become(self, way: Way) -> None:
        """Deal with callers so; who was kept waiting is hung up on."""
        asyncio.run_coroutine_threadsafe(self._become(way), self.loop).result(OPENING_S)

    def take_in(self, *, id: str, text: str, thread: str | None, whole: Any) -> None:
        """Keep a message; called by what answers."""
        self.copies.append(Copy(id=id, text=text, thread=thread, at=datetime.now(UTC), whole=whole))

    async def may_answer(self) -> None:
        """Return once an answer may be given; called by what answers."""
        while self.is_mute:
            await asyncio.sleep(LOOK_S)

    async def _become(self, way: Way) -> None:
        for kept in self._unread:
            kept.close()
        self._unread.clear()
        self._way = way
        if way is Way.REFUSED:
            await self._shut()
            self._door = self._bound()  # keeps the port; without a listener the kernel refuses for it
        elif self._taking is None:
            await self._shut()
            self._door = self._bound()
            self._door.listen(BACKLOG)
            self._taking = asyncio.create_task(self._take_calls(self._door))

    def _bound(self) -> socket.socket:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setblocking(False)
        door.bind(("127.0.0.1", self.port))
        self.port = door.getsockname()[1]
        return door

    async def _shut(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)
            self._taking = None
        if self._door is not None:
            self._door.close()
            self._door = None

    async def _take_calls(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            call, _ = await loop.sock_accept(door)
            self.calls += 1
            if self._way is Way.SILENT:
                self._unread.append(call)
            else:
                await loop.connect_accepted_socket(self.answering, call)


class Switchboard:
    """A thread with a loop, which answers on all its lines."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.lines: list[Line] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="switchboard")
        self._thread.start()

    def open(self, line: Line) -> None:
        """Have a line answered."""
        self.lines.append(line)
        line.become(Way.OPEN)

    def close(self) -> None:
        """Hang up on everybody."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(OPENING_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _hang_up(self) -> None:
        for line in self.lines:
            line.is_mute = False
            await line._become(Way.REFUSED)
            await line._shut()
        ours = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not ours]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def switchboard() -> Iterator[Switchboard]:
    """Open a switchboard for as long as a test needs it."""
    made = Switchboard()
    try:
        yield made
    finally:
        made.close()

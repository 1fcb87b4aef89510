"""The connections of a server: how many there may be, and how long one may stay without a request."""

import asyncio
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

HEADER_S = 5.0  # from the first byte of a request to the end of its headers, or a tick more
TICKS = 5
# Descriptors that connections leave to the state, the logs, the channels and whatever a handler opens.
RESERVED_DESCRIPTORS = 128
FEWEST = 8
PROBLEM_OF_NOISE = "this is no HTTP request"

Answering = Callable[[web.BaseRequest], Any]


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections there may be at once: those that ask and go, and event streams."""

    connections: int = 100
    streams: int = 256

    def within(self, descriptors: int) -> "Room":
        """The same, made smaller where the process may not have so many descriptors."""
        free = max(FEWEST, descriptors - RESERVED_DESCRIPTORS)
        if self.connections + self.streams <= free:
            return self
        connections = min(self.connections, max(FEWEST // 2, free // 2))
        return Room(connections, max(1, min(self.streams, free - connections)))


def descriptors_allowed() -> int:
    """How many descriptors this process may have open."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


class Connection(web.RequestHandler):
    """One connection, which is given up where a request does not come to the end of its headers."""

    __slots__ = ("_hall",)

    def __init__(self, hall: "Hall", **settings: Any) -> None:
        super().__init__(hall, loop=hall.loop, **settings)
        self._hall = hall

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._hall.take(self)
        self._hall.expect(self)

    def data_received(self, data: bytes) -> None:
        if self._hall.is_waiting(self):
            self._hall.expect(self)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._hall.lose(self)
        super().connection_lost(exc)

    def begin(self) -> None:
        """A request has arrived with all its headers, and is being answered."""
        self._hall.busy(self)

    def rest(self) -> None:
        """The request has been answered."""
        self._hall.wait(self)

    def begin_stream(self, request: web.BaseRequest) -> bool:
        """What is answered has no end; False where there is no room for one more of these."""
        return self._hall.stream(self, request)

    def give_up(self) -> None:
        """End it at once, whatever has not been sent yet."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP in our own words: the library would repeat it, and fill the log with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return self._hall.refuse(status)


class Hall(web.Server):
    """All connections of one listener: those that wait, those that are answered, the streams."""

    def __init__(self, answer: Answering, refuse: Callable[[int], web.Response], room: Room, **settings: Any):
        super().__init__(answer)
        self.loop = asyncio.get_running_loop()
        self.room = room
        self.refuse = refuse
        self._settings: Mapping[str, Any] = settings
        self._all: set[Connection] = set()
        # In the order in which they began to wait: the first is the first to go.
        self._waiting: dict[Connection, None] = {}
        self._streams: dict[Connection, tuple[web.BaseRequest, asyncio.Task[Any]]] = {}
        # Those that owe the end of their headers, oldest first, with the tick when that began. One timer
        # looks after them all: one for each request would be a tenth of what answering it costs.
        self._owing: dict[Connection, int] = {}
        self._tick = 0
        self._sweeping: asyncio.TimerHandle | None = None

    def __call__(self) -> Any:
        """A connection that was accepted; the oldest that waits for nothing in particular makes room."""
        if len(self._all) - len(self._streams) >= self.room.connections:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                return _Refusing()
            self.lose(oldest)
            oldest.give_up()
        return Connection(self, **self._settings)

    @property
    def streams(self) -> int:
        return len(self._streams)

    def take(self, connection: Connection) -> None:
        self._all.add(connection)
        self._waiting[connection] = None

    def is_waiting(self, connection: Connection) -> bool:
        return connection in self._waiting

    def expect(self, connection: Connection) -> None:
        """Give up on it unless its headers come to an end in time."""
        self._owing.setdefault(connection, self._tick)
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(HEADER_S / TICKS, self._sweep)

    def busy(self, connection: Connection) -> None:
        self._owing.pop(connection, None)
        self._waiting.pop(connection, None)

    def wait(self, connection: Connection) -> None:
        if connection in self._all and connection not in self._streams:
            self._waiting[connection] = None

    def stream(self, connection: Connection, request: web.BaseRequest) -> bool:
        if len(self._streams) >= self.room.streams:
            return False
        task = asyncio.current_task()
        assert task is not None
        self._streams[connection] = request, task
        return True

    def lose(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._owing.pop(connection, None)
        self._waiting.pop(connection, None)
        # Whoever streams waits for news, and would not notice before the next that nobody listens.
        if (stream := self._streams.pop(connection, None)) is not None:
            _, task = stream
            task.cancel()

    def _sweep(self) -> None:
        self._tick += 1
        late = [it for it, began in self._owing.items() if self._tick - began > TICKS]
        for connection in late:
            self._owing.pop(connection, None)
            connection.give_up()
        self._sweeping = self.loop.call_later(HEADER_S / TICKS, self._sweep) if self._owing else None

    def end_streams(self, but: Callable[[web.BaseRequest], bool] = lambda _: False) -> None:
        """Send the streams away, `but` those of which this is true: a stop would wait for them in vain."""
        for connection, (request, _) in list(self._streams.items()):
            if not but(request):
                connection.give_up()


class _Refusing(asyncio.Protocol):
    """What a connection too many is given: an end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

"""Callers of an HTTP server: some that ask again and again, and many that only listen."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.apart import MeasureFailed

CALLERS = 16
PATIENCE_S = 20.0
END_OF_HEAD = b"\r\n\r\n"


class Caller(asyncio.Protocol):
    """One connection on which one request follows the other."""

    def __init__(self, request: bytes, until_s: float, gone: "asyncio.Future[None]") -> None:
        self.answers = 0
        self._request = request
        self._until_s = until_s
        self._gone = gone
        self._taken = bytearray()
        self._wanted = 0

    def connection_made(self, transport: Any) -> None:
        self._transport: Any = transport  # uvloop's has asyncio's methods and another parent
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._taken += data
        try:
            self._wanted = self._wanted or _length(self._taken)
        except MeasureFailed as error:
            self._gone.set_exception(error)
            self._transport.abort()
        if not self._wanted or len(self._taken) < self._wanted:
            return
        self.answers += 1
        self._taken.clear()
        self._wanted = 0
        if time.perf_counter() < self._until_s:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)


def _length(taken: bytearray) -> int:
    """How many bytes a whole answer has; 0 while its head is not there."""
    end = taken.find(END_OF_HEAD)
    if end < 0:
        return 0
    head = taken[:end].lower()
    if b" 200 ok" not in head:
        raise MeasureFailed(f"the answer was {bytes(taken[:200])!r}")
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return end + len(END_OF_HEAD) + int(length)


def request_for(path: str, port: int, token: str | None = None) -> bytes:
    """A request as it goes over the line."""
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{shown}\r\n".encode()


async def rate(port: int, path: str, seconds: float, token: str | None = None) -> float:
    """Answers a second that a few callers get who wait for each."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    ends = [loop.create_future() for _ in range(CALLERS)]
    request = request_for(path, port, token)
    callers = []
    for end in ends:
        caller = Caller(request, began + seconds, end)
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)
        callers.append(caller)
    async with asyncio.timeout(seconds + PATIENCE_S):
        await asyncio.gather(*ends)
    answers = sum(caller.answers for caller in callers)
    if not answers:
        raise MeasureFailed(f"{path} gave no answer")
    return answers / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def listening(port: int, path: str, count: int, token: str) -> AsyncIterator[list[int]]:
    """So many who listen to a stream; the bytes that each has heard."""
    heard = [0] * count

    async def listen(place: int, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            heard[place] += len(data)

    listeners, writers = [], []
    for place in range(count):
        # One after the other: as many connections at once as ask for nothing yet would be too many.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        writer.write(request_for(path, port, token))
        heard[place] = len(await reader.readuntil(END_OF_HEAD))
        listeners.append(asyncio.create_task(listen(place, reader)))
    try:
        yield heard
    finally:
        for listener in listeners:
            listener.cancel()
        for writer in writers:
            writer.close()
        await asyncio.gather(*listeners, return_exceptions=True)

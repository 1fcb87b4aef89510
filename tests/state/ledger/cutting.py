"""A way to a server that breaks right after a word has gone there, before its answer comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Cuts:
    """How often the way is still to break."""

    left: int = 0


@asynccontextmanager
async def cut_after(url: str, word: bytes) -> AsyncIterator[tuple[str, Cuts]]:
    """The same address through a proxy, and how often it breaks after the word from now on."""
    parts, cuts = urlsplit(url), Cuts()
    assert parts.port is not None
    ways: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", parts.port)
        back = asyncio.create_task(_copy(there_reader, writer))
        ways.update((current, back))
        try:
            while data := await reader.read(65536):
                is_cut = word in data and cuts.left > 0
                if is_cut:
                    cuts.left -= 1
                    back.cancel()
                    await asyncio.wait([back])
                there_writer.write(data)
                if is_cut:
                    # The server has it, does it, and answers to nobody.
                    await there_reader.read(65536)
                    writer.transport.abort()
        except ConnectionError:
            pass
        finally:
            back.cancel()
            there_writer.close()
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl(), cuts
    finally:
        server.close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)

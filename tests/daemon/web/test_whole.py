"""Answers that take the shorter way say the same as those of the library."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from daemon.web.whole import AT_ONCE, Whole, whole

HEADERS = {"Content-Type": "application/json", "X-One": "two"}
BODY = b'{"a": 1}'
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def answered(
    status: int, body: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server that answers everything so; at /library as the library does."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/library":
            return web.Response(status=status, headers=HEADERS, body=body)
        return whole(request, status, HEADERS, body)

    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()


async def said(reader: asyncio.StreamReader, has_body: bool = True) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers, body."""
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["Content-Length"])) if has_body else b""
    return head[0], headers, body


@pytest.mark.parametrize("status", [200, 202, 404, 503])
async def test_it_says_the_same_as_the_library_but_for_its_name(status: int) -> None:
    async with answered(status, BODY) as (reader, writer):
        writer.write(GET)
        line, headers, body = await said(reader)
        writer.write(GET.replace(b"/ ", b"/library "))
        other_line, other_headers, other_body = await said(reader)
    assert "Python" in other_headers.pop("Server")
    dates = headers.pop("Date"), other_headers.pop("Date")
    assert all(date.endswith(" GMT") for date in dates)
    assert (line, headers, body) == (other_line, other_headers, other_body)


async def test_a_connection_is_used_again_and_requests_may_come_all_at_once() -> None:
    async with answered(200, BODY) as (reader, writer):
        writer.write(GET * 5)
        assert [(await said(reader))[2] for _ in range(5)] == [BODY] * 5


async def test_who_asks_and_reads_nothing_is_not_answered_for_ever() -> None:
    made: list[int] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        made.append(1)
        return whole(request, 200, HEADERS, bytes(AT_ONCE))

    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", 0)
    # Nothing is taken in on this side: what is sent fills the buffers of the kernel, and then waits there.
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1)
    writer.write(GET * 500)
    await asyncio.wait_for(writer.drain(), 5)
    before = -1
    while len(made) != before:
        before = len(made)
        await asyncio.sleep(0.2)
    assert before < 400
    writer.transport.abort()
    server.close()
    await server.wait_closed()


async def test_who_wants_the_end_of_the_connection_gets_it() -> None:
    async with answered(200, BODY) as (reader, writer):
        writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await said(reader))[1]["Connection"] == "close"
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_who_asks_for_the_head_gets_no_body() -> None:
    async with answered(200, BODY) as (reader, writer):
        writer.write(GET.replace(b"GET", b"HEAD") + GET)
        assert (await said(reader, has_body=False))[1]["Content-Length"] == str(len(BODY))
        assert (await said(reader))[2] == BODY


@pytest.mark.parametrize(("status", "size"), [(204, 0), (304, 0), (200, AT_ONCE + 1)])
async def test_what_has_no_body_or_a_long_one_goes_the_library_s_way(status: int, size: int) -> None:
    taken: list[web.StreamResponse] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        taken.append(whole(request, status, {}, bytes(size)))
        return taken[0]

    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    assert not isinstance(taken[0], Whole)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_a_header_cannot_be_broken_into_two() -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return whole(request, 200, {"X-One": "a\r\nX-Two: b"}, BODY)

    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(GET)
    async with asyncio.timeout(5):
        assert b"X-Two" not in await reader.read()
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()

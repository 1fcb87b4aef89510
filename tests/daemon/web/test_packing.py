"""Answers that are packed on their way, and who gets them so."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from daemon.app import App
from daemon.web import packing
from daemon.web.asking import Answer, Asking, Raw, Stream
from daemon.web.packing import LONGEST_AT_ONCE, SMALLEST, packed, takes_gzip
from daemon.web.route import Nothing, do, read
from state.home import Home
from tests.daemon.web.served import TOKEN, bearer, opened, served, write_config

ROWS = [{"companyId": f"co-{number:06}", "status": "delivered"} for number in range(100)]
MANY = ROWS * 100
GZIP = {"Accept-Encoding": "gzip, deflate"}


async def rows(asking: Asking) -> Answer:
    """As many as fit into a buffer."""
    return Answer(value=ROWS)


async def many(asking: Asking) -> Answer:
    """More than fit into any."""
    return Answer(value=MANY)


async def few(asking: Asking) -> Answer:
    """So few that they fit into a packet."""
    return Answer(value=ROWS[:3])


async def text(asking: Asking) -> Answer:
    """What is no JSON."""
    return Answer(value=Raw(body=b"x" * 5000, media="text/plain"))


async def stream(asking: Asking) -> Answer:
    """What comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 5000

    return Answer(value=Stream(pieces=pieces(), media="text/event-stream"))


ROUTES = [
    read("/rows", rows),
    read("/tagged", rows, is_tagged=True),
    read("/many", many),
    read("/few", few),
    read("/text", text),
    read("/stream", stream),
    do("/rows", rows, Nothing),
]


@pytest.fixture
async def app(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    async with opened(write_config(tmp_path), home) as app:
        yield app


@pytest.fixture
async def api(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who takes what comes, and as it comes."""
    async with (
        served(app, ROUTES),
        aiohttp.ClientSession(
            f"http://127.0.0.1:{app.http_port}",
            headers=bearer(TOKEN),
            skip_auto_headers=["Accept-Encoding"],
            auto_decompress=False,
        ) as session,
    ):
        yield session


@pytest.mark.parametrize(("path", "expected"), [("/rows", ROWS), ("/tagged", ROWS), ("/many", MANY)])
async def test_a_long_answer_is_packed_for_whoever_can_unpack_it(
    api: aiohttp.ClientSession, path: str, expected: list[Any]
) -> None:
    async with api.get(path) as answer:
        assert (answer.headers.get("Content-Encoding"), answer.headers["Vary"]) == (None, "Accept-Encoding")
        plain = await answer.read()
    for _ in range(2):
        async with api.get(path, headers=GZIP) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.content_type == "application/json"
            body = await answer.read()
        assert len(body) < len(plain) / 4
        assert gzip.decompress(body) == plain
    assert json.loads(plain) == expected


@pytest.mark.parametrize("path", ["/few", "/text", "/stream"])
async def test_what_is_short_or_no_json_or_has_no_end_is_sent_as_it_is(
    api: aiohttp.ClientSession, path: str
) -> None:
    async with api.get(path, headers=GZIP) as answer:
        assert answer.status == 200
        assert "Content-Encoding" not in answer.headers
        await answer.read()


async def test_the_answer_to_a_deed_is_sent_as_it_is_since_it_may_be_given_again(
    api: aiohttp.ClientSession,
) -> None:
    for _ in range(2):
        async with api.post("/rows", json={}, headers={**GZIP, "Idempotency-Key": "one"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert json.loads(await answer.read()) == ROWS


async def test_a_tag_is_that_of_the_packed_or_of_the_plain_answer(api: aiohttp.ClientSession) -> None:
    async with api.get("/tagged") as plain, api.get("/tagged", headers=GZIP) as small:
        tags = plain.headers["ETag"], small.headers["ETag"]
    assert tags[0] != tags[1]
    statuses = []
    for tag in tags:
        for accepted in ({}, GZIP):
            async with api.get("/tagged", headers={**accepted, "If-None-Match": tag}) as answer:
                statuses.append(answer.status)
                if answer.status == 304:
                    assert (answer.headers["ETag"], answer.headers["Vary"]) == (tag, "Accept-Encoding")
                    assert "Content-Encoding" not in answer.headers
                await answer.read()
    assert statuses == [304, 200, 200, 304]


async def test_a_head_says_how_long_the_packed_answer_is(api: aiohttp.ClientSession) -> None:
    async with api.get("/rows", headers=GZIP) as answer:
        length = len(await answer.read())
    async with api.head("/rows", headers=GZIP) as answer:
        told = answer.headers["Content-Encoding"], int(answer.headers["Content-Length"])
    assert told == ("gzip", length)


async def test_what_is_answered_again_is_packed_once_unless_it_is_huge() -> None:
    body = bytes(range(256)) * (SMALLEST // 256 + 1)
    assert await packed(body) is await packed(bytes(bytearray(body)))
    huge = bytes(LONGEST_AT_ONCE + 1)
    before = packing._packed_before.cache_info().currsize
    assert gzip.decompress(await packed(huge)) == huge
    assert packing._packed_before.cache_info().currsize == before


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("x-gzip-like", False),
        ("identity", False),
    ],
)
def test_packed_is_sent_only_to_whom_can_unpack(header: str | None, taken: bool) -> None:
    assert takes_gzip(header) is taken

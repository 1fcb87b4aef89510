"""The TCP port: where it listens, what it survives, and what a reload changes."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from daemon.app import App
from daemon.check import prepare
from daemon.operations import Operations
from daemon.web import connections, replies
from daemon.web.asking import Answer, Asking, Stream
from daemon.web.connections import Room
from daemon.web.route import read
from state.home import Home
from tests.daemon.web.served import (
    ENVIRON,
    HTTP,
    TOKEN,
    asking,
    opened,
    raw,
    served,
    write_config,
)


@pytest.fixture
async def app(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    async with opened(write_config(tmp_path), home) as app:
        yield app


@pytest.fixture
async def api(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(app), asking(app) as session:
        yield session


async def test_port_0_is_a_free_one_and_the_status_tells_it(app: App, api: aiohttp.ClientSession) -> None:
    async with api.get("/api/status") as answer:
        assert (await answer.json())["httpPort"] == app.http_port
    assert app.http_port != 0


async def test_without_a_section_http_nothing_listens(tmp_path: Path, home: Home) -> None:
    async with opened(write_config(tmp_path, None), home) as app, served(app):
        assert app.http_port is None
        assert (await Operations(app).status())["httpPort"] is None
        assert app.alerts.open == []


async def test_a_port_that_is_taken_is_an_alert_until_it_is_free(tmp_path: Path, home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        config = write_config(tmp_path, {**HTTP, "port": taken})
        async with opened(config, home) as app, served(app) as port:
            (alert,) = app.alerts.open
            assert (alert.name, str(taken) in alert.summary) == ("http.unreachable", True)
            assert app.http_port is None
            assert app.is_ready
            other.close()
            await port.step()
            assert (app.http_port, app.alerts.open) == (taken, [])


async def test_a_reload_moves_the_port_and_changes_the_tokens(tmp_path: Path, app: App) -> None:
    async with served(app) as port:
        before = app.http_port
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        environ = {**ENVIRON, "TOKEN": "another-long-token-instead"}
        await app.adopt(prepare(write_config(tmp_path, {**HTTP, "port": free}), environ))
        await port.step()
        assert app.http_port == free != before
        async with asking(app) as old, old.get("/api/status") as answer:
            assert answer.status == 401
        async with asking(app, "another-long-token-instead") as new, new.get("/api/status") as answer:
            assert answer.status == 200
        await app.adopt(prepare(write_config(tmp_path, None), {}))
        await port.step()
        assert app.http_port is None


@pytest.mark.parametrize("path", ["/livez", "/api/status", "/nope", "/static/nope.js", "/openapi.json"])
async def test_every_answer_says_what_a_browser_may_do_with_it(app: App, path: str) -> None:
    async with served(app), asking(app, None) as nobody, nobody.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; object-src 'none'; base-uri 'none'")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "nightdesk"
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_strange_name_is_refused_on_every_route(app: App, api: aiohttp.ClientSession) -> None:
    for path in ("/livez", "/api/status"):
        async with api.get(path, headers={"Host": "evil.example"}) as answer:
            assert (answer.status, "http.hosts" in (await answer.json(content_type=None))["detail"]) == (
                421,
                True,
            )


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00 this is no request\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    ],
    ids=["no http", "a header of 1 MB", "a long path", "a thousand headers", "a null"],
)
async def test_what_is_no_request_is_refused_in_our_own_words(
    app: App, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(app):
        answer = await raw(app, sent)
        # Who is still sending when the connection ends may be too late to read why it did.
        if answer:
            assert answer.split()[1] == b"400"
            assert b"application/problem+json" in answer
            assert b"nosniff" in answer
            assert answer.endswith(b'"detail":"this is no HTTP request","instance":""}')
    assert "Traceback" not in caplog.text


async def test_a_bomb_of_zeros_is_refused_as_what_it_becomes(api: aiohttp.ClientSession) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    async with api.post("/api/tasks", data=bomb, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("POST", "/api/tasks", b"{", {400}),
        ("POST", "/api/tasks", b'{"handler": "command", "args": {"a": 1e999}}', {400}),
        ("POST", "/api/tasks", b'{"handler": false}', {400}),
        ("POST", "/api/tasks", b"\xff\xfe", {400}),
        ("GET", "/api/tasks?limit=false", None, {400}),
        ("GET", "/api/tasks?limit=1&limit=2", None, {400}),
        ("GET", "/api/digests/..%2F..%2Fetc%2Fpasswd", None, {400}),
        ("GET", "/api/digests/%00", None, {400}),
        ("GET", "/api/reports/..%2F..%2F..%2Fetc/2026-11-21", None, {400, 404}),
        ("GET", "/api/reports/acme/..%2F..%2Fpasswd", None, {400}),
        ("GET", "/api/why/%2e%2e/newest", None, {400, 404}),
        ("GET", "/api/companies/../../etc/passwd", None, {404}),
        ("GET", "/api/schedules/..%5c..%5cwin.ini/runs", None, {404}),
        ("GET", "/static/..%2f..%2fserver.py", None, {404}),
        ("POST", "/api/certificates/..%2f..%2fx", b"{}", {400}),
    ],
)
async def test_tricks_are_answered_with_their_reason(
    api: aiohttp.ClientSession, method: str, path: str, body: bytes | None, statuses: set[int]
) -> None:
    from yarl import URL

    address = URL(f"{api._base_url}".rstrip("/") + path, encoded=True)
    async with api.request(method, address, data=body) as answer:
        assert answer.status in statuses, await answer.text()
        problem = await answer.json(content_type="application/problem+json")
        assert problem["status"] == answer.status
        assert "Traceback" not in problem["detail"]


async def test_headers_that_drip_are_given_up_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.2)
    async with served(app):
        assert await raw(app, b"GET /livez HTTP/1.1\r\nHost: local") == b""
        assert await raw(app, b"") == b""
        # Also where the first request of the connection was a good one.
        first = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", app.http_port)
        writer.write(first)
        await reader.readuntil(b'"ok"}')
        writer.write(b"GET /livez HT")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest(
    tmp_path: Path, home: Home
) -> None:
    async with opened(write_config(tmp_path, {**HTTP, "maxConnections": 4}), home) as app, served(app):
        held = [await asyncio.open_connection("127.0.0.1", app.http_port) for _ in range(12)]
        async with asyncio.timeout(5):
            for reader, _ in held[:8]:
                with pytest.raises(ConnectionError):
                    if await reader.read() == b"":
                        raise ConnectionError
        async with asking(app) as api, api.get("/livez") as answer:
            assert answer.status == 200
        for _, writer in held:
            writer.close()


def test_room_is_made_smaller_where_descriptors_are_few() -> None:
    assert Room(100, 256).within(1024) == Room(100, 256)
    small = Room(100, 256).within(256)
    assert (small.connections, small.connections + small.streams) == (64, 128)
    tiny = Room(100, 256).within(10)
    assert tiny.connections >= 4
    assert tiny.connections + tiny.streams <= 8


async def endless(asking: Asking) -> Answer:
    """One piece, and then nothing for as long as anybody listens."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"first\n"
            await asyncio.Event().wait()
        finally:
            ENDED.append(1)

    return Answer(value=Stream(pieces=pieces(), media="text/plain"))


ENDED: list[int] = []


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_streams_have_places_of_their_own_and_end_with_their_listener(
    tmp_path: Path, home: Home
) -> None:
    ENDED.clear()
    config = write_config(tmp_path, {**HTTP, "maxConnections": 4, "maxStreams": 2})
    routes = [read("/stream", endless), read("/livez", endless)]
    async with opened(config, home) as app, served(app, routes) as port, asking(app) as api:
        first, second = await api.get("/stream"), await api.get("/stream")
        assert await first.content.readline() == await second.content.readline() == b"first\n"
        async with api.get("/stream") as third:
            assert (third.status, third.headers["Retry-After"]) == (503, "10")
        first.close()
        await until(lambda: len(ENDED) == 1)
        async with api.get("/stream") as again:
            assert again.status == 200
        await until(lambda: len(ENDED) == 2)
        await port.close()
        await until(lambda: len(ENDED) == 3)
        second.close()


async def torrent(asking: Asking) -> Answer:
    """More than any buffer holds, over and over."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    return Answer(value=Stream(pieces=pieces(), media="text/plain"))


async def broken(asking: Asking) -> Answer:
    """One piece, and then a mistake."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first\n"
        raise RuntimeError("nobody foresaw this")

    return Answer(value=Stream(pieces=pieces(), media="text/plain"))


async def long(asking: Asking) -> Answer:
    """An answer with an end, and far too long for a buffer."""
    return Answer(value="x" * 50_000_000)


@pytest.mark.parametrize("answer", [torrent, long])
async def test_whoever_reads_nothing_is_given_up_on(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(replies, "SEND_S", 0.2)
    async with opened(write_config(tmp_path), home) as app, served(app, [read("/it", answer)]) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", app.http_port, limit=1000)
        writer.write(f"GET /it HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        await until(lambda: port._hall is not None and port._hall._all)
        await until(lambda: port._hall is not None and not port._hall._all)
        writer.close()


async def test_a_stream_that_breaks_is_ended_and_logged(
    tmp_path: Path, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        opened(write_config(tmp_path), home) as app,
        served(app, [read("/it", broken)]),
        asking(app) as api,
        api.get("/it") as answer,
    ):
        assert await answer.content.readline() == b"first\n"
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
    assert "request.failed" in caplog.text
    assert "nobody foresaw this" in caplog.text


async def mirrored(asking: Asking) -> Answer:
    """What a route is told of the headers."""
    return Answer(value=dict(asking.headers))


async def test_no_route_is_handed_the_token(app: App) -> None:
    sent = {"last-event-id": "x-7", "Accept-Encoding": "br", "Cookie": "a=b"}
    async with (
        served(app, [read("/it", mirrored)]),
        asking(app) as api,
        api.get("/it", headers=sent) as answer,
    ):
        assert await answer.json() == {"Accept-Encoding": "br", "Last-Event-ID": "x-7"}


async def test_what_bears_a_key_is_done_once(api: aiohttp.ClientSession) -> None:
    body = {"match": "x.broke", "until": "2h", "reason": "the rack moves"}
    headers = {"Idempotency-Key": "silence-1"}
    answers = []
    for _ in range(3):
        async with api.post("/api/silences", json=body, headers=headers) as answer:
            answers.append((answer.status, await answer.text(), answer.headers.get("Idempotency-Replayed")))
    assert [status for status, _, _ in answers] == [201] * 3
    assert len({text for _, text, _ in answers}) == 1
    assert [replayed for _, _, replayed in answers] == [None, "true", "true"]
    async with api.get("/api/silences") as listed:
        assert len(await listed.json()) == 1
    async with api.post("/api/silences", json={**body, "until": "3h"}, headers=headers) as other:
        assert other.status == 422


async def test_the_key_of_a_task_holds_for_good(api: aiohttp.ClientSession) -> None:
    headers = {"Idempotency-Key": '"task-1"'}
    body = {"handler": "command", "args": {"argv": ["true"]}}
    async with api.post("/api/tasks", json=body, headers=headers) as first:
        made = await first.json()
        assert (first.status, made["duplicate"]) == (202, False)
    async with api.post("/api/tasks?wait=10", json=body, headers=headers) as again:
        ended = await again.json()
        assert (again.status, ended["id"], ended["duplicate"], ended["key"]) == (
            202,
            made["id"],
            True,
            "task-1",
        )
        assert ended["state"] == "completed"
    async with api.post("/api/tasks", json={**body, "key": "other"}, headers=headers) as differs:
        assert differs.status in (400, 422)
    async with api.post("/api/schedules/hello/trigger", json={}, headers={"Idempotency-Key": "t-1"}) as run:
        assert (run.status, (await run.json())["duplicate"]) == (202, False)


async def test_a_list_goes_on_where_its_page_says(api: aiohttp.ClientSession) -> None:
    leads = [{"id": str(number), "title": "T"} for number in range(5)]
    async with api.post("/api/items", json=leads) as added:
        assert added.status == 200
    seen, path = [], "/api/items?limit=2"
    while path:
        async with api.get(path) as answer:
            assert answer.headers["X-Total-Count"] == "5"
            seen += [lead["id"] for lead in await answer.json()]
            link = answer.headers.get("Link", "")
            path = link.partition("<")[2].partition(">")[0]
    assert seen == ["0", "1", "2", "3", "4"]


async def test_head_is_a_get_without_its_body(api: aiohttp.ClientSession) -> None:
    async with api.head("/livez") as answer:
        assert (answer.status, answer.headers["Content-Length"], await answer.read()) == (200, "15", b"")

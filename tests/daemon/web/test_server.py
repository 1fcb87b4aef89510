"""The server and its socket: who can reach it, and what slow, many and broken callers can do to it."""

import asyncio
import gzip
import socket
import stat
from pathlib import Path

import aiohttp
import pytest

from daemon.app import App
from daemon.cli.client import Client, DaemonDown, DaemonSilent, Refused
from daemon.operations import Operations
from daemon.web import answering
from daemon.web.server import serve_control, serving
from state.home import Home


async def test_only_the_owner_can_reach_the_socket(app: App, home: Home) -> None:
    async with serving(Operations(app), home.control_socket):
        mode = home.control_socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not home.control_socket.exists()
    assert not list(home.folder.glob(".control*"))


async def test_what_an_earlier_daemon_left_behind_is_replaced(app: App, home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home.control_socket))
    client = Client(home)
    with pytest.raises(DaemonDown):
        await asyncio.to_thread(client.get, "/livez")
    async with serving(Operations(app), home.control_socket):
        assert await asyncio.to_thread(client.get, "/livez") == {"status": "ok"}


async def test_a_home_with_a_long_name_is_served_all_the_same(app: App, tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120) / ("e" * 120)
    folder.mkdir(parents=True)
    home = Home(folder, folder / "logs")
    async with serving(Operations(app), home.control_socket):
        assert (await asyncio.to_thread(Client(home).get, "/api/status"))["ready"] is True


async def test_a_body_that_drips_is_given_up_on(
    api: aiohttp.ClientSession, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "BODY_S", 0.2)
    reader, writer = await asyncio.open_unix_connection(str(home.control_socket))
    writer.write(b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert b" 408 " in answer.splitlines()[0]
    assert b"did not arrive" in answer
    writer.close()
    await writer.wait_closed()


async def test_a_bomb_of_zeros_is_refused(api: aiohttp.ClientSession) -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    async with api.post("/api/tasks", data=bomb, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 413


async def test_what_is_no_http_gets_an_answer_and_an_end(api: aiohttp.ClientSession, home: Home) -> None:
    reader, writer = await asyncio.open_unix_connection(str(home.control_socket))
    writer.write(b"\x16\x03\x01\x02\x00 this is no request\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.0 400")
    assert b"Traceback" not in answer
    writer.close()
    await writer.wait_closed()


async def test_a_socket_that_cannot_be_made_is_an_alert_and_no_end(app: App, home: Home) -> None:
    home.control_socket.mkdir()
    await serve_control(app)
    (alert,) = app.alerts.open
    assert alert.name == "control.unreachable"


async def test_the_client_tells_refused_from_down_and_from_silent(
    app: App, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(home)
    with pytest.raises(DaemonDown, match="no daemon is running"):
        await asyncio.to_thread(client.post, "/api/tasks", {})
    async with serving(Operations(app), home.control_socket):
        with pytest.raises(Refused, match="handler") as refused:
            await asyncio.to_thread(client.post, "/api/tasks", {})
        assert (refused.value.status, refused.value.exit_code) == (400, 2)
    monkeypatch.setattr("daemon.cli.client.ANSWER_S", 0.1)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(home.control_socket))
        deaf.listen()
        with pytest.raises(DaemonSilent, match="may have done"):
            await asyncio.to_thread(client.post, "/api/tasks", {})

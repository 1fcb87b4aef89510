"""The line in the log of everything that somebody did by the API, or was refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from daemon.app import App
from state.home import Home
from tests.daemon.web.served import HTTP, READ_TOKEN, TOKEN, asking, opened, served, write_config


@pytest.fixture
async def app(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    async with opened(write_config(tmp_path), home) as app:
        yield app


@pytest.fixture
async def api(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(app), asking(app) as session:
        yield session


async def test_an_operating_call_leaves_word_of_who_and_what(
    api: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    body = {"until": "2h", "reason": "canary-reason"}
    async with api.post("/api/schedules/hello/pause", json=body) as answer:
        assert answer.status == 200
    async with api.post("/api/schedules/helo/pause", json=body) as answer:
        assert answer.status == 404
    words = [it.__dict__["fields"] for it in caplog.records if it.message == "api.operated"]
    common = {"caller": "http.token", "method": "POST", "route": "/api/schedules/{name}/pause"}
    assert words == [
        {**common, "names": {"name": "hello"}, "status": 200},
        {**common, "names": {"name": "helo"}, "status": 404},
    ]
    assert "canary-reason" not in caplog.text
    assert TOKEN not in caplog.text


async def test_who_was_refused_an_operating_call_stands_in_the_log_as_well(
    app: App, api: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path, most = "/api/schedules/hello/pause", {"data": b"x" * 100_000}
    async with asking(app, READ_TOKEN) as reader, asking(app, "wrong") as wrong, asking(app, None) as nobody:
        for session, sent in ((reader, {}), (wrong, {}), (nobody, {}), (api, {"data": b"{"}), (api, most)):
            async with session.post(path, **sent) as answer:
                await answer.read()
        async with wrong.get("/api/status") as answer:
            assert answer.status == 401
    words = [it.__dict__["fields"] for it in caplog.records if it.message == "api.operated"]
    # Of whoever shows no token at all nothing is written: the log is not theirs to fill.
    assert [(it["caller"], it["status"]) for it in words] == [
        ("http.readToken", 403),
        ("unknown", 401),
        ("http.token", 400),
        ("http.token", 413),
    ]
    assert {it["route"] for it in words} == {"/api/schedules/{name}/pause"}


async def test_calls_beyond_the_pace_stand_in_the_log(
    tmp_path: Path, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = write_config(tmp_path, {**HTTP, "operatingPerMinute": 1})
    async with opened(config, home) as app, served(app), asking(app) as api:
        for _ in range(2):
            async with api.post("/api/schedules/hello/resume", json={}) as answer:
                await answer.read()
    words = [it.__dict__["fields"] for it in caplog.records if it.message == "api.operated"]
    assert [(it["caller"], it["status"]) for it in words] == [("http.token", 200), ("http.token", 429)]

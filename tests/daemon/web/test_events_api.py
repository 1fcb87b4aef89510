"""The stream of events over its socket."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from daemon.app import App
from daemon.loops import repeat
from daemon.operations import Operations
from daemon.web.server import serving
from state.home import Home
from tests.daemon.feed.event_stream import Told, parsed
from tests.daemon.web.conftest import connected

Api = aiohttp.ClientSession


@pytest.fixture
async def living(app: App, api: Api) -> AsyncIterator[Api]:
    """The API of a house in which tasks run and events are told."""
    names = ("queue", "worker", "feed")
    loops = [asyncio.create_task(repeat(it, app.clock)) for it in app.parts if it.name in names]
    yield api
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def first_of(response: aiohttp.ClientResponse, kind: str) -> Told:
    """The next event of a type."""
    taken = b""
    async with asyncio.timeout(10):
        async for line in response.content:
            taken += line
            if line == b"\n":
                found = [it for it in parsed(taken) if it[1] == kind]
                if found:
                    return found[0]
    raise AssertionError("the stream has ended")


async def test_what_happens_is_streamed_and_repeated_to_who_comes_back(living: Api) -> None:
    async with living.get("/api/events") as stream:
        assert stream.status == 200
        assert stream.content_type == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        last_id, _, greeting = await first_of(stream, "status")
        assert greeting["ready"] is True
        async with living.post("/api/schedules/hello/trigger", json={}) as made:
            task = (await made.json())["id"]
        run = await first_of(stream, "run")
        assert (run[2]["id"], run[2]["schedule"], run[2]["state"]) == (task, "hello", "completed")
    async with living.get("/api/events", headers={"Last-Event-ID": last_id}) as stream:
        assert await first_of(stream, "run") == run
    async with living.get("/api/events", headers={"Last-Event-ID": "another-7"}) as stream:
        assert (await first_of(stream, "reset"))[2] == {}


async def test_who_goes_is_noticed_at_once(living: Api, app: App) -> None:
    async with living.get("/api/events") as stream:
        await first_of(stream, "status")
        assert app.feed.listeners == 1
    async with asyncio.timeout(5):
        while app.feed.listeners:
            await asyncio.sleep(0.01)


async def test_a_server_that_stops_waits_for_no_stream(app: App, home: Home) -> None:
    async with connected(home) as session:
        async with serving(Operations(app), home.control_socket):
            stream = await session.get("/api/events")
            await first_of(stream, "status")
            began_s = app.clock.monotonic()
        assert app.clock.monotonic() - began_s < 2
        stream.close()


async def test_the_end_of_the_house_is_the_end_of_its_streams(living: Api, app: App) -> None:
    async with living.get("/api/events") as stream:
        await first_of(stream, "status")
        app.feed.end()
        async with asyncio.timeout(5):
            assert await stream.content.read() == b""

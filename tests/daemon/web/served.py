"""The API on a real TCP port, as a configuration has it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from daemon.app import App
from daemon.check import prepare
from daemon.clock import Clock, SystemClock
from daemon.loops import repeat
from daemon.web.api import ROUTES
from daemon.web.port import Port
from daemon.web.route import Route
from daemon.web.routing import Router
from state.home import Home

TOKEN = "operate-with-this-long-token"
READ_TOKEN = "read-with-this-long-token"
ENVIRON = {"TOKEN": TOKEN, "READ_TOKEN": READ_TOKEN, "HOOK": "https://hooks.example.org/ops"}
HTTP: Mapping[str, Any] = {"port": 0, "token": "env:TOKEN", "readToken": "env:READ_TOKEN"}
NEVER = "0 0 29 2 *"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def write_config(folder: Path, http: Mapping[str, Any] | None = HTTP, **more: Any) -> Path:
    """A configuration with this section `http`; without one where that is None."""
    path = folder / "orchestrator_config.json"
    schedules = {"hello": {"command": ["true"], "cron": NEVER}}
    sections = {} if http is None else {"http": dict(http)}
    path.write_text(json.dumps({"schedules": schedules, **sections, **more}))
    return path


@asynccontextmanager
async def opened(config: Path, home: Home, clock: Clock | None = None) -> AsyncIterator[App]:
    """An app that works, and saves its state as in the daemon."""
    async with App.opened(prepare(config, ENVIRON), home, clock or SystemClock()) as app:
        await app.begin()
        saving = asyncio.create_task(repeat(app.saver, app.clock))
        yield app
        await app.end()
        saving.cancel()


@asynccontextmanager
async def served(app: App, routes: Iterable[Route] = ROUTES) -> AsyncIterator[Port]:
    """The port of an app, opened as its configuration says."""
    port = Port(app, Router(routes), asyncio.Event())
    try:
        await port.step()
        yield port
    finally:
        await port.close()


@asynccontextmanager
async def asking(app: App, token: str | None = TOKEN) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who asks on the port with a token, or without one."""
    headers = {} if token is None else bearer(token)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{app.http_port}", headers=headers) as session:
        yield session


async def raw(app: App, sent: bytes, within_s: float = 5) -> bytes:
    """What is answered to these very bytes, up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", app.http_port)
    try:
        writer.write(sent)
        async with asyncio.timeout(within_s):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

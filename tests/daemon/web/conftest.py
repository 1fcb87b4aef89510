"""A real server on a real socket, over a real home."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from daemon.app import App
from daemon.check import prepare
from daemon.clock import SystemClock
from daemon.loops import repeat
from daemon.operations import Operations
from daemon.web.server import serving
from state.home import Home

CONFIG = '{"schedules": {"hello": {"command": ["echo", "hi"], "cron": "0 0 29 2 *"}}}'


@pytest.fixture
def home(home_folder: Path) -> Home:
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    return home


@pytest.fixture
async def app(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    config = tmp_path / "orchestrator_config.json"
    config.write_text(CONFIG)
    async with App.opened(prepare(config, {}), home, SystemClock()) as app:
        await app.begin()
        # What saves the JSON state runs as in the daemon: answers wait for it.
        saving = asyncio.create_task(repeat(app.saver, app.clock))
        yield app
        await app.end()
        saving.cancel()


@pytest.fixture
async def api(app: App, home: Home) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(Operations(app), home.control_socket), connected(home) as session:
        yield session


@asynccontextmanager
async def connected(home: Home) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(str(home.control_socket))
    async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
        yield session

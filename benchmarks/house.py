"""The daemon's own parts in this process: wired by its app, logging to a file, every loop of it running."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemon.app import App
from daemon.check import prepare
from daemon.clock import SystemClock
from daemon.logs import writing_logs
from daemon.loops import repeat
from daemon.service import calm_collector, keep_few_arenas
from state.home import Home, locked
from state.store import Store

AT_ONCE = 1000
LOOK_S = 0.002


@asynccontextmanager
async def running(folder: Path, config: Mapping[str, Any]) -> AsyncIterator[App]:
    """Have a fresh home served as `nightdesk run` serves one; only the socket and signals are left out."""
    path = folder / "orchestrator_config.json"
    path.write_text(json.dumps({"handlers": ["benchmarks.noops"], **config}))
    home = Home(folder / "home", folder / "home" / "logs")
    prepared = prepare(path, {})
    keep_few_arenas()
    with locked(home), writing_logs(home.log_file, to_stderr=False, environ={}):
        async with App.opened(prepared, home, SystemClock()) as app:
            await app.begin()
            loops = [asyncio.create_task(repeat(part, app.clock)) for part in app.parts]
            calm_collector()  # as the daemon does once it is ready
            try:
                yield app
            finally:
                await app.end()
                for loop in loops:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)


async def promise(app: App, handler: str, count: int) -> None:
    """Make so many tasks durable and put them in line; they start when the caller next waits."""
    tasks = [app.queue.new_task(handler) for _ in range(count)]
    for start in range(0, count, AT_ONCE):
        await app.store.commit(*tasks[start : start + AT_ONCE])
    app.queue.file(*tasks)


async def rate(store: Store, warm: int, count: int) -> float:
    """Ends a second, of those that are on the disk: `count` of them after the first `warm`."""
    while store.runs_total < warm:
        await asyncio.sleep(LOOK_S)
    first, began = store.runs_total, time.perf_counter()
    while store.runs_total < first + count:
        await asyncio.sleep(LOOK_S)
    return (store.runs_total - first) / (time.perf_counter() - began)

"""The HTTP server of the API: on the control socket of the home, and on a port where one is configured."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.loops import repeat
from daemon.operations import Operations
from daemon.web.admission import LocalDoor
from daemon.web.answering import Answering, noise
from daemon.web.api import ROUTES
from daemon.web.connections import Hall, Room, descriptors_allowed
from daemon.web.control import BACKLOG, bound
from daemon.web.port import Port
from daemon.web.routing import Router
from daemon.web.settings import SETTINGS, SHUTDOWN_S
from state.records import Severity

if TYPE_CHECKING:
    from daemon.app import App

log = logging.getLogger(__name__)


async def serve(app: "App", reloaded: asyncio.Event) -> None:
    """Serve the API on its socket and its port until cancelled. Without it the schedules still keep time."""
    port = Port(app, Router(ROUTES), reloaded)
    try:
        async with asyncio.TaskGroup() as doors:
            doors.create_task(serve_control(app))
            doors.create_task(repeat(port, app.clock))
    finally:
        await port.close()


async def serve_control(app: "App") -> None:
    """Serve the API on the control socket until cancelled."""
    path = app.home.control_socket
    try:
        async with serving(Operations(app), path):
            log.info("control.ready", extra={"fields": {"socket": str(path)}})
            await asyncio.Event().wait()
    except OSError as error:
        await app.alerts.fire(
            "control.unreachable",
            severity=Severity.ERROR,
            summary=f"the control socket could not be opened: {error.strerror or error}",
            details={"socket": str(path)},
            advice="Make its folder writable, then restart; until then the command line reaches nothing",
        )


@contextlib.asynccontextmanager
async def serving(operations: Operations, path: Path) -> AsyncIterator[None]:
    """Serve the API on a socket at `path` for as long as the block runs.

    Raises:
        OSError: the socket cannot be made.
    """
    with bound(path) as listening:
        answering = Answering(operations, Router(ROUTES), LocalDoor(), operations.monotonic)
        hall = Hall(answering, noise, Room().within(descriptors_allowed()), **SETTINGS)
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(hall, sock=listening, backlog=BACKLOG)
        try:
            yield
        finally:
            server.close()
            hall.end_streams()
            hall.pre_shutdown()
            await hall.shutdown(SHUTDOWN_S)

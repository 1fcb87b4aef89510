"""The TCP port of the API: opened as the configuration says, moved by a reload, tried again when taken."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from daemon.operations import Operations
from daemon.web.admission import Door
from daemon.web.answering import Answering, noise
from daemon.web.connections import Hall, Room, descriptors_allowed
from daemon.web.routing import Router
from daemon.web.settings import SETTINGS, SHUTDOWN_S
from state.records import Severity, Trigger

if TYPE_CHECKING:
    from daemon.app import App
    from daemon.config.sections import HttpSection

log = logging.getLogger(__name__)

BACKLOG = 64  # all of them may be accepted at once before one is refused, so no more than can be borne
TRY_AGAIN = timedelta(seconds=10)
LOOK_AGAIN = timedelta(hours=1)
UNREACHABLE = "http.unreachable"
Place = tuple[str, int]


class Port:
    """The listener, if there is to be one. `woken` is set when the configuration has changed."""

    name = "http-port"

    def __init__(self, app: "App", router: Router, woken: asyncio.Event) -> None:
        self.woken = woken
        self._app = app
        self._router = router
        self._door = Door(lambda: app.config, app.clock)
        self._server: asyncio.Server | None = None
        self._hall: Hall | None = None
        self._answering: Answering | None = None
        self._place: Place | None = None

    async def step(self) -> datetime:
        """Listen where the configuration says, or nowhere."""
        now = self._app.clock.now()
        wanted = place_of(self._app)
        http = self._app.config.http
        if wanted != self._place:
            await self.close()
            if wanted is not None and not await self._opened(wanted):
                return now + TRY_AGAIN
        if self._hall is not None and self._answering is not None:
            self._hall.room = _room_of(http)
            self._hall.end_streams(but=self._answering.is_welcome)
        await self._app.alerts.resolve(UNREACHABLE)
        return now + LOOK_AGAIN

    async def close(self) -> None:
        """Listen no more; what is being answered has its moment to end."""
        server, hall, self._server, self._hall, self._place = self._server, self._hall, None, None, None
        self._app.http_port = None
        if server is not None:
            server.close()
        if hall is not None:
            hall.end_streams()
            hall.pre_shutdown()
            await hall.shutdown(SHUTDOWN_S)

    async def _opened(self, wanted: Place) -> bool:
        host, port = wanted
        clock, operations = self._app.clock, Operations(self._app, Trigger.API)
        answering = Answering(operations, self._router, self._door, clock.monotonic)
        hall = Hall(answering, noise, _room_of(self._app.config.http), **SETTINGS)
        try:
            server = await asyncio.get_running_loop().create_server(
                hall, host.strip("[]"), port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            await self._tell(wanted, error)
            return False
        self._server, self._hall, self._answering, self._place = server, hall, answering, wanted
        self._app.http_port = server.sockets[0].getsockname()[1]
        fields = {"host": host, "port": self._app.http_port, "connections": hall.room.connections}
        log.info("http.ready", extra={"fields": {**fields, "streams": hall.room.streams}})
        return True

    async def _tell(self, wanted: Place, error: OSError) -> None:
        host, port = wanted
        reason = error.strerror or str(error)
        await self._app.alerts.fire(
            UNREACHABLE,
            severity=Severity.ERROR,
            summary=f"the API cannot listen on {host}, port {port}: {reason}",
            details={"host": host, "port": port},
            advice="ss -ltnp shows who has the port; or set http.port, then `systemctl reload nightdesk`",
        )


def place_of(app: "App") -> Place | None:
    """Where to listen: nowhere while neither the file nor the environment says anything of `http`."""
    if "http" not in app.config.written:
        return None
    return app.config.http.host, app.config.http.port


def _room_of(http: "HttpSection") -> Room:
    return Room(http.max_connections, http.max_streams).within(descriptors_allowed())

"""The HTTP server of the API, on the control socket of the home."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from daemon.operations import Operations
from daemon.web.address import socket_address
from daemon.web.api import ROUTES
from daemon.web.asking import Answer, Asking, Raw, Stream
from daemon.web.problems import PROBLEM_TYPE, RETRY_AFTER_S, TooLarge, TooSlow, detail_of, problem, status_of
from daemon.web.route import Route
from state.codec import to_json
from state.records import Severity

if TYPE_CHECKING:
    from daemon.app import App

log = logging.getLogger(__name__)

TOTAL_HEADER = "X-Total-Count"  # how many rows there are, where only some are shown
BODY_S = 10.0  # a body that drips is given up on: aiohttp itself would wait for ever
MOST_CONNECTIONS = 100
BACKLOG = 128
KEEPALIVE_S = 15.0  # also how long a request line may take; aiohttp's own default is an hour
SHUTDOWN_S = 5.0
LINGERING_S = 1.0  # how long what nobody will read is still taken in, so that the answer is seen
SOCKET_MODE = 0o600

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve_control(app: "App") -> None:
    """Serve the API on the control socket until cancelled. Without it the schedules still keep time."""
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
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(_bound(path))
        runner = web.AppRunner(
            make_web_app(operations),
            access_log=None,
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=SHUTDOWN_S,
            lingering_time=LINGERING_S,
            max_line_size=8190,
            max_headers=64,
        )
        await runner.setup()
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(_capped(runner.server), sock=listening, backlog=BACKLOG)
        try:
            yield
        finally:
            server.close()
            await runner.cleanup()


def make_web_app(operations: Operations) -> web.Application:
    """The table of routes as an aiohttp application."""
    app = web.Application(middlewares=[problems_for_errors])
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _answering(route, operations))
    return app


@web.middleware
async def problems_for_errors(request: web.Request, handler: Answering) -> web.StreamResponse:
    """Answer every error as a problem; what nobody foresaw goes to the log, and not to the caller."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        detail = f"{request.method} {request.path}: {refused.reason}"
        headers = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else {}
        return _problem(request, refused.status, detail, headers)
    # One request that fails must not take its connection along, and its caller is owed an answer.
    except Exception as error:
        status = status_of(error)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            fields = {"method": request.method, "path": request.path}
            log.exception("request.failed", extra={"fields": fields})
        busy = status is HTTPStatus.SERVICE_UNAVAILABLE
        headers = {"Retry-After": str(RETRY_AFTER_S)} if busy else {}
        return _problem(request, status, detail_of(error, status), headers)


def _answering(route: Route, operations: Operations) -> Answering:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = b"" if route.body is None else await _body(request, route.most_bytes)
        asking = Asking(operations=operations, path=request.match_info, query=request.query, body=body)
        answered = await route.answer(asking)
        if isinstance(answered.value, Stream):
            return await _streamed(request, answered, answered.value)
        return _response(answered)

    return answer


async def _body(request: web.Request, most_bytes: int) -> bytes:
    """Read the body by pieces, so that neither its size nor its slowness can hurt."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most_bytes:
                    raise TooLarge(f"the body has more than {most_bytes:,} bytes")
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {BODY_S:g} s") from None
    return bytes(body)


async def _streamed(request: web.Request, answer: Answer, stream: Stream) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.headers["Content-Type"] = stream.media
    await response.prepare(request)
    async for piece in stream.pieces:
        await response.write(piece)
    return response


def _response(answer: Answer) -> web.Response:
    raw = answer.value
    if not isinstance(raw, Raw):
        raw = Raw(body=to_json(raw), media="application/json")
    headers = {**answer.headers, "Content-Type": raw.media}
    if answer.total is not None:
        headers[TOTAL_HEADER] = str(answer.total)
    return web.Response(body=raw.body, status=answer.status, headers=headers)


def _problem(request: web.Request, status: int, detail: str, headers: dict[str, str]) -> web.Response:
    body = to_json(problem(status, detail, request.path))
    response = web.Response(body=body, status=status, headers=headers, content_type=PROBLEM_TYPE)
    # What was not read of the body would otherwise be taken for the next request.
    response.force_close()
    return response


@contextlib.contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    """A socket at `path` that only the owner can reach; at no instant is it there and open to others.

    What an earlier daemon left behind is replaced: the lock of the home is ours.
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}")
    temp.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        with socket_address(temp) as address:
            listening.bind(address)
        try:
            temp.chmod(SOCKET_MODE)
            listening.listen(BACKLOG)  # before it has its name: who finds it can connect to it
            temp.rename(path)
        except OSError:
            temp.unlink(missing_ok=True)
            raise
        ours = path.stat().st_ino
        try:
            yield listening
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == ours:
                    path.unlink()


class _Refusing(asyncio.Protocol):
    """What a connection too many is given: an end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _capped(server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
    """Make connections up to a number: descriptors are for the state first."""

    def protocol() -> asyncio.BaseProtocol:
        if len(server.connections) < MOST_CONNECTIONS:
            return server()
        return _Refusing()

    return protocol

"""From a request to its answer: the same few steps for every route."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import hdrs, web
from multidict import istr
from yarl import URL

from daemon.operations import Operations
from daemon.web import replies
from daemon.web.admission import Visit
from daemon.web.asking import Asking
from daemon.web.caller import Caller, Scope
from daemon.web.connections import PROBLEM_OF_NOISE, Connection
from daemon.web.pacing import Limit
from daemon.web.problems import RETRY_AFTER_S, Refusal, detail_of, status_of
from daemon.web.query import read_query
from daemon.web.replays import Call, Replays, key_of
from daemon.web.route import Route
from daemon.web.routing import Match, Router

log = logging.getLogger(__name__)

KEY_HEADER = istr("Idempotency-Key")
HEADERS = (hdrs.ACCEPT_ENCODING, hdrs.LAST_EVENT_ID)  # those that a route answers by
REMEMBERED = 512  # paths, and queries, each no longer than a line may be
BODY_S = 10.0  # a body that drips is given up on: aiohttp itself would wait for ever


class Admitting(Protocol):
    """Says who asks, or refuses."""

    def admit(self, visit: Visit, scope: Scope, limit: Limit | None) -> Caller | None: ...
    def would_admit(self, visit: Visit, scope: Scope) -> bool: ...


class Answering:
    """Answers every request of one listener."""

    def __init__(
        self, operations: Operations, router: Router, door: Admitting, now_s: Callable[[], float]
    ) -> None:
        self._operations = operations
        self._door = door
        self._now_s = now_s
        self._replays = Replays()
        # Pages ask the same again and again, and to understand it is a quarter of what an answer costs.
        self._found = lru_cache(REMEMBERED)(router.find)
        self._understood = lru_cache(REMEMBERED)(_understood)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; errors too, since a request that fails must not take its connection along."""
        connection = request.protocol
        if not isinstance(connection, Connection):
            return await self._answer(request)
        connection.begin()
        try:
            return await self._answer(request)
        finally:
            connection.rest()

    def is_welcome(self, request: web.BaseRequest) -> bool:
        """Whether a request that is being answered would be let in again: its token may be no more."""
        route = self._found(request.method, request.rel_url.raw_path).route
        return self._door.would_admit(_visit_of(request), route.scope)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answered(request)
        except ConnectionError:
            raise  # the caller is gone: nobody is there to be told
        # What nobody foresaw goes to the log, and not to the caller.
        except Exception as error:
            if request.writer.output_size == 0:
                return _refused(request, error)
            _break_off(request, error)
            raise ConnectionError("the answer had begun when it failed") from error

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        match = self._found(request.method, request.rel_url.raw_path)
        route, asked_by = match.route, None
        try:
            caller = self._door.admit(_visit_of(request), route.scope, route.limit)
            asked_by = None if caller is None else caller.name
            body = b"" if route.body is None else await read_body(request, route.most_bytes)
            asking = Asking(
                operations=self._operations,
                path=match.names,
                given=self._understood(route, request.rel_url.raw_query_string),
                body=body,
                headers=_handed_down(request.headers),
                idempotency_key=key_of(request.headers.get(KEY_HEADER)),
                caller=caller,
            )
            response = await self._once(request, route, asking)
        except Exception as error:
            _note(match, asked_by or getattr(error, "asked_by", None), status_of(error))
            raise
        _note(match, asked_by, response.status)
        return response

    async def _once(self, request: web.BaseRequest, route: Route, asking: Asking) -> web.StreamResponse:
        """Answer; what bears a key and was answered before is not done again."""
        if asking.idempotency_key is None or asking.caller is None or route.scope is not Scope.OPERATE:
            return await replies.send(request, route, await route.answer(asking))
        call = Call(asking.caller.name, request.method, request.path, asking.idempotency_key)
        # How long a caller waits is no part of what is asked for.
        query = sorted(item for item in request.query.items() if item[0] != "wait")
        asked = repr(query).encode() + b"\n" + asking.body
        before = self._replays.begin(call, asked, self._now_s())
        # A route with a key of its own knows for good what it has done, and says how it stands now.
        if before is not None and not route.is_keyed:
            return replies.replayed(before)
        try:
            response = await replies.send(request, route, await route.answer(asking))
        except BaseException:
            self._replays.drop(call)
            raise
        self._replays.end(call, replies.kept(response))
        return response


def _visit_of(request: web.BaseRequest) -> Visit:
    headers = request.headers
    return Visit(
        host=headers.get(hdrs.HOST),
        address=request.remote or "",
        authorization=headers.get(hdrs.AUTHORIZATION),
    )


def _handed_down(headers: Mapping[str, str]) -> Mapping[str, str]:
    """What routes are told of the headers: never the token, which could get into an answer or a log there."""
    return {name: headers[name] for name in HEADERS if name in headers}


def _understood(route: Route, query: str) -> Mapping[str, Any]:
    """What a query says, as it was sent. Unfit: it makes no sense."""
    return read_query(route.query, URL.build(query_string=query, encoded=True).query)


async def read_body(request: web.BaseRequest, most_bytes: int) -> bytes:
    """Read the body by pieces, so that neither its size nor its slowness can hurt.

    Raises:
        Refusal: it is too long, or too slow.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most_bytes:
                    text = f"the body has more than {most_bytes:,} bytes"
                    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
    except TimeoutError:
        text = f"the body did not arrive within {BODY_S:g} s"
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, text) from None
    return bytes(body)


def noise(status: int) -> web.Response:
    """What is answered to what is no HTTP, or has headers without end."""
    return replies.refusal(status, PROBLEM_OF_NOISE, "")


def _refused(request: web.BaseRequest, error: Exception) -> web.Response:
    status = status_of(error)
    headers = dict(error.headers) if isinstance(error, Refusal) else {}
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log(request, error)
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    # What was not read of a body would else be taken for the next request.
    has_more = request.body_exists and not request.content.at_eof()
    return replies.refusal(status, detail_of(error, status), request.path, headers, is_last=has_more)


def _break_off(request: web.BaseRequest, error: Exception) -> None:
    """End an answer in its middle: what nobody reads would else wait in a buffer for as long as it likes."""
    if not isinstance(error, TimeoutError):
        _log(request, error)
    if isinstance(request.protocol, Connection):
        request.protocol.give_up()


def _log(request: web.BaseRequest, error: Exception) -> None:
    fields = {"method": request.method, "path": request.path}
    log.error("request.failed", exc_info=error, extra={"fields": fields})


def _note(match: Match, asked_by: str | None, status: int) -> None:
    """Leave word of everything that somebody has done, or has tried to do."""
    if match.route.scope is not Scope.OPERATE or asked_by is None:
        return
    fields = {
        "caller": asked_by,
        "method": match.route.method,
        "route": match.route.path,
        "names": dict(match.names),
        "status": int(status),
    }
    log.info("api.operated", extra={"fields": fields})

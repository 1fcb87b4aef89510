"""Answers as they go out: a value as JSON, bytes, a stream, or a problem; all with the same headers."""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

from aiohttp import hdrs, web
from yarl import URL

from daemon.web.asking import JSON, Answer, Raw, Stream
from daemon.web.connections import Connection
from daemon.web.headers import ASKED_AGAIN, NEVER_KEPT, TOTAL_HEADER
from daemon.web.packing import SMALLEST, packed, takes_gzip
from daemon.web.problems import PROBLEM_TYPE, Refusal, problem
from daemon.web.replays import Kept
from daemon.web.route import Route
from daemon.web.whole import AT_ONCE, Whole, whole
from state.codec import to_json

TAG_DIGITS = 32
REPLAYED = ("Content-Type", TOTAL_HEADER)
SEND_S = 30.0  # whoever reads nothing for so long is given up on
RETRY_STREAM_S = 10


async def send(request: web.BaseRequest, route: Route, answer: Answer) -> web.StreamResponse:
    """Send an answer, to its end where it is long.

    Raises:
        Refusal: there are too many streams.
        ConnectionError, TimeoutError: the caller is gone, or reads nothing.
    """
    if isinstance(answer.value, Stream):
        return await _streamed(request, route, answer, answer.value)
    response = await reply(request, route, answer)
    if isinstance(response, web.Response) and (response.content_length or 0) > AT_ONCE:
        async with asyncio.timeout(SEND_S):
            await response.prepare(request)
            await response.write_eof()
    return response


async def reply(request: web.BaseRequest, route: Route, answer: Answer) -> Whole | web.Response:
    """An answer that has an end, as it is sent; where the caller has it already, only that it is the same."""
    raw = answer.value
    if not isinstance(raw, Raw):
        raw = Raw(body=to_json(raw), media=JSON)
    kept_by = ASKED_AGAIN if route.is_tagged else NEVER_KEPT
    headers = {**kept_by, **answer.headers, "Content-Type": raw.media}
    if answer.total is not None:
        headers[TOTAL_HEADER] = str(answer.total)
    if answer.next is not None:
        headers["Link"] = f'<{_onward(request.rel_url, answer.next)}>; rel="next"'
    is_packed = False
    if raw.media == JSON and len(raw.body) >= SMALLEST and route.body is None:
        headers["Vary"] = "Accept-Encoding"
        is_packed = takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING))
    if route.is_tagged:
        headers["ETag"] = tag = tag_of(raw.body, is_packed=is_packed)
        if is_same(request.headers.get("If-None-Match"), tag):
            del headers["Content-Type"]
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    body = raw.body
    if is_packed:
        headers["Content-Encoding"] = "gzip"
        body = await packed(body)
    return whole(request, answer.status or route.status, headers, body)


def tag_of(body: bytes, *, is_packed: bool) -> str:
    """What tells a body from every other: packed it is another one, by RFC 9110 section 8.8.3.3."""
    return f'"{hashlib.sha256(body).hexdigest()[:TAG_DIGITS]}{"-gzip" if is_packed else ""}"'


@lru_cache(512)
def _onward(asked: URL, cursor: str) -> str:
    """The address of the page that begins after a cursor."""
    return asked.update_query(cursor=cursor).raw_path_qs


def is_same(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller has what bears this tag, by RFC 9110 section 13.1.2."""
    offered = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return tag in offered or offered == ["*"]


def kept(response: web.StreamResponse) -> Kept:
    """What of an answer is kept, to be given again."""
    body = response.body if isinstance(response, Whole | web.Response) else b""
    told = tuple((name, response.headers[name]) for name in REPLAYED if name in response.headers)
    return Kept(response.status, body if isinstance(body, bytes) else b"", told)


def replayed(before: Kept) -> web.Response:
    """An answer that was given before."""
    headers = {**NEVER_KEPT, **dict(before.headers), "Idempotency-Replayed": "true"}
    return web.Response(body=before.body, status=before.status, headers=headers)


def refusal(
    status: int, detail: str, path: str, headers: Mapping[str, str] | None = None, *, is_last: bool = True
) -> web.Response:
    """A problem, as RFC 9457 has it; `is_last` where the connection cannot be used for another request."""
    body = to_json(problem(status, detail, path))
    all_headers = {**NEVER_KEPT, **(headers or {}), "Content-Type": PROBLEM_TYPE}
    response = web.Response(body=body, status=status, headers=all_headers)
    if is_last:
        response.force_close()
    return response


async def _streamed(
    request: web.BaseRequest, route: Route, answer: Answer, stream: Stream
) -> web.StreamResponse:
    connection = request.protocol
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(stream.pieces, "aclose"):
            stack.push_async_callback(stream.pieces.aclose)
        if isinstance(connection, Connection) and not connection.begin_stream(request):
            wait = {"Retry-After": str(RETRY_STREAM_S)}
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many event streams", wait)
        headers = {**NEVER_KEPT, **answer.headers, "Content-Type": stream.media}
        response = web.StreamResponse(status=answer.status or route.status, headers=headers)
        response.force_close()
        await response.prepare(request)
        async for piece in stream.pieces:
            async with asyncio.timeout(SEND_S):
                await response.write(piece)
        return response

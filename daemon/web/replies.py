"""Answers as they go out: a value as JSON, bytes, a stream, or a problem; all with the same headers."""

import asyncio
import contextlib
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from daemon.web.asking import Answer, Raw, Stream
from daemon.web.connections import Connection
from daemon.web.headers import NEVER_KEPT, TOTAL_HEADER
from daemon.web.problems import PROBLEM_TYPE, Refusal, problem
from state.codec import to_json

SEND_S = 30.0  # whoever reads nothing for so long is given up on
AT_ONCE = 64 * 1024  # what fits into the buffers is on its way when it is written
RETRY_STREAM_S = 10


async def send(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send an answer, to its end where it is long.

    Raises:
        Refusal: there are too many streams.
        ConnectionError, TimeoutError: the caller is gone, or reads nothing.
    """
    if isinstance(answer.value, Stream):
        return await _streamed(request, answer, answer.value)
    response = reply(answer)
    if response.body is not None and len(response.body) > AT_ONCE:  # type: ignore[arg-type]
        async with asyncio.timeout(SEND_S):
            await response.prepare(request)
            await response.write_eof()
    return response


def reply(answer: Answer) -> web.Response:
    """An answer that has an end, as it is sent."""
    raw = answer.value
    if not isinstance(raw, Raw):
        raw = Raw(body=to_json(raw), media="application/json")
    headers = {**NEVER_KEPT, **answer.headers, "Content-Type": raw.media}
    if answer.total is not None:
        headers[TOTAL_HEADER] = str(answer.total)
    return web.Response(body=raw.body, status=answer.status, headers=headers)


def refusal(status: int, detail: str, path: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A problem, as RFC 9457 has it."""
    body = to_json(problem(status, detail, path))
    all_headers = {**NEVER_KEPT, **(headers or {}), "Content-Type": PROBLEM_TYPE}
    response = web.Response(body=body, status=status, headers=all_headers)
    # What was not read of the body would otherwise be taken for the next request.
    response.force_close()
    return response


async def _streamed(request: web.BaseRequest, answer: Answer, stream: Stream) -> web.StreamResponse:
    connection = request.protocol
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(stream.pieces, "aclose"):
            stack.push_async_callback(stream.pieces.aclose)
        if isinstance(connection, Connection) and not connection.begin_stream():
            headers = {"Retry-After": str(RETRY_STREAM_S)}
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many event streams", headers)
        headers = {**NEVER_KEPT, **answer.headers, "Content-Type": stream.media}
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.force_close()
        await response.prepare(request)
        async for piece in stream.pieces:
            async with asyncio.timeout(SEND_S):
                await response.write(piece)
        return response

"""Web servers that stand in for Slack, Discord, PagerDuty and a webhook, and refuse what these would."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.daemon.notify.receivers import all_texts, refused_by_slack
from tests.journeys.line_stand_in import Line, Switchboard

Answer = tuple[int, str]
NO_SERVICE: Answer = (404, "no_service")
# What a signature shows at the end of each message, in every dress: the id is the same on all copies.
_SIGNED = re.compile(r"nightdesk · [a-z]+ · [0-9: UTC-]+ · (\S+)")
_PAGER_KEYS = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links"}


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    method: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Taken:
    """What is found in a message that is accepted."""

    answer: Answer
    id: str
    text: str
    thread: str | None = None


Judge = Callable[[Request], Taken | Answer]


@dataclass
class Web:
    """One web server."""

    path: str
    judge: Judge
    line: Line = field(init=False)
    instead: Answer | None = None  # said to whatever comes, without taking it in
    answers_after_s: float = 0.0
    refused: list[str] = field(default_factory=list)  # what the real one would not have had, and why

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.line.port}{self.path}"

    def answering(self) -> asyncio.BaseProtocol:
        reader = asyncio.StreamReader()
        return asyncio.StreamReaderProtocol(reader, self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Cancelled is who waits when the switchboard closes; the library would print a trace of it.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                request = await _read(reader)
                status, text = await self._answer(request)
                body = text.encode()
                head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\nConnection: close"
                # What is asked by HEAD is answered without the body that it would have.
                writer.write(head.encode() + b"\r\n\r\n" + (b"" if request.method == "HEAD" else body))
                await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request) -> Answer:
        if self.instead is not None:
            return self.instead
        if request.method != "POST":
            return 405, "only posts are taken"
        found = self.judge(request)
        if not isinstance(found, Taken):
            self.refused.append(found[1])
            return found
        self.line.take_in(id=found.id, text=found.text, thread=found.thread, whole=request)
        await asyncio.sleep(self.answers_after_s)
        await self.line.may_answer()
        return found.answer


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    pairs = (line.partition(":") for line in head.splitlines()[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Request(
        head.split(" ")[0], headers, await reader.readexactly(int(headers.get("content-length", "0")))
    )


def _opened(board: Switchboard, path: str, judge: Judge) -> Web:
    web = Web(path, judge)
    web.line = Line(web.answering, board.loop)
    board.open(web.line)
    return web


def slack(board: Switchboard) -> Web:
    """An incoming webhook of Slack's."""

    def judge(request: Request) -> Taken | Answer:
        if (problem := refused_by_slack(request.body)) is not None:
            return 400, problem
        text = "\n".join(all_texts(request.json))
        return Taken((200, "ok"), _signed(text), text)

    return _opened(board, f"/services/T0TEAM00/B0HOOK00/{secrets.token_hex(12)}", judge)


def webhook(board: Switchboard, secret: str) -> Web:
    """A receiver that takes what is signed with the secret, by Standard Webhooks, and nothing else."""
    key = base64.b64decode(secret.removeprefix("whsec_"))

    def judge(request: Request) -> Taken | Answer:
        id, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        signed = hmac.new(key, f"{id}.{at}.".encode() + request.body, hashlib.sha256).digest()
        if request.headers.get("webhook-signature") != f"v1,{base64.b64encode(signed).decode()}":
            return 401, "not signed by this secret"
        data = request.json["data"]
        return Taken((200, "thanks"), id, json.dumps(data, ensure_ascii=False), data["thread"])

    return _opened(board, "/hooks/nightdesk", judge)


def discord(board: Switchboard) -> Web:
    """A webhook of Discord's."""

    def judge(request: Request) -> Taken | Answer:
        said = request.json
        embeds = said.get("embeds", [])
        text = "\n".join([said.get("content", ""), *map(_texts_of, embeds)])
        if said.get("allowed_mentions") != {"parse": []}:
            return 400, "everybody could be mentioned"
        if not text.strip() or len(embeds) > 10 or sum(map(len, map(_texts_of, embeds))) > 6000:
            return 400, '{"code": 50035, "message": "Invalid Form Body"}'
        return Taken((200, json.dumps({"id": "1234567890", "channel_id": "42"})), _signed(text), text)

    return _opened(board, f"/api/webhooks/123456789012345678/{secrets.token_urlsafe(48)}", judge)


def pagerduty(board: Switchboard) -> Web:
    """PagerDuty's Events API v2."""

    def judge(request: Request) -> Taken | Answer:
        event = request.json
        why = _refused_by_pagerduty(event)
        if why is not None:
            return 400, json.dumps({"status": "invalid event", "message": why, "errors": [why]})
        key = event["dedup_key"]
        said = json.dumps({"status": "success", "message": "Event processed", "dedup_key": key})
        id = event.get("payload", {}).get("custom_details", {}).get("message_id", "")
        return Taken((202, said), id, request.body.decode(), key)

    return _opened(board, "/v2/enqueue", judge)


def _refused_by_pagerduty(event: dict[str, Any]) -> str | None:
    if unknown := set(event) - _PAGER_KEYS:
        return f"unknown {unknown}"
    if len(event["routing_key"]) != 32 or not 1 <= len(event["dedup_key"]) <= 255:
        return "routing_key or dedup_key"
    if event["event_action"] == "resolve":
        return None
    payload = event["payload"]
    if not 1 <= len(payload["summary"]) <= 1024 or not payload["source"]:
        return "summary or source"
    return None if payload["severity"] in ("critical", "error", "warning", "info") else "severity"


def _texts_of(value: Any) -> str:
    """Every text in an embed."""
    if isinstance(value, str):
        return value + "\n"
    if isinstance(value, list):
        return "".join(map(_texts_of, value))
    return _texts_of(list(value.values())) if isinstance(value, dict) else ""


def _signed(text: str) -> str:
    found = _SIGNED.findall(text)
    return str(found[-1]) if found else ""

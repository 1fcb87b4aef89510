"""Receivers on loopback: one that is as strict as Slack, and one that misbehaves as told."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

TOKEN = "CANARY0TOKEN0THAT0NOBODY0MAY0SEE"
PATH = f"/services/T0TEAM00/B0HOOK00/{TOKEN}"

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A web server that answers each request by `script`, and keeps what it was sent."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)  # the last one stays
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            self.heads.append(head)
            self.bodies.append(body)
            self.arrived.set()
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            await script(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def receiver(*scripts: Script) -> AsyncIterator[Receiver]:
    """Open a receiver that answers its first requests by these scripts, and the rest by the last one."""
    made = Receiver(scripts=list(scripts))
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        with suppress(asyncio.CancelledError):
            await made.serve(reader, writer)
        handlers.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()


def saying(status: int, text: str | bytes = "", **headers: str) -> Script:
    """Answer so; `retry_after="3"` becomes the header Retry-After."""
    body = text.encode() if isinstance(text, str) else text
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


async def silent(writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.Event().wait()


async def resetting(writer: asyncio.StreamWriter) -> None:
    """Take the request and break the connection."""
    writer.transport.abort()


async def hanging_up(writer: asyncio.StreamWriter) -> None:
    """Take the request and close without a word."""


async def dripping_head(writer: asyncio.StreamWriter) -> None:
    """Begin an answer and never get to the end of its headers."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Slow: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dripping_body(writer: asyncio.StreamWriter) -> None:
    """Accept, and never get to the end of saying so."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"o")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flooding(writer: asyncio.StreamWriter) -> None:
    """Accept, and pour without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        writer.write(b"A" * 65536)
        await writer.drain()


async def talking_nonsense(writer: asyncio.StreamWriter) -> None:
    """Answer with what is not HTTP."""
    writer.write(b"\x00\xff SSH-2.0-OpenSSH\r\n\r\n")
    await writer.drain()


@asynccontextmanager
async def slack() -> AsyncIterator[Receiver]:
    """Open a receiver that takes and refuses what Slack does."""
    made: Receiver

    async def judge(writer: asyncio.StreamWriter) -> None:
        if not made.heads[-1].startswith(b"POST "):
            return await saying(405)(writer)
        problem = refused_by_slack(made.bodies[-1])
        answer = saying(400, problem.split(":")[0]) if problem else saying(200, "ok")
        return await answer(writer)

    async with receiver(judge) as made:
        yield made


# Slack's documented limits, written down a second time on purpose: the code under test has its own.
BLOCK_KEYS = {
    "header": {"type", "block_id", "text"},
    "section": {"type", "block_id", "text", "fields", "accessory", "expand"},
    "actions": {"type", "block_id", "elements"},
    "context": {"type", "block_id", "elements"},
    "divider": {"type", "block_id"},
}
MESSAGE_KEYS = {"text", "blocks", "attachments", "unfurl_links", "unfurl_media"}
ALL_TEXT_LIMIT = 12_000
_LINK = re.compile(r"<https?://[^\s<>|]+\|[^<>]+>")
_ENTITY = re.compile(r"&(?:amp|lt|gt);")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def refused_by_slack(body: bytes) -> str | None:
    """Why Slack would not have this message; None if it would."""
    try:
        message = json.loads(body.decode("utf-8"))
    except ValueError:
        return "invalid_payload: not JSON"
    if set(message) - MESSAGE_KEYS:
        return f"invalid_payload: unknown {set(message) - MESSAGE_KEYS}"
    if not message.get("text", "").strip() and not message.get("blocks"):
        return "no_text"
    problems = [_text_problem(message.get("text", "x"), 40_000, mrkdwn=True)]
    blocks = message.get("blocks", [])
    if len(blocks) > 50:
        return f"invalid_blocks: {len(blocks)} blocks"
    named = [block["block_id"] for block in blocks if "block_id" in block]
    if len(named) != len(set(named)):
        return "invalid_blocks: repeated block_id"
    problems += [_block_problem(block) for block in blocks]
    if (total := units("".join(all_texts(message)))) > ALL_TEXT_LIMIT:
        problems.append(f"msg_blocks_too_long: {total}")
    found = [problem for problem in problems if problem]
    if not found:
        return None
    return found[0] if found[0].startswith("msg_") else f"invalid_blocks: {found[0]}"


def units(text: str) -> int:
    """UTF-16 units, surrogates as they come."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def all_texts(message: dict[str, Any]) -> list[str]:
    """Every text a message shows, that of the notification too."""
    return [message.get("text", ""), *_texts(message.get("blocks", []))]


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for part in value.values() for text in _texts(part)]
    return []


def _block_problem(block: dict[str, Any]) -> str | None:
    kind = block.get("type", "")
    if kind not in BLOCK_KEYS or set(block) - BLOCK_KEYS[kind]:
        return f"unknown block or property: {block}"
    if kind == "header":
        if block["text"]["type"] != "plain_text":
            return "header is not plain_text"
        return _object_problem(block["text"], 150)
    if kind == "section":
        if not block.get("text") and not block.get("fields"):
            return "empty section"
        fields = block.get("fields", [])
        if len(fields) > 10:
            return "too many fields"
        texts = [_object_problem(block["text"], 3000)] if "text" in block else []
        return next(filter(None, [*texts, *(_object_problem(field, 2000) for field in fields)]), None)
    if kind == "context":
        if not 1 <= len(block["elements"]) <= 10:
            return "context elements"
        return next(filter(None, [_object_problem(element, 3000) for element in block["elements"]]), None)
    if kind == "actions":
        if not 1 <= len(block["elements"]) <= 25:
            return "actions elements"
        return next(filter(None, map(_button_problem, block["elements"])), None)
    return None


def _button_problem(button: dict[str, Any]) -> str | None:
    if set(button) - {"type", "action_id", "text", "url", "value", "style"} or button["type"] != "button":
        return f"unknown element: {button}"
    if not re.fullmatch(r"https?://[^\s<>|]{1,2990}", button["url"]) or len(button["action_id"]) > 255:
        return f"bad button: {button}"
    return _object_problem(button["text"], 75)


def _object_problem(text: dict[str, Any], limit: int) -> str | None:
    allowed = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
    if text.get("type") not in allowed or set(text) - allowed[text["type"]]:
        return f"unknown text object: {text}"
    if text["type"] == "mrkdwn" and text.get("verbatim") is not True:
        return "mentions in plain words would be parsed"
    return _text_problem(text["text"], limit, mrkdwn=text["type"] == "mrkdwn")


def _text_problem(text: str, limit: int, *, mrkdwn: bool) -> str | None:
    if not text.strip() or units(text) > limit:
        return f"empty or over {limit}: {text[:40]!r}"
    if _UNSEEN.search(text):
        return f"unseen characters: {text[:80]!r}"
    bare = _LINK.sub(" ", text) if mrkdwn else text
    if "<" in bare or ">" in bare or "&" in _ENTITY.sub(" ", text):
        return f"unescaped or cut: {text[:200]!r}"
    return None

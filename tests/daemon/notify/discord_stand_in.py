"""A receiver as strict as Discord: its limits, its fields, and what its markdown would make of a text."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, saying, units

PATH = f"/api/webhooks/223704706495545344/{TOKEN}"
JSON = "application/json"
WEBHOOK = {
    "id": "223704706495545344",
    "type": 1,
    "name": "Night desk",
    "channel_id": "199737254929760256",
    "guild_id": "199737254929760256",
    "application_id": None,
    "avatar": None,
    "token": TOKEN,
}

# Discord's documented limits, written down a second time on purpose: the code under test has its own.
MESSAGE_KEYS = {"content", "embeds", "allowed_mentions", "username", "avatar_url", "tts", "flags"}
EMBED_LIMITS = {"title": 256, "description": 4096}
EMBED_KEYS = {*EMBED_LIMITS, "type", "url", "timestamp", "color", "footer", "fields", "author", "image"}
FIELD_LIMITS = {"name": 256, "value": 1024}
FOOTER_LIMIT = 2048
ALL_LIMIT = 6000

_LINK = re.compile(r"\[([^\[\]]*)\]\((https?://[^\s()<>]+)\)")
_LINE_MARK = re.compile(r"[^\S\n]*(?:[-+#]|\d+\.)")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@asynccontextmanager
async def discord() -> AsyncIterator[Receiver]:
    """Open a receiver that takes and refuses what a webhook of Discord's does."""
    made: Receiver

    async def judge(writer: asyncio.StreamWriter) -> None:
        await answer_of_discord(made.heads[-1].decode(), made.bodies[-1])(writer)

    async with receiver(judge) as made:
        yield made


def refusing(status: int, code: int, message: str = "", **more: Any) -> Script:
    """Refuse as Discord does, with a code of its own."""
    return saying(status, json.dumps({"message": message, "code": code, **more}), Content_Type=JSON)


def answer_of_discord(head: str, body: bytes) -> Script:
    """What Discord would answer to this request."""
    asked = re.match(r"(GET|POST) (/[^ ?]+)(?:\?([^ ]*))? HTTP", head)
    if asked is None or asked[2] != PATH:
        return refusing(404, 10015, "Unknown Webhook")
    if asked[1] == "GET":
        return saying(200, json.dumps(WEBHOOK), Content_Type=JSON)
    if f"\r\nContent-Type: {JSON}" not in head:
        return refusing(400, 50109, "The request body contains invalid JSON.")
    problem = refused_by_discord(body)
    if problem:
        errors = {"embeds": {"_errors": [{"code": "REFUSED", "message": problem}]}}
        return refusing(400, 50035, "Invalid Form Body", errors=errors)
    if "wait=true" not in (asked[3] or "").split("&"):
        return saying(204)
    made = {"id": "1308998877665544332", "channel_id": WEBHOOK["channel_id"], **json.loads(body)}
    return saying(200, json.dumps(made), Content_Type=JSON)


def refused_by_discord(body: bytes) -> str | None:
    """Why Discord would not have this message, or should not; None if it may."""
    try:
        message = json.loads(body.decode("utf-8"))
    except ValueError:
        return "not JSON"
    if set(message) - MESSAGE_KEYS:
        return f"unknown: {set(message) - MESSAGE_KEYS}"
    if message.get("allowed_mentions") != {"parse": []}:
        return "somebody could be mentioned"
    embeds = message.get("embeds", [])
    if not embeds and not message.get("content", "").strip():
        return "empty message"
    addresses = [embed["url"] for embed in embeds if "url" in embed]
    if len(embeds) > 10 or len(addresses) != len(set(addresses)):
        return "too many embeds, or two with one address"
    problems = [_embed_problem(embed) for embed in embeds]
    if "content" in message:
        problems.append(_content_problem(message["content"]))
    if (total := sum(units(text) for embed in embeds for text in counted_texts(embed))) > ALL_LIMIT:
        problems.append(f"{total} characters in all embeds")
    return next(filter(None, problems), None)


def counted_texts(embed: dict[str, Any]) -> list[str]:
    """What counts towards the limit over all embeds."""
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    return texts + [part for field in embed.get("fields", []) for part in (field["name"], field["value"])]


def live_in(text: str) -> str | None:
    """What Discord's markdown would make something of, our own bold type and safe links aside."""
    at, bold, is_line_start = 0, 0, True
    while at < len(text):
        if is_line_start and (mark := _LINE_MARK.match(text, at)):
            return f"a list or a heading: {mark[0]!r}"
        is_line_start = text[at] == "\n"
        if text[at] == "\\":
            if at + 1 == len(text) or not re.match(r"[^0-9A-Za-z\s]", text[at + 1]):
                return "a backslash that escapes nothing"
            at += 2
        elif link := _LINK.match(text, at):
            if re.search(r"[\[\]*_~`|<>\\@]|://", link[1]) or not link[1].strip() or "*" in link[2]:
                return f"a label that breaks its link: {link[1]!r}"
            at = link.end()
        elif text.startswith("**", at):
            bold += 1
            at += 2
        elif re.match(r"[*_~`|<>\[\]]|://|@(?:everyone|here)", text[at : at + 10]):
            return f"live: {text[at : at + 30]!r}"
        else:
            at += 1
    return "bold type without end" if bold % 2 else None


def _embed_problem(embed: dict[str, Any]) -> str | None:
    if not embed or set(embed) - EMBED_KEYS:
        return f"unknown in an embed: {set(embed) - EMBED_KEYS}"
    if not 0 <= embed.get("color", 0) <= 0xFFFFFF:
        return "no colour"
    if "url" in embed and not re.fullmatch(r"https?://[^\s<>]{1,2040}", embed["url"]):
        return "no address"
    if "timestamp" in embed and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*", embed["timestamp"]):
        return "no time stamp"
    fields = embed.get("fields", [])
    if len(fields) > 25 or any(set(field) != {"name", "value", "inline"} for field in fields):
        return "fields"
    problems = [_text_problem(embed[key], limit) for key, limit in EMBED_LIMITS.items() if key in embed]
    problems += [_text_problem(field[key], limit) for field in fields for key, limit in FIELD_LIMITS.items()]
    if "footer" in embed:
        problems.append(_plain_problem(embed["footer"]["text"], FOOTER_LIMIT))
    return next(filter(None, problems), None)


def _content_problem(content: str) -> str | None:
    """Plain text stands in a block of code, which nothing in it may end; a link may follow."""
    block = re.fullmatch(r"```\n([^`]*)\n```(?:\n<https?://[^\s<>]+>)?", content)
    if block is None:
        return f"something behind the block of code, or in it: {content[:60]!r}"
    return "everyone" if re.search(r"@(everyone|here)", content) else _plain_problem(content, 2000)


def _plain_problem(text: str, limit: int) -> str | None:
    if not text.strip() or units(text) > limit:
        return f"empty or over {limit}: {text[:40]!r}"
    return f"unseen characters: {text[:80]!r}" if _UNSEEN.search(text) else None


def _text_problem(text: str, limit: int) -> str | None:
    return _plain_problem(text, limit) or live_in(text)

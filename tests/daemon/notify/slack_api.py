"""A receiver that is as strict as Slack's Web API: methods, token, room and message are judged."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.daemon.notify.receivers import TOKEN, Receiver, Script, receiver, refused_by_slack, saying

ROOM = "C0OPSROOM"
JSON = "application/json"


@asynccontextmanager
async def slack_api() -> AsyncIterator[Receiver]:
    """Open a receiver that takes and refuses what chat.postMessage and auth.test do."""
    made: Receiver

    async def judge(writer: asyncio.StreamWriter) -> None:
        said = answer_of_slack(made.heads[-1].decode(), made.bodies[-1])
        await saying(200, json.dumps(said), Content_Type=JSON)(writer)

    async with receiver(judge) as made:
        yield made


def refusing(error: str, **more: Any) -> Script:
    """Refuse as the Web API does: with 200 and a word."""
    return saying(200, json.dumps({"ok": False, "error": error, **more}), Content_Type=JSON)


def answer_of_slack(head: str, body: bytes) -> dict[str, Any]:
    """What Slack would answer to this request."""
    asked = re.match(r"POST /api/([a-zA-Z.]+) HTTP", head)
    if asked is None:
        return {"ok": False, "error": "unknown_method"}
    if f"\r\nAuthorization: Bearer {TOKEN}\r\n" not in head:
        return {"ok": False, "error": "invalid_auth"}
    if asked[1] == "auth.test":
        if "\r\nContent-Type: application/x-www-form-urlencoded\r\n" not in head:
            return {"ok": False, "error": "invalid_post_type"}
        return {"ok": True, "team": "Acme", "user": "nightdesk", "team_id": "T0TEAM00", "user_id": "U0BOT000"}
    if asked[1] != "chat.postMessage":
        return {"ok": False, "error": "unknown_method"}
    if "\r\nContent-Type: application/json; charset=utf-8\r\n" not in head:
        return {"ok": False, "error": "invalid_post_type"}
    return _posted(body)


def _posted(body: bytes) -> dict[str, Any]:
    message = json.loads(body)
    if message.pop("channel", None) not in (ROOM, "#ops"):
        return {"ok": False, "error": "channel_not_found"}
    problem = refused_by_slack(json.dumps(message).encode())
    if problem:
        return {"ok": False, "error": problem.split(":")[0]}
    return {"ok": True, "channel": ROOM, "ts": "1503435956.000247", "message": {"text": message["text"]}}

"""Any receiver of webhooks, signed as Standard Webhooks has it."""

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime

from daemon.watchdog.message import Message, headline
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.senders.base import Options
from daemon.watchdog.senders.web import post

PREFIX = "whsec_"


class Webhook:
    """`url`, and `secret`: one, or several while they are changed."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._url = options.url("url", allow_private=allow_private)
        self._keys = [_key(secret) for secret in options.texts("secret")] if options.has("secret") else []

    def send(self, message: Message, now: datetime) -> str:
        """Post it; the receiver dedupes by the id, which is the same on every copy."""
        body = to_json(
            {
                "type": f"nightdesk.{message.kind}",
                "timestamp": message.created_at.isoformat(),
                "data": {
                    "id": message.id,
                    "kind": message.kind,
                    "thread": message.thread,
                    "severity": message.severity,
                    "title": headline(message),
                    "facts": dict(message.facts),
                    "advice": message.advice,
                    "link": message.link,
                },
            }
        )
        name, at = re.sub(r"[^A-Za-z0-9_-]", "_", message.id), str(int(now.timestamp()))
        headers = {"Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": at}
        if self._keys:
            signed = f"{name}.{at}.".encode() + body
            headers["webhook-signature"] = " ".join(f"v1,{_signature(key, signed)}" for key in self._keys)
        answer = post(self._url, body, headers, allow_private=self._allow_private)
        return f"{answer.status}"


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("secret: what follows whsec_ is no base64") from None

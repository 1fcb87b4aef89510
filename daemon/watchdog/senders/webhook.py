"""Any receiver of webhooks, signed as Standard Webhooks has it."""

import base64
import binascii
import hashlib
import hmac
import re
from datetime import datetime

from daemon.watchdog.message import Kind, Message
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.senders.base import Options
from daemon.watchdog.senders.web import post

PREFIX = "whsec_"


class Webhook:
    """`url`, and `secret`: one, or several while they are changed."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._url = options.url("url", allow_private=allow_private)
        secrets = options.texts("secret") if options.has("secret") else []
        self._keys = [_key(part) for secret in secrets for part in re.split(r"[\s,]+", secret) if part]

    def send(self, message: Message, now: datetime) -> str:
        """Post it; the receiver dedupes by the id, which is the same on every copy."""
        body = to_json(
            {
                "type": f"nightdesk.{message.kind}",
                "timestamp": message.created_at.isoformat(),
                # As `daemon.notify.webhook_event` has it: a receiver need not know which of the two wrote.
                "data": {
                    "id": message.id,
                    "kind": message.kind,
                    "severity": message.severity,
                    "title": message.title,
                    "text": message.advice,
                    "facts": [{"name": name, "value": value} for name, value in message.facts],
                    "entries": [],
                    "entriesTotal": 0,
                    "link": {"label": "Open", "url": message.link} if message.link else None,
                    "thread": message.thread,
                    "closes": [message.thread] if message.kind is Kind.RESOLVED else [],
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
        raise ValueError(f"secret: does not begin with {PREFIX}")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("secret: what follows whsec_ is no base64") from None

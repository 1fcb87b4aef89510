"""A receiver of nightdesk's webhook that takes nothing unsigned: what your own would have to check.

    NIGHTDESK_WEBHOOK_SECRET=whsec_… python3 examples/webhook_receiver.py 8799

The standard library is enough. `event_of` is all there is to copy.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

OLDEST_S = 300  # what is older or newer is somebody's copy of an old request
LARGEST = 100_000


def event_of(headers: Message, body: bytes, secret: str, now_s: float) -> dict[str, Any]:
    """The event of a request, once it is known to be ours.

    Raises:
        ValueError: it is not signed with the secret, or too old.
    """
    number, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(now_s - int(at)) > OLDEST_S:
        raise ValueError("too old, or from a clock that is wrong")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    code = hmac.digest(key, f"{number}.{at}.".encode() + body, hashlib.sha256)
    wanted = "v1," + base64.b64encode(code).decode()
    # Several stand there while the secret is changed; one that fits is enough.
    signatures = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(wanted.encode(), given.encode()) for given in signatures):
        raise ValueError("the signature does not fit")
    event: dict[str, Any] = json.loads(body)
    return event


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is ours and 401 to all else; a second copy is known by its id."""

    seen: ClassVar[set[str]] = set()
    timeout = 10

    def do_POST(self) -> None:
        """Take one event."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), LARGEST))
        try:
            event = event_of(self.headers, body, os.environ["NIGHTDESK_WEBHOOK_SECRET"], time.time())
        except ValueError as error:
            self.send_error(401, str(error))
            return
        if self.headers["webhook-id"] not in self.seen:
            self.seen.add(self.headers["webhook-id"])
            sys.stdout.write(f"{event['type']}: {event['data']['title']}\n")
            sys.stdout.flush()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver) as server:
        server.serve_forever()

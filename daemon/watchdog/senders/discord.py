"""Discord: an incoming webhook."""

import re
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from daemon.watchdog.message import Message, headline, lines
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.senders.base import Options
from daemon.watchdog.senders.web import post

LONGEST = 1900  # 2000 of Discord's own counting
HEADERS = {"Content-Type": "application/json"}
_MARK = re.compile(r"([\\*_~`|>\[\]])")


class Discord:
    """`url` of the webhook."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._url = _waiting(options.url("url", allow_private=allow_private))

    def send(self, message: Message, now: datetime) -> str:
        """Post it, and have Discord answer only once the message is kept."""
        first, *rest = (_MARK.sub(r"\\\1", line) for line in (headline(message), *lines(message)))
        text = "\n".join([f"**{first}**", *rest])[:LONGEST]
        payload = {"content": text, "allowed_mentions": {"parse": []}}
        answer = post(self._url, to_json(payload), HEADERS, allow_private=self._allow_private)
        return f"{answer.status}"


def _waiting(url: str) -> str:
    # Without `wait` a message that is not kept gives no error.
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), "wait": "true"}
    return urlunsplit(parts._replace(query=urlencode(query)))

"""Discord: an incoming webhook."""

import re
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from daemon.watchdog.message import Kind, Message, headline, lines
from daemon.watchdog.plain_json import to_json
from daemon.watchdog.senders.base import Options
from daemon.watchdog.senders.web import post

LONGEST_TITLE = 256
LONGEST_TEXT = 4000  # 4096 of Discord's own counting
HEADERS = {"Content-Type": "application/json"}
RED, GREEN, GREY = 0xC0392B, 0x27AE60, 0x7F8C8D
COLOURS = {Kind.ALERT: RED, Kind.RESOLVED: GREEN, Kind.TEST: GREY}
_MARK = re.compile(r"([\\*_~`|<>\[\]@])")
_BROKEN_MARK = re.compile(r"(?<!\\)((?:\\\\)*)\\$")


class Discord:
    """`url` of the webhook."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._url = _waiting(options.url("url", allow_private=allow_private))

    def send(self, message: Message, now: datetime) -> str:
        """Post it, and have Discord answer only once the message is kept."""
        said = [line for line in lines(message) if line != message.link]
        embed: dict[str, object] = {
            "title": _escaped(headline(message), LONGEST_TITLE),
            "description": _escaped("\n".join(said), LONGEST_TEXT),
            "color": COLOURS[message.kind],
            "timestamp": message.created_at.isoformat(),
        }
        if message.link:
            embed["url"] = message.link
        payload = {"embeds": [embed], "allowed_mentions": {"parse": []}}
        answer = post(self._url, to_json(payload), HEADERS, allow_private=self._allow_private)
        return f"{answer.status}"


def _escaped(text: str, longest: int) -> str:
    """The text with nothing in it that Discord makes something of; not cut within an escape."""
    return _BROKEN_MARK.sub(r"\1", _MARK.sub(r"\\\1", text)[:longest])


def _waiting(url: str) -> str:
    # Without `wait` a message that is not kept gives no error.
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), "wait": "true"}
    return urlunsplit(parts._replace(query=urlencode(query)))

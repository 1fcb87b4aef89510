"""Slack: an incoming webhook, or `chat.postMessage` with a bot's token."""

import re
from datetime import datetime
from urllib.parse import urlsplit

from daemon.watchdog.message import Message, headline, lines
from daemon.watchdog.plain_json import from_json, to_json
from daemon.watchdog.senders.base import NotProved, Options
from daemon.watchdog.senders.web import post

API = "https://slack.com/api/"
LONGEST = 3000
HEADERS = {"Content-Type": "application/json; charset=utf-8"}
_WORD = re.compile(r"[a-z_]{1,60}")
# Slack answers 200 to these too; they pass by themselves.
PASSING = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


class Slack:
    """`url`, or `token` with `target`."""

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._token = options.text("token") if options.has("token") else None
        if self._token is None:
            self._url = options.url("url", allow_private=allow_private)
        else:
            base = options.url("apiUrl", allow_private=allow_private, default=API)
            self._url = base.rstrip("/") + "/chat.postMessage"
            self._target = options.text("target")

    def send(self, message: Message, now: datetime) -> str:
        """Post it; by a webhook the status is the proof, by the API the word `ok`."""
        payload: dict[str, object] = {"text": dressed(message)}
        if self._token is None:
            answer = post(self._url, to_json(payload), HEADERS, allow_private=self._allow_private)
            return f"{answer.status}"
        payload["channel"] = self._target
        headers = {**HEADERS, "Authorization": f"Bearer {self._token}"}
        answer = post(self._url, to_json(payload), headers, allow_private=self._allow_private)
        return self._judged(answer.body)

    def _judged(self, body: bytes) -> str:
        try:
            said = from_json(body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise NotProved("Slack's answer cannot be read")
        if said.get("ok") is True:
            return f"ok {said.get('ts', '')}".strip()[:100]
        word = said.get("error")
        word = word if isinstance(word, str) and _WORD.fullmatch(word) else "an error without a name"
        host = urlsplit(self._url).hostname
        raise NotProved(f"{host} answered {word}", is_permanent=word not in PASSING)


def dressed(message: Message) -> str:
    """The message in Slack's own marks, which nothing in it can add to."""
    first, *rest = (_escaped(line) for line in (headline(message), *lines(message)))
    return "\n".join([f"*{first}*", *rest])[:LONGEST]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

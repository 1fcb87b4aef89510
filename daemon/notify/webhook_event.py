"""A message as the event of a webhook, and its signature (Standard Webhooks 1.0.0).

The event, which a receiver may rely on:

    {"type": "nightdesk.alert",                  by the kind of the message
     "timestamp": "2026-11-21T06:00:00.000000Z", when it was made, not when it was sent
     "data": {"id": "…",                         the same on every copy
              "kind": "alert", "severity": "critical", "title": "…", "text": "…",
              "facts": [{"name": "Handler", "value": "daily-reports"}],
              "entries": [{"title": "…", "url": "https://…", "note": "…", "text": "…"}],
              "entriesTotal": 1,                 more than `entries` where some had to be left out
              "link": {"label": "Open", "url": "https://…"},
              "thread": "…", "closes": ["…"]}}   the incident it is about; those that end with it

Where there is none of it, `severity`, `link`, `thread` and an entry's `url` are null.
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from daemon.notify.base import Entry, Message
from daemon.notify.text import (
    MOST_READ,
    UNTITLED,
    clean,
    cut,
    how_many_fit,
    more,
    one_line,
    safe_url,
)
from state.codec import time_text, to_json

MOST_BYTES = 20_000  # advised by the standard: a receiver should not have to take what it never asked for

# Shares of MOST_BYTES, such that all of them at their longest leave room for some entries.
ID, TITLE, TEXT = 300, 1_000, 4_000
FACTS, FACT_NAME, FACT_VALUE = 20, 100, 200
LINK_LABEL = 200
CLOSED = 10
ENTRY_TITLE, ENTRY_NOTE = 300, 200
ENTRY_TEXTS = (600, 200, 0)  # tried in this order until all entries fit

_NOT_IN_A_TYPE = re.compile("[^a-zA-Z0-9_]")


def event(message: Message) -> bytes:
    """The body of the request: the very bytes that are signed and sent, never more than MOST_BYTES."""
    data: dict[str, Any] = {
        "id": _short(message.id, ID),
        "kind": _short(message.kind, ID),
        "severity": message.severity.value if message.severity else None,
        "title": _short(message.title, TITLE) or UNTITLED,
        "text": cut(clean(message.text), TEXT, size),
        "facts": _facts(message.facts),
        "entries": [],
        "entriesTotal": len(message.entries),
        "link": _link(message.link),
        "thread": None if message.thread is None else _short(message.thread, ID),
        "closes": [_short(thread, ID) for thread in message.closes[:CLOSED]],
    }
    whole = {
        "type": f"nightdesk.{_NOT_IN_A_TYPE.sub('_', message.kind)[:50]}",
        "timestamp": time_text(message.created_at),
        "data": data,
    }
    data["entries"] = _entries(message.entries, MOST_BYTES - len(to_json(whole)))
    return to_json(whole)


def signature(key: str, timestamp: int, body: bytes, secrets: Iterable[bytes]) -> str:
    """The value of `webhook-signature`: one signature by each secret, so that a receiver may change over."""
    signed = f"{key}.{timestamp}.".encode() + body
    codes = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{b64encode(code).decode()}" for code in codes)


def size(text: str) -> int:
    """What a text takes of the body."""
    return len(to_json(text)) - 2  # without its quotes


def _short(text: str, limit: int) -> str:
    return cut(one_line(text[:MOST_READ]), limit, size)


def _facts(facts: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    shown = [(_short(name, FACT_NAME), _short(value, FACT_VALUE)) for name, value in facts[:FACTS]]
    if len(facts) > FACTS:
        shown[-1] = ("…", more(len(facts) - FACTS + 1))
    return [{"name": name, "value": value} for name, value in shown]


def _link(link: tuple[str, str] | None) -> dict[str, str] | None:
    url = safe_url(link[1]) if link else None
    if link is None or url is None:
        return None
    return {"label": _short(link[0], LINK_LABEL), "url": url}


def _entries(entries: tuple[Entry, ...], room: int) -> list[dict[str, str | None]]:
    """First their texts are shortened, only then the last of them left out."""
    looked_at = entries[: room // 50]  # none is shorter
    shown: list[dict[str, str | None]] = []
    for text_limit in ENTRY_TEXTS:
        shown = [_entry(entry, text_limit) for entry in looked_at]
        if sum(len(to_json(entry)) + 1 for entry in shown) <= room:
            break
    texts = [to_json(entry).decode() for entry in shown]
    return shown[: how_many_fit(texts, room, 0, cost=lambda text: len(text.encode()))]


def _entry(entry: Entry, text_limit: int) -> dict[str, str | None]:
    return {
        "title": _short(entry.title, ENTRY_TITLE) or UNTITLED,
        "url": safe_url(entry.url),
        "note": _short(entry.note, ENTRY_NOTE),
        "text": _short(entry.text, text_limit) if text_limit else "",
    }

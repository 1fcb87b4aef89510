"""A message as plain JSON, for what has to outlive the process that made it, and back."""

from collections.abc import Mapping
from typing import Any

from daemon.notify.base import Entry, Message
from state.codec import parse_time, time_text
from state.records import Severity


def to_wire(message: Message) -> dict[str, Any]:
    """All of a message, in plain values."""
    return {
        "id": message.id,
        "kind": message.kind,
        "title": message.title,
        "text": message.text,
        "severity": message.severity,
        "facts": [list(fact) for fact in message.facts],
        "entries": [
            {"title": it.title, "url": it.url, "note": it.note, "text": it.text} for it in message.entries
        ],
        "link": None if message.link is None else list(message.link),
        "thread": message.thread,
        "closes": list(message.closes),
        "createdAt": time_text(message.created_at),
    }


def from_wire(wire: Mapping[str, Any]) -> Message:
    """The message that `to_wire` was given.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    return Message(
        id=wire["id"],
        kind=wire["kind"],
        title=wire["title"],
        text=wire["text"],
        severity=None if wire["severity"] is None else Severity(wire["severity"]),
        facts=tuple((name, value) for name, value in wire["facts"]),
        entries=tuple(Entry(**it) for it in wire["entries"]),
        link=None if wire["link"] is None else (wire["link"][0], wire["link"][1]),
        thread=wire["thread"],
        closes=tuple(wire["closes"]),
        created_at=parse_time(wire["createdAt"]),
    )

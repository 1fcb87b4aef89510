"""A message as an event of PagerDuty's Events API v2, within its limits."""

import re
from typing import Any

from daemon.notify.base import Entry, Message
from daemon.notify.keys import stable_key
from daemon.notify.text import (
    MOST_READ,
    UNTITLED,
    clean,
    cut,
    headline,
    how_many_fit,
    more,
    one_line,
    safe_url,
)
from state.codec import time_text, to_json
from state.records import Severity

Event = dict[str, Any]

CLIENT = "nightdesk"
SUMMARY = 1024
LONGEST_KEY = 255
# Of the 512 KB of a whole event; the lines of a storm's thousands of alerts fit, and so does the rest.
ENTRIES_BYTES = 350_000

SOURCE = 255
TEXT = 4_000
FACTS, FACT_NAME, FACT_VALUE = 50, 100, 500
TITLE, NOTE = 200, 120

_UNSEEN_IN_A_KEY = re.compile("[^!-~]")  # printable ASCII is what a key is compared and searched by


def trigger(message: Message, source: str, routing_key: str) -> Event:
    """The event that opens an alert, or is added to the open one of the same key."""
    link = _link(message)
    event: Event = {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key(thread_of(message)),
        "payload": {
            "summary": cut(headline(message), SUMMARY, _units),
            "source": cut(one_line(source), SOURCE) or CLIENT,
            "severity": severity(message),
            "timestamp": time_text(message.created_at),
            "class": cut(one_line(message.kind), FACT_NAME) or "alert",
            "custom_details": _details(message),
        },
        "client": CLIENT,
    }
    if link is not None:
        event |= {"client_url": link["href"], "links": [link]}
    return event


def resolve(thread: str, routing_key: str) -> Event:
    """The event that ends the alert of a thread; dropped where none is open."""
    return {"routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key(thread)}


def thread_of(message: Message) -> str:
    """What the message is about: of two about the same thing the second opens nothing new."""
    return message.thread or message.id


def dedup_key(thread: str) -> str:
    """The key of a thread, never longer than the service takes."""
    return stable_key(thread, unfit=_UNSEEN_IN_A_KEY, longest=LONGEST_KEY)


def severity(message: Message) -> str:
    """How grave, in the words of the service, which are ours; a test is never more than info."""
    return (Severity.INFO if message.kind == "test" else message.severity or Severity.ERROR).value


def _details(message: Message) -> dict[str, Any]:
    facts: dict[str, str] = {}
    for name, value in message.facts[:FACTS]:
        name, value = cut(one_line(name[:MOST_READ]), FACT_NAME) or "-", one_line(value[:MOST_READ])
        facts[name] = cut(f"{facts[name]}; {value}" if name in facts else value, FACT_VALUE)
    if len(message.facts) > FACTS:
        facts["…"] = more(len(message.facts) - FACTS)
    details = {
        "message_id": one_line(message.id[:MOST_READ]),
        "text": cut(clean(message.text[: 4 * TEXT]), TEXT),
        "facts": facts,
        "entries": _entries(message.entries),
    }
    return {name: value for name, value in details.items() if value}


def _entries(entries: tuple[Entry, ...]) -> list[str]:
    looked_at = entries[: ENTRIES_BYTES // 10]  # none is shorter
    lines = [_entry(entry) for entry in looked_at]
    kept = how_many_fit(
        lines, ENTRIES_BYTES, 40, lambda line: len(to_json(line)), are_all=len(lines) == len(entries)
    )
    return [*lines[:kept], more(len(entries) - kept)] if kept < len(entries) else lines


def _entry(entry: Entry) -> str:
    title = cut(one_line(entry.title[:MOST_READ]), TITLE) or UNTITLED
    return " · ".join(filter(None, [title, cut(one_line(entry.note[:MOST_READ]), NOTE), safe_url(entry.url)]))


def _link(message: Message) -> dict[str, str] | None:
    url = safe_url(message.link[1]) if message.link else None
    if message.link is None or url is None or not url.startswith("https://"):
        return None
    return {"href": url, "text": cut(one_line(message.link[0]), FACT_NAME) or "Open"}


def _units(text: str) -> int:
    """UTF-16 units, the strictest way a length can be counted on the other side."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

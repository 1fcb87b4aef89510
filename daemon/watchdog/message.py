"""What the second process has to say, before any channel's dress."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a message is for; the words are those of the daemon's own messages."""

    ALERT = "alert"
    RESOLVED = "resolved"  # it ends the thread
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; every copy of it, over channels and retries, bears the same id."""

    id: str
    kind: Kind
    thread: str  # of one incident: what a pager dedupes by, and a mail program groups by
    severity: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""  # what to do now, mostly commands
    link: str | None = None
    created_at: datetime


def headline(message: Message) -> str:
    """The first line: how grave it is, and what."""
    word = message.kind if message.kind is not Kind.ALERT else message.severity
    return f"{word.upper()}: {message.title}"


def lines(message: Message) -> list[str]:
    """Everything below the headline, a line each."""
    said = [f"{name}: {value}" for name, value in message.facts]
    if message.advice:
        said.append(f"What to do: {message.advice}")
    if message.link:
        said.append(message.link)
    return said


def plain_text(message: Message) -> str:
    """The whole message as text."""
    return "\n".join([headline(message), *lines(message)])

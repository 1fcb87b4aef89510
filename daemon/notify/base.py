"""What a channel is: something that carries a `Message` to people and can prove it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from state.records import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a message: a headline with a link, a line of facts, a short text."""

    title: str
    url: str | None = None
    note: str = ""  # "r/python · score 0.91 · 12 comments"
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be said, before any channel's dress. All text is foreign until a channel escapes it."""

    id: str  # stable over retries; receivers that dedupe are given it
    kind: str  # "digest", "alert", "escalation", "resolved", "report", "health", "test"
    title: str
    text: str = ""  # one or a few paragraphs, parted by blank lines
    # A page of our own making, every foreign text in it escaped; `text` is then the whole of it in plain.
    # Mail is sent as these two stand, the rest of the message left out.
    html: str | None = None
    severity: Severity | None = None
    facts: tuple[tuple[str, str], ...] = ()  # ("Processed", "900")
    entries: tuple[Entry, ...] = ()
    link: tuple[str, str] | None = None  # (label, URL) of the button; left out when APP_URL is unset
    # Messages about one incident share it: a thread of mails, the dedup key of a pager. The one of kind
    # "resolved" ends it.
    thread: str | None = None
    closes: tuple[str, ...] = ()  # every thread that is at its end with this message, its own among them
    created_at: datetime


class Failure(StrEnum):
    """Why a send did not end in a proof, and with it what may be done next."""

    TRANSIENT = "transient"  # known not delivered; try again
    PERMANENT = "permanent"  # known not delivered; trying again cannot help
    UNKNOWN = "unknown"  # it may have been delivered; nobody can say


class ChannelError(Exception):
    """A channel could not prove a delivery. The text never holds a secret."""

    def __init__(
        self, reason: str, *, failure: Failure = Failure.TRANSIENT, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.failure = failure
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The proof of a delivery: what the receiver answered, cut to 200 characters."""

    proof: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step on the way to a receiver, tried without sending a message."""

    name: str  # "connect", "starttls", "login", "recipient a@b.example"
    is_ok: bool
    detail: str  # what was answered, or why it failed; never a secret
    took_s: float


class Channel(Protocol):
    """One way to reach people.

    `send` returns a Receipt or raises ChannelError; it retries nothing by itself, stays inside its
    time budget, and ends within a second of being cancelled. `check` goes as far as it can without
    sending anything, raises nothing but cancellation, and ends with the first step that fails.
    """

    Options: ClassVar[type[BaseModel]]  # checks the channel's entry in the config
    is_delivery: ClassVar[bool]  # False for `log`: a record never counts as delivered
    dedupes: ClassVar[bool]  # whether its receivers drop a second copy of the same message id

    async def send(self, message: Message) -> Receipt: ...

    async def check(self) -> Sequence[Step]: ...


@runtime_checkable
class Mailing(Protocol):
    """A channel that can carry to other mail addresses than its own."""

    def addressed(self, to: Sequence[str]) -> Channel:
        """The same way, to these people instead.

        Raises:
            ValueError: one of them is no mail address.
        """
        ...

"""What a provider of a mail API is asked to carry, and what each has to know of its own API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from daemon.notify.base import Message
from daemon.notify.http import Answer, SecretOrText
from daemon.notify.mailbox import Mailbox
from daemon.notify.text import cut, one_line
from daemon.secret import Secret

LONGEST_WORDS = 150
_TITLE = re.compile(r"<title>([^<]*)</title>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose mails they are, and whom they go to."""

    key: Secret
    url: str
    sender: Mailbox
    recipients: tuple[str, ...]
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of the provider's API."""

    method: str
    url: str
    headers: Mapping[str, SecretOrText] = field(repr=False)
    body: bytes | None = None


class Provider(Protocol):
    """One mail API: what is sent to it, and what its answers say."""

    name: str
    advice: Mapping[int, str]  # by status: what helps

    def mail(self, message: Message) -> Request:
        """The request by which it takes the message for all recipients, none of whom sees another."""
        ...

    def probe(self) -> Request:
        """A request by which nothing is sent, and that shows whether the key is accepted."""
        ...

    def found(self, answer: Answer) -> str | None:
        """What the answer to the probe proves; None where the account cannot send."""
        ...

    def receipt_id(self, answer: Answer) -> str:
        """What the provider calls the mail it has taken; empty where it does not say."""
        ...

    def words(self, answer: Answer) -> str:
        """What a refusal says, in the provider's own words."""
        ...


def first_words(text: str) -> str:
    """A line of an answer that is not of the API's form: the title of a page, or how the text begins."""
    title = _TITLE.search(text[:2_000])
    return cut(one_line(title[1] if title else text[:2_000]), LONGEST_WORDS)


def origin(url: str) -> str:
    """Scheme and host of an address, without its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

"""What a sender is, and how it reads its options."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Protocol
from urllib.parse import urlsplit

from daemon.secret import Secret
from daemon.watchdog.message import Message

LONGEST_ADDRESS = 254  # characters of a mail address, RFC 5321 4.5.3.1
_ADDRESS = re.compile(r"[^@\s<>,;:\"\\\x00-\x1f\x7f-\x9f]+@[^@\s<>,;:\"\\\x00-\x1f\x7f-\x9f]+")


class NotProved(Exception):
    """A sender could not prove a delivery. The text never holds a secret.

    `is_permanent`: trying again soon cannot help (a bad token, a room that is gone).
    """

    def __init__(self, reason: str, *, is_permanent: bool = False) -> None:
        super().__init__(reason)
        self.is_permanent = is_permanent


class Sender(Protocol):
    """One way to reach people; called in a thread of its own, it blocks ten seconds at most."""

    def send(self, message: Message, now: datetime) -> str:
        """Send the message and give the proof: what was answered.

        Raises:
            NotProved: nobody can say that it has arrived.
        """
        ...


class Options:
    """The entry of one channel; every reading names the option where it does not fit."""

    def __init__(self, options: Mapping[str, object]) -> None:
        self._options = options

    def has(self, name: str) -> bool:
        return self._options.get(name) not in (None, "")

    def text(self, name: str, default: str | None = None) -> str:
        """A text, a secret one revealed.

        Raises:
            ValueError: it is missing, or no text.
        """
        value = self._options.get(name)
        if value is None and default is not None:
            return default
        text = value.reveal() if isinstance(value, Secret) else value
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{name}: {'is missing' if value is None else 'is no text'}")
        return text.strip()

    def number(self, name: str, default: int) -> int:
        """A whole number; also one that the environment gave as text.

        Raises:
            ValueError: it is none.
        """
        value = self._options.get(name, default)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise ValueError(f"{name}: is no whole number")
        return int(value)

    def texts(self, name: str) -> list[str]:
        """One text, or a list of them.

        Raises:
            ValueError: there is none.
        """
        value = self._options.get(name)
        parts = value if isinstance(value, list | tuple) else [value]
        found = [part.reveal() if isinstance(part, Secret) else part for part in parts]
        if not found or not all(isinstance(part, str) and part for part in found):
            raise ValueError(f"{name}: {'is missing' if value is None else 'is no text or list of texts'}")
        return [str(part) for part in found]

    def addresses(self, name: str) -> list[str]:
        """Mail addresses, their names left out: a list, or one text with commas.

        Raises:
            ValueError: there is none, or one is none.
        """
        found = [part for text in self.texts(name) for part in text.split(",") if part.strip()]
        addresses = [_with_ascii_domain(parseaddr(part)[1]) for part in found]
        if not found:
            raise ValueError(f"{name}: holds no address")
        if not all(part.isprintable() for part in found):
            raise ValueError(f"{name}: one of them holds a line break")
        for address in addresses:
            if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
                raise ValueError(f"{name}: one of them is no mail address")
        return addresses

    def url(self, name: str, *, allow_private: bool, default: str | None = None) -> str:
        """A web address, https unless private ones are allowed.

        Raises:
            ValueError: it is missing, or none; the address itself is not repeated.
        """
        text = self.text(name, default)
        try:
            parts = urlsplit(text)
            fits = bool(parts.hostname) and text.isprintable() and " " not in text and parts.port != 0
        except ValueError:
            raise ValueError(f"{name}: is no web address") from None
        if not fits or parts.scheme not in ("http", "https"):
            raise ValueError(f"{name}: is no web address")
        if parts.scheme == "http" and not allow_private:
            raise ValueError(
                f"{name}: begins with http://; https is needed unless network.allowPrivate is true"
            )
        return text


def _with_ascii_domain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return address

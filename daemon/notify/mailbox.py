"""Mail addresses as people write them into a config, judged before any server sees them."""

import re
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from daemon.notify.text import clean, one_line

LONGEST_ADDRESS = 254  # RFC 5321 with its erratum 1690
LONGEST_LOCAL = 64
LONGEST_NAME = 100
MOST_ADDRESSES = 200  # of one channel; a list of more belongs to a mailing list

# A dot-atom (RFC 5322), with letters beyond ASCII as RFC 6531 has them. Quoted local parts are left out:
# hardly anybody has one, and they are how commands are smuggled into a mail server.
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAMED = re.compile(r'\s*(?:"(?P<quoted>[^"<>]*)"|(?P<plain>[^"<>]*))\s*<(?P<address>[^<>]*)>\s*')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, its domain in ASCII, and the name that is shown for it."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server that offers SMTPUTF8 (RFC 6531) can take it."""
        return not self.address.isascii()

    @property
    def as_header(self) -> Address:
        """What the email package makes a From or To of."""
        local, _, domain = self.address.rpartition("@")
        return Address(display_name=self.name, username=local, domain=domain)


def parse_address(text: str) -> str:
    """An address with its domain in ASCII: `a@bücher.example` becomes `a@xn--bcher-kva.example`.

    Raises:
        ValueError: it is none; the message shows it and says what is wrong.
    """
    said = text.strip()
    shown = f'"{one_line(said)[:80]}"'
    local, at, domain = said.rpartition("@")
    if not at or "@" in local or not domain or not local:
        raise ValueError(f"{shown} is no mail address; one looks like ops@example.com")
    if len(local.encode("utf-8", "replace")) > LONGEST_LOCAL or not _LOCAL.fullmatch(local):
        raise ValueError(f"{shown} has something before the @ that no address may have")
    try:
        ascii_domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        ascii_domain = ""
    if not ascii_domain or not all(_LABEL.fullmatch(label) for label in ascii_domain.split(".")):
        raise ValueError(f"{shown} has no usable domain after the @")
    address = f"{local}@{ascii_domain}"
    if len(address.encode()) > LONGEST_ADDRESS:
        raise ValueError(f"{shown} is longer than an address may be ({LONGEST_ADDRESS} characters)")
    return address


def parse_mailbox(value: Any) -> Mailbox:
    """`ops@example.com`, or with a name: `Night desk <ops@example.com>`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, Mailbox):
        return value
    if not isinstance(value, str):
        raise ValueError("is no mail address; write ops@example.com or Night desk <ops@example.com>")
    named = _NAMED.fullmatch(value)
    if named is None:
        return Mailbox(parse_address(value))
    name = (named["quoted"] if named["quoted"] is not None else named["plain"]).strip()
    if name != clean(name) or "\n" in name or len(name) > LONGEST_NAME:
        raise ValueError(
            f"has a name before the address that is no line of text up to {LONGEST_NAME} characters"
        )
    return Mailbox(parse_address(named["address"]), name)


def parse_addresses(value: Any) -> tuple[str, ...]:
    """A list of addresses, or text with commas between them; each once, in the order given.

    Raises:
        ValueError: one of them is none, or there are none, or too many.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError(
            'is no list of mail addresses; write ["ops@example.com"] or "a@b.example, c@d.example"'
        )
    addresses = [parse_address(part) for part in parts if part.strip()]
    unique: dict[str, str] = {}
    for address in addresses:
        unique.setdefault(address.lower(), address)
    if not unique:
        raise ValueError("names nobody; write at least one mail address")
    if len(unique) > MOST_ADDRESSES:
        raise ValueError(f"names {len(unique)} addresses; at most {MOST_ADDRESSES}, use a mailing list")
    return tuple(unique.values())


Sender = Annotated[Mailbox, BeforeValidator(parse_mailbox, json_schema_input_type=str)]
Recipients = Annotated[
    tuple[str, ...],
    BeforeValidator(parse_addresses, json_schema_input_type=list[str] | str),
    Field(description="mail addresses, as a list or as text with commas between them"),
]

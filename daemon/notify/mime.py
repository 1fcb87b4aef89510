"""A message as the very bytes a mail server is given: multipart/alternative, plain text first."""

import re
from collections.abc import Sequence
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from daemon.notify import mail
from daemon.notify.base import Message
from daemon.notify.mailbox import Mailbox

# Base64 takes a third of what quoted-printable does for text that is not Latin, and next to no
# time; for a short mail it is the other that people and spam filters can read.
SHORT = 32_000
LONGEST_LINE = 78  # RFC 5322 asks for it, and allows 998
# The bytes a mail takes beside its parts, and what base64 makes of those: 4 for 3, and the line ends.
ENVELOPE = 4_000
_AS_BASE64 = 0.72

# Addresses in angle brackets. The email package would fold the long ones, and what it cannot fold it
# writes as an encoded word, which no mail program looks for there.
_VERBATIM = frozenset({"message-id", "references", "in-reply-to", "list-unsubscribe"})
_ON_ONE_LINE = re.compile(r"[\x20-\x7e]{1,960}")


class _Policy(EmailPolicy):
    """The SMTP policy, but for headers that it would not write as they are meant."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        # A subject as it stands: read as a header, "=?utf-8?…?=" in a title would become what it hides.
        return (name, value) if name.lower() == "subject" else super().header_store_parse(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() == "subject":
            return f"{name}: {_encoded(name, value)}\r\n".encode("ascii")
        if name.lower() not in _VERBATIM:
            return super().fold_binary(name, value)
        if not _ON_ONE_LINE.fullmatch(value):
            raise ValueError(f"{name} is no single line of ASCII")
        return f"{name}: {value}\r\n".encode("ascii")


def _encoded(name: str, value: str) -> str:
    """A text as a header holds it (RFC 2047); the package's newer way loses spaces between encoded words."""
    is_plain = value.isascii() and value.isprintable() and "=?" not in value
    if is_plain and len(name) + len(value) + 2 <= LONGEST_LINE:
        return value
    return Header(value, "utf-8", header_name=name).encode(linesep="\r\n")


_PLAIN = _Policy(linesep="\r\n", max_line_length=LONGEST_LINE)
_UTF8 = _PLAIN.clone(utf8=True)


def compose(
    message: Message,
    sender: Mailbox,
    to: Sequence[str],
    *,
    unsubscribe: str | None = None,
    utf8: bool = False,
    most: int | None = None,
) -> bytes:
    """The mail: every line ends in CRLF and is at most 998 bytes long; where `most` is said, so is the whole.

    `utf8` is for a server that offers SMTPUTF8, and is needed for addresses beyond ASCII. A mail that has
    to be smaller leaves entries out, and says how many.

    Raises:
        ValueError: `most` is too little for any mail.
    """
    made = EmailMessage(policy=_UTF8 if utf8 else _PLAIN)
    made["From"] = sender.as_header
    made["To"] = [Mailbox(address).as_header for address in to]
    made["Subject"] = mail.subject(message)
    made["Date"] = format_datetime(message.created_at)
    for name, value in mail.headers(message, sender.domain, unsubscribe).items():
        made[name] = value
    text_room, html_room = _rooms(most)
    _add(made, mail.text(message, text_room), mail.html(message, html_room), is_tight=most is not None)
    composed = bytes(made)
    if most is not None and len(composed) > most:
        raise ValueError(f"a mail of {len(composed)} bytes does not fit into {most}")
    return composed


def _rooms(most: int | None) -> tuple[int, int]:
    """How many bytes the text and the HTML may have before they are encoded."""
    if most is None:
        return mail.TEXT_ROOM, mail.HTML_ROOM
    room = max(0, int((most - ENVELOPE) * _AS_BASE64))
    return min(mail.TEXT_ROOM, room // 3), min(mail.HTML_ROOM, room * 2 // 3)


def _add(made: EmailMessage, text: str, html: str, *, is_tight: bool) -> None:
    cte = "base64" if is_tight or len(text) + len(html) > SHORT else "quoted-printable"
    made.set_content(text, cte=cte)
    made.add_alternative(html, subtype="html", cte=cte)

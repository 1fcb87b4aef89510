"""A message in the dress of a mail: subject, plain text, HTML, and the headers that go with it.

Foreign text is cleaned, cut and escaped here. Nothing is fetched when such a mail is opened: no image, no
font, no script. A storm of alerts is one mail that names every one of them, so entries are first told in
fewer words and only then left out.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence

from daemon.notify.base import Entry, Message
from daemon.notify.mail_html import Html
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
    signature,
)
from state.records import Severity

Dress = Callable[[int, Entry], str]  # one entry by its number, as text or as HTML

SUBJECT = 150  # more than any list of mails shows
MOST_ENTRIES = 5_000
RICH_ENTRIES = 100  # with more than these each is one line
# Bytes before they are encoded. Servers take 10 MB or more; base64 makes three bytes four.
TEXT_ROOM = 1_000_000
HTML_ROOM = 2_000_000

TEXT = 50_000
FACTS, FACT_NAME, FACT_VALUE = 100, 80, 1_000
TITLE, NOTE, ENTRY_TEXT = 300, 200, 600
LINE_TITLE, LINE_NOTE = 160, 120
BARE_TITLE = 80
BUTTON = 75

# What RFC 5322 lets stand left of the "@" of a Message-ID without quotes.
_LEGAL_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")
LONGEST_ID = 100


def subject(message: Message) -> str:
    """The subject: one line, an alert's with its severity before it."""
    return cut(headline(message), SUBJECT)


def text(message: Message, room: int = TEXT_ROOM) -> str:
    """The message as plain text, at most `room` bytes long; every entry named where that fits."""
    if message.html is not None:
        return _within(message.text, room)
    facts = "\n".join(f"{name}: {value}" for name, value in _facts(message))
    link = _link(message)
    button = f"{link[0]}: {link[1]}" if link else ""
    head = "\n\n".join(filter(None, [headline(message), _body(message, room // 4), facts, button]))
    foot = f"-- \n{signature(message)}"
    left = room - _bytes_of(head) - _bytes_of(foot) - 100
    lines, left_out = _listed(message, (_full_text, _line_text, _bare_text), left)
    entries = "\n".join([*lines, more(left_out)] if left_out else lines)
    return "\n\n".join(filter(None, [head, entries, foot])) + "\n"


def html(message: Message, room: int = HTML_ROOM) -> str:
    """The message as an HTML page, at most about `room` bytes long; every entry named where that fits."""
    if message.html is not None and _bytes_of(message.html) <= room:
        return message.html
    page = Html(message)
    body = _body(message, room // 16)  # escaped, a character may take six bytes
    head = page.head(subject(message), one_line(message.title) or UNTITLED, body, _facts(message))
    button = page.button(_link(message))
    foot = page.foot(signature(message))
    left = room - sum(map(_bytes_of, (head, button, foot))) - 1_000
    lines, left_out = _listed(message, (_full_html, _line_html, _bare_html), left)
    entries = page.entries(lines, more(left_out) if left_out else "")
    return "".join((head, button, entries, foot))


def headers(message: Message, domain: str, unsubscribe: str | None = None) -> dict[str, str]:
    """The headers beside From, To, Date and Subject; `domain` is the sender's, in ASCII.

    `unsubscribe` is an address of `unsubscribe_address`; only a digest is something to unsubscribe from.
    """
    made = {
        "Message-ID": message_id(message.id, domain),
        **thread_headers(message, domain),
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's absence note answers it
        "X-Auto-Response-Suppress": "All",  # the same for Exchange
    }
    if message.severity is Severity.CRITICAL and message.kind != "resolved":
        made["Importance"] = "high"
    if message.kind == "digest" and unsubscribe:
        made["List-Unsubscribe"] = f"<{unsubscribe}>"
        if unsubscribe.startswith("https:"):
            made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    return made


def message_id(id: str, domain: str) -> str:
    """The Message-ID (RFC 5322, 3.6.4), the same for every copy of a message.

    What may not stand in one is left out, and a digest of the whole keeps two such ids apart.
    """
    if len(id) <= LONGEST_ID and _LEGAL_ID.fullmatch(id):
        return f"<{id}@{domain}>"
    mark = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"<{_ILLEGAL.sub('-', id[:40]).strip('-') or 'message'}.{mark}@{domain}>"


def thread_headers(message: Message, domain: str) -> dict[str, str]:
    """What makes one conversation of all mails of a thread, whichever of them arrives first, or at all.

    All of them, the first too, refer to the same mail, which is never sent. Gmail also parts what differs
    in its subject; that an alert is over is worth more in the subject than one line less in a list.
    """
    if message.thread is None:
        return {}
    root = message_id(f"thread.{message.thread}", domain)
    return {"In-Reply-To": root, "References": root}


def unsubscribe_address(said: str) -> str:
    """An https or mailto address for List-Unsubscribe; a bare mail address becomes a mailto one.

    Raises:
        ValueError: it is neither, or holds what may not stand in a header.
    """
    said = said.strip()
    address = said if ":" in said else f"mailto:{said}"
    if safe_url(address) == address and address.startswith("https://") and len(address) <= 900:
        return address
    if re.fullmatch(
        r"mailto:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}(\?[!-;=?-~]*)?", address
    ):
        return address
    raise ValueError(
        "is neither an https address nor a mail address; write https://… or mailto:unsubscribe@example.com"
    )


def _within(text: str, room: int) -> str:
    """The beginning of a text that is meant as it stands, columns and all."""
    if _bytes_of(text) <= room:
        return text
    return text.encode()[: max(0, room - 10)].decode("utf-8", "ignore") + "\n…\n"


def _body(message: Message, room: int) -> str:
    return cut(clean(message.text[: 2 * TEXT]), min(TEXT, max(room, 200)))


def _facts(message: Message) -> list[tuple[str, str]]:
    shown = [
        (
            cut(one_line(name[:MOST_READ]), FACT_NAME) or "-",
            cut(one_line(value[:MOST_READ]), FACT_VALUE) or "-",
        )
        for name, value in message.facts[:FACTS]
    ]
    return [*shown, ("…", f"and {len(message.facts) - FACTS} more")] if len(message.facts) > FACTS else shown


def _link(message: Message) -> tuple[str, str] | None:
    """The label and the address of the button, where there is an address that may be shown as a link."""
    url = safe_url(message.link[1]) if message.link else None
    if message.link is None or url is None:
        return None
    return cut(one_line(message.link[0][:MOST_READ]), BUTTON) or "Open", url


def _listed(message: Message, dresses: Sequence[Dress], room: int) -> tuple[list[str], int]:
    """All entries in the fullest dress they fit in, else as many as do in the barest; and how many do not."""
    entries, total = message.entries[:MOST_ENTRIES], len(message.entries)
    lines: list[str] = []
    for dress in dresses[0 if total <= RICH_ENTRIES else 1 :]:
        lines = [dress(number, entry) for number, entry in enumerate(entries, 1)]
        if _fit(lines, room) == len(lines):
            return lines, total - len(lines)
    kept = _fit(lines, room)
    return lines[:kept], total - kept


def _fit(lines: Iterable[str], room: int) -> int:
    return how_many_fit(lines, room, 0, _bytes_of)


def _bytes_of(text: str) -> int:
    return len(text.encode())


def _part(text: str, limit: int) -> str:
    return cut(one_line(text[:MOST_READ]), limit)


def _full_text(number: int, entry: Entry) -> str:
    title, note, words = (
        _part(entry.title, TITLE),
        _part(entry.note, NOTE),
        _part(entry.text, ENTRY_TEXT),
    )
    lines = filter(None, [note, safe_url(entry.url), words])
    return "\n   ".join([f"{number}. {title or UNTITLED}", *lines])


def _line_text(number: int, entry: Entry) -> str:
    note = _part(entry.note, LINE_NOTE)
    return f"{number}. {_part(entry.title, LINE_TITLE) or UNTITLED}" + (f" · {note}" if note else "")


def _bare_text(number: int, entry: Entry) -> str:
    return f"{number}. {_part(entry.title, BARE_TITLE) or UNTITLED}"


def _full_html(_number: int, entry: Entry) -> str:
    return Html.entry(
        _part(entry.title, TITLE) or UNTITLED,
        safe_url(entry.url),
        _part(entry.note, NOTE),
        _part(entry.text, ENTRY_TEXT),
    )


def _line_html(_number: int, entry: Entry) -> str:
    url = safe_url(entry.url)
    return Html.line(_part(entry.title, LINE_TITLE) or UNTITLED, url, _part(entry.note, LINE_NOTE))


def _bare_html(_number: int, entry: Entry) -> str:
    return Html.line(_part(entry.title, BARE_TITLE) or UNTITLED, None, "")

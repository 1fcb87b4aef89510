"""Foreign text made harmless, cut to fit, and a message as plain text.

Titles and texts come from strangers. What is cleaned here is what no channel's own escaping covers:
characters that are not seen but change what is. What a channel gives a meaning to it escapes itself.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from urllib.parse import quote, urlsplit

from daemon.notify.base import Entry, Message

Cost = Callable[
    [str], int
]  # what a text takes of a limit: the sum of what its characters take, each at least one

ELLIPSIS = "…"
LONGEST_URL = 2000
UNTITLED = "(no title)"
PLAIN_PART = 200  # characters of an entry's title, note and text, each, in plain text
MOST_READ = 2_000  # characters of each that are looked at at all: a post may be a novel

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Controls; marks that turn the direction of the text; characters without width (the joiners of emoji and
# of Persian, U+200C and U+200D, are kept); the tag characters, which can smuggle unseen text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MANY_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_BREAKS = re.compile(r"[^\S ]")
_SPACES = re.compile(r"\s+")
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILED_MARKS = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")
# A character is left whole if it is put together of fewer parts than this; a longer heap is cut.
_MOST_PARTS = 16
_URL_KEEPS = (
    "%:/?#[]@!$&'()*+,;=~-._"  # RFC 3986 reserved and unreserved; "%" so that nothing is quoted twice
)


def clean(text: str) -> str:
    """Take out what is not seen, heaps of marks and runs of blank lines; half a surrogate becomes U+FFFD."""
    text = _LINE_ENDS.sub("\n", text)
    text = _UNSEEN.sub("", text)
    text = _LONE_SURROGATE.sub("\ufffd", text)
    text = _PILED_MARKS.sub(r"\1", text)
    return _MANY_BLANK_LINES.sub("\n\n", text).strip()


def one_line(text: str) -> str:
    """Clean, and bring it onto one line."""
    return _SPACES.sub(" ", clean(text)).strip()


def cut(text: str, limit: int, cost: Cost = len) -> str:
    """The text if it fits, else as much of it as fits with "…" behind; never half a visible character."""
    head = text[: limit + 1]  # no character takes less than one: what is longer does not fit
    if cost(head) <= limit:
        return head
    room = limit - cost(ELLIPSIS)
    if room < 0:
        return ""
    end = bisect_right(range(1, len(head) + 1), room, key=lambda length: cost(head[:length]))
    return head[: _between_characters(head, end)].rstrip() + ELLIPSIS


def safe_url(url: str | None) -> str | None:
    """An address that may be shown as a link: http or https, nothing in it that ends a link early.

    None where it is neither, names a user (`https://bank.example@evil.example`), or is too long: a link
    cut short leads elsewhere.
    """
    if url is None:
        return None
    url = _LONE_SURROGATE.sub("\ufffd", url.strip())
    if _UNSEEN.search(url) or _BREAKS.search(url):
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        return None
    if not usable or re.search(r"[\s<>|\\\"'`&]", parts.netloc):
        return None
    quoted = quote(url, safe=_URL_KEEPS).replace("'", "%27")
    return quoted if len(quoted) <= LONGEST_URL else None


def headline(message: Message) -> str:
    """The title on one line, an alert's with its severity before it."""
    title = one_line(message.title) or UNTITLED
    return title if message.severity is None else f"{message.severity.value.upper()}: {title}"


def signature(message: Message) -> str:
    """The last line of a message: what kind, when, and the id that is the same on every copy."""
    at = message.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"nightdesk · {one_line(message.kind)} · {at} · {one_line(message.id)}"


def more(count: int) -> str:
    """The line that stands for the entries left out."""
    return f"{ELLIPSIS} and {count} more"


def plain_text(message: Message, limit: int, cost: Cost = len) -> str:
    """The whole message as plain text; entries that do not fit are counted, a text too long is cut."""
    closing = _closing(message, limit // 2, cost)
    facts = "\n".join(f"{one_line(name)}: {one_line(value)}" for name, value in message.facts)
    opening = "\n\n".join(filter(None, [headline(message), clean(message.text), facts]))
    opening = cut(opening, limit - cost(closing) - 2, cost)
    room = limit - cost(opening) - cost(closing) - 4
    total, lines = len(message.entries), list[str]()

    def written() -> Iterator[str]:
        for number, entry in enumerate(message.entries, 1):
            lines.append(_entry_text(number, entry))  # no more are written than are asked for
            yield lines[-1]

    kept = how_many_fit(written(), room, cost(more(total)), cost)
    lines = [*lines[:kept], more(total - kept)] if kept < total else lines
    return cut("\n\n".join(filter(None, [opening, "\n".join(lines), closing])), limit, cost)


def how_many_fit(
    parts: Iterable[str], room: int, reserve: int, cost: Cost = len, *, are_all: bool = True
) -> int:
    """How many of the first parts fit into `room`; where not all do, `reserve` is left for saying so."""
    fit = fit_beside_reserve = taken = 0
    for part in parts:
        taken += cost(part) + 1  # and what parts it from the next
        if taken > room:
            return fit_beside_reserve
        fit += 1
        if taken <= room - reserve:
            fit_beside_reserve = fit
    return fit if are_all else fit_beside_reserve


def _closing(message: Message, limit: int, cost: Cost) -> str:
    """The link as a line; left out where it takes more than its share, since half a link leads astray."""
    where = safe_url(message.link[1]) if message.link else None
    if message.link is None or where is None:
        return ""
    line = f"{one_line(message.link[0])}: {where}"
    return line if cost(line) <= limit else ""


def _entry_text(number: int, entry: Entry) -> str:
    title, note, text = (
        cut(one_line(part[:MOST_READ]), PLAIN_PART) for part in (entry.title, entry.note, entry.text)
    )
    return "\n   ".join([f"{number}. {title or UNTITLED}", *filter(None, [note, safe_url(entry.url), text])])


def _between_characters(text: str, at: int) -> int:
    """The nearest place at or before `at` that does not part a letter from its accent, or an emoji."""
    for place in range(at, max(at - _MOST_PARTS, 0), -1):
        if not _clings(text[place]) and text[place - 1] != "\u200d":
            return place
    return at


def _clings(character: str) -> bool:
    """Whether a character belongs to the one before it: an accent, a joiner, a variation, a skin tone."""
    if character < "\u0300":
        return False
    return (
        unicodedata.combining(character) != 0
        or character in "\u200c\u200d"
        or "\ufe00" <= character <= "\ufe0f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )

"""A message in Discord's dress: embeds within their limits, foreign text without its powers.

Limits are those of Discord's message resource. Its server counts code points (discord-api-docs, issue
1315); here UTF-16 units are counted, after escaping, which are never fewer.
"""

import re
from typing import Any

from daemon.notify.base import Entry, Message
from daemon.notify.text import (
    MOST_READ,
    UNTITLED,
    clean,
    cut,
    headline,
    how_many_fit,
    more,
    one_line,
    plain_text,
    safe_url,
    signature,
)
from state.records import Severity

Embed = dict[str, Any]
Payload = dict[str, Any]

CONTENT = 2_000
TITLE = 256
DESCRIPTION = 4_096
FOOTER = 2_048
ALL_TEXT = 6_000  # of all embeds of a message together

# Shares of ALL_TEXT, such that text and facts at their longest leave room for an entry.
TEXT = 1_800
FACTS, FACT_NAME, FACT_VALUE = 15, 40, 100
SHORT_FACT = 30  # stands beside others on a line
ENTRY_TITLE, ENTRY_NOTE = 200, 150
LINK_LABEL, LINK = 80, 500
SIGNATURE = 200
NOTHING = "\u2013"  # an empty field would have the whole message refused, and a hyphen begins a list
ENTRY_TEXTS = (400, 150, 0)  # tried in this order until all entries fit

# The bar at the side of an embed.
COLOURS = {
    Severity.CRITICAL: 0xB3001B,
    Severity.ERROR: 0xE5532D,
    Severity.WARNING: 0xF2B134,
    Severity.INFO: 0x3D7EDB,
}
OVER = 0x2E9E5B
NEUTRAL = 0x4A6FA5

# Nobody is mentioned, whatever the text holds; the default would let it mention users.
NO_MENTIONS: dict[str, list[str]] = {"parse": []}

_EVERYONE = re.compile(r"@(?=everyone|here)", re.IGNORECASE)
# A backslash takes their meaning from these; where a line begins, from a few more.
_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\*_~`|<>[]"})
_LINE_MARKS = re.compile(r"^([^\S\n]*)([-+#])|^([^\S\n]*\d+)(\.)", re.MULTILINE)
# In the label of a link there is no escaping: the backslashes would be seen (discord-api-docs, issue 6185).
# So what has a meaning is replaced by what looks alike.
_LOOKALIKES = str.maketrans(
    {
        "[": "(",
        "]": ")",
        "*": "\u2217",
        "_": "\u02cd",
        "~": "\u223c",
        "`": "\u02cb",
        "|": "\u2223",
        "\\": "\u2216",
        "<": "\u2039",
        ">": "\u203a",
        "@": "\uff20",
    }
)
# A round bracket would end the address, an asterisk the bold type that the link stands in.
_IN_LINKS = str.maketrans({"(": "%28", ")": "%29", "*": "%2A"})


def rich_payload(message: Message) -> Payload:
    """The message as embeds: the first holds what happened, those after it the entries."""
    first = _first(message)
    footer = escapeless(signature(message), SIGNATURE)
    room = ALL_TEXT - text_size(first) - _utf16(footer)
    pages = [{"description": page} for page in _pages(message, room)]
    embeds: list[Embed] = [{**embed, "color": colour(message)} for embed in (first, *pages)]
    embeds[-1] |= {"footer": {"text": footer}, "timestamp": message.created_at.isoformat()}
    return {"embeds": embeds, "allowed_mentions": NO_MENTIONS}


def plain_payload(message: Message) -> Payload:
    """The message as text alone, for when the embeds are refused: in a block of code, where nothing is read
    as anything, with the link behind it.
    """
    url = safe_url(message.link[1]) if message.link else None
    link = f"\n<{url}>" if url is not None and len(url) <= LINK else ""
    text = plain_text(message, CONTENT - len("```\n\n```") - len(link), _utf16)
    text = _EVERYONE.sub("\uff20", text.replace("`", "\u02cb"))
    return {"content": f"```\n{text}\n```{link}", "allowed_mentions": NO_MENTIONS}


def colour(message: Message) -> int:
    """What the bar says before a word is read."""
    if message.kind == "resolved":
        return OVER
    return NEUTRAL if message.severity is None else COLOURS[message.severity]


def escaped(text: str, limit: int) -> str:
    """Cut to the limit and then escape, so that no backslash is parted from what it escapes."""
    return _escape(cut(text, limit, cost))


def escapeless(text: str, limit: int) -> str:
    """Cut to the limit, for where Discord reads no markdown."""
    return cut(_EVERYONE.sub("\uff20", text), limit, _utf16)


def cost(text: str) -> int:
    """What a text takes of a limit once it is escaped."""
    return _utf16(_escape(text))


def text_size(embed: Embed) -> int:
    """What an embed takes of ALL_TEXT."""
    texts = [embed.get("title", ""), embed.get("description", "")]
    texts += [part for field in embed.get("fields", ()) for part in (field["name"], field["value"])]
    return sum(map(_utf16, texts))


def _escape(text: str) -> str:
    text = _EVERYONE.sub("\uff20", text).translate(_MARKS)
    text = text.replace("://", "\\://")  # or a bare address would become a link
    return _LINE_MARKS.sub(r"\1\3\\\2\4", text)


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _first(message: Message) -> Embed:
    title, text = headline(message), clean(message.text)
    if cost(title) > TITLE:
        text = f"{title}\n\n{text}".strip()
    embed: Embed = {"title": escaped(title, TITLE)}
    link = _link_of(message)
    if described := "\n\n".join(filter(None, [escaped(text, TEXT), link and f"**{link}**"])):
        embed["description"] = described
    if message.link and (url := safe_url(message.link[1])) is not None:
        embed["url"] = url
    if fields := _fields(message.facts):
        embed["fields"] = fields
    return embed


def _fields(facts: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    shown = list(facts[:FACTS])
    if len(facts) > FACTS:
        shown[-1] = ("…", f"and {len(facts) - FACTS + 1} more")
    return [_field(name, value) for name, value in shown]


def _field(name: str, value: str) -> dict[str, Any]:
    shown = escaped(one_line(value), FACT_VALUE) or NOTHING
    return {
        "name": escaped(one_line(name), FACT_NAME) or NOTHING,
        "value": shown,
        "inline": _utf16(shown) <= SHORT_FACT,
    }


def _pages(message: Message, room: int) -> list[str]:
    """The entries, as many descriptions as they need; first their texts are shortened, then they are left
    out from the end.
    """
    total = len(message.entries)
    texts: list[str] = []
    for text_limit in ENTRY_TEXTS:
        texts, taken = _until_full(message.entries, text_limit, room)
        if taken <= room:
            break
    # It counts one for what parts two entries, and a blank line takes two.
    kept = how_many_fit(
        texts,
        room,
        _taken(_more(total, message)),
        lambda text: _utf16(text) + 1,
        are_all=len(texts) == total,
    )
    shown = [*texts[:kept], _more(total - kept, message)] if kept < total else texts
    return _packed(shown)


def _until_full(entries: tuple[Entry, ...], text_limit: int, room: int) -> tuple[list[str], int]:
    """The entries up to the first that does not fit, that one too: there may be thousands behind it."""
    texts, taken = [], 0
    for entry in entries:
        texts.append(_entry(entry, text_limit))
        taken += _taken(texts[-1])
        if taken > room:
            break
    return texts, taken


def _packed(texts: list[str]) -> list[str]:
    pages: list[list[str]] = []
    taken = DESCRIPTION
    for text in texts:
        if taken + _taken(text) > DESCRIPTION:
            pages.append([])
            taken = 0
        pages[-1].append(text)
        taken += _taken(text)
    return ["\n\n".join(page) for page in pages]


def _taken(text: str) -> int:
    """What an entry takes, with the blank line behind it."""
    return _utf16(text) + 2


def _entry(entry: Entry, text_limit: int) -> str:
    title = one_line(entry.title[:MOST_READ])
    link = _link(entry.url, title, ENTRY_TITLE)
    lines = [
        f"**{link or escaped(title, ENTRY_TITLE) or UNTITLED}**",
        escaped(one_line(entry.note), ENTRY_NOTE),
        escaped(one_line(entry.text[:MOST_READ]), text_limit) if text_limit else "",
    ]
    return "\n".join(filter(None, lines))


def _more(count: int, message: Message) -> str:
    link = _link_of(message)
    return f"{more(count)}: {link}" if link else more(count)


def _link_of(message: Message) -> str:
    return _link(message.link[1], one_line(message.link[0]) or "Open", LINK_LABEL) if message.link else ""


def _link(url: str | None, label: str, limit: int) -> str:
    """A masked link; nothing where the address is not safe, or takes too much."""
    address = (safe_url(url) or "").translate(_IN_LINKS)
    if not address or len(address) > LINK:
        return ""
    # Were there an address in the label, the whole would be shown as it is written (issue 7721).
    shown = label.translate(_LOOKALIKES).replace("://", ":\u2215\u2215")
    return f"[{cut(shown, limit, _utf16) or UNTITLED}]({address})"

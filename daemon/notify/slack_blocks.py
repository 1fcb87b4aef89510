"""A message in Slack's dress: Block Kit within its limits, foreign text without its powers.

Limits and escaping are those of Slack's Block Kit reference. Lengths are counted after escaping and in
UTF-16 units, the strictest way they can be counted on the other side.
"""

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

Block = dict[str, Any]
Payload = dict[str, Any]

MOST_BLOCKS = 50
MOST_FIELDS = 10  # of one section
# One over-long text has Slack refuse the whole message, and so has a little over 13,000 of all together.
ALL_TEXT = 12_000
HEADER = 150
BUTTON = 75
PREVIEW = 500  # what a phone shows of the notification, and a screen reader reads
PLAIN = 4_000  # beyond it Slack parts a plain message in two

# Shares of ALL_TEXT, such that text and facts at their longest leave room for some entries.
TEXT = 2_500
FACTS, FACT_NAME, FACT_VALUE = 20, 60, 200
ENTRY_TITLE, ENTRY_NOTE = 300, 200
LINK = 1_000  # an address of many "&" is five times as long once they are escaped
ENTRY_TEXTS = (600, 200, 0)  # tried in this order until all entries fit

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPES = str.maketrans(_ENTITIES)


def rich_payload(message: Message) -> Payload:
    """The message as blocks, with the text that notifications show."""
    preview = escaped(plain_text(message, PREVIEW, cost), PREVIEW)
    head = [*_header(message), *_fact_sections(message.facts)]
    tail = [*_button(message), _signature(message)]
    most = MOST_BLOCKS - len(head) - len(tail) - 1  # one for "… and N more"
    room = ALL_TEXT - _utf16(preview) - sum(map(_text_size, [*head, *tail]))
    return {
        "text": preview,
        "blocks": [*head, *_entries(message, most, room), *tail],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def plain_payload(message: Message) -> Payload:
    """The message as text alone, for when the blocks are refused."""
    return {
        "text": escaped(plain_text(message, PLAIN, cost), PLAIN),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str, limit: int) -> str:
    """Cut to the limit and then escape, so that no entity is ever cut in two.

    With these three replaced nothing in a text can be read as a mention or a link.
    """
    return cut(text, limit, cost).translate(_ESCAPES)


def cost(text: str) -> int:
    """What a text takes of a limit once it is escaped."""
    growth = sum((len(entity) - 1) * text.count(character) for character, entity in _ENTITIES.items())
    return _utf16(text) + growth


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _header(message: Message) -> list[Block]:
    title, text = headline(message), clean(message.text)
    shown = escaped(title, HEADER)
    if cost(title) > HEADER:
        text = f"{title}\n\n{text}".strip()
    blocks: list[Block] = [{"type": "header", "text": _plain(shown)}]
    if text:
        blocks.append({"type": "section", "text": _mrkdwn(escaped(text, TEXT))})
    return blocks


def _fact_sections(facts: tuple[tuple[str, str], ...]) -> list[Block]:
    shown = list(facts[:FACTS])
    if len(facts) > FACTS:
        shown[-1] = ("…", f"and {len(facts) - FACTS + 1} more")
    fields = [_fact(name, value) for name, value in shown]
    return [
        {"type": "section", "fields": fields[start : start + MOST_FIELDS]}
        for start in range(0, len(fields), MOST_FIELDS)
    ]


def _fact(name: str, value: str) -> Block:
    title = escaped(one_line(name), FACT_NAME) or "-"
    return _mrkdwn(f"*{title}*\n{escaped(one_line(value), FACT_VALUE) or '-'}")


def _entries(message: Message, most: int, room: int) -> list[Block]:
    """One section an entry; first their texts are shortened, only then the last of them left out."""
    total = len(message.entries)
    texts: list[str] = []
    for text_limit in ENTRY_TEXTS:
        texts = [_entry(entry, text_limit) for entry in message.entries[:most]]
        if sum(_utf16(text) for text in texts) <= room:
            break
    reserve = _utf16(_more(total, message))
    kept = how_many_fit(texts, room, reserve, _utf16, are_all=len(texts) == total)
    shown = [*texts[:kept], _more(total - kept, message)] if kept < total else texts
    return [{"type": "section", "text": _mrkdwn(text)} for text in shown]


def _entry(entry: Entry, text_limit: int) -> str:
    # A backtick would open a run of code that swallows what follows, the link's end too.
    title = escaped(one_line(entry.title[:MOST_READ]).replace("`", "\u02cb"), ENTRY_TITLE) or UNTITLED
    url = safe_url(entry.url)
    lines = [
        title if url is None else _link(url, title),
        escaped(one_line(entry.note), ENTRY_NOTE),
        escaped(one_line(entry.text[:MOST_READ]), text_limit) if text_limit else "",
    ]
    return "\n".join(filter(None, lines))


def _more(count: int, message: Message) -> str:
    url = safe_url(message.link[1]) if message.link else None
    if message.link is None or url is None:
        return more(count)
    label = escaped(one_line(message.link[0]), BUTTON) or "open"
    return f"{more(count)}: {_link(url, label)}"


def _link(url: str, label: str) -> str:
    """A link of a safe address and an escaped label; the label alone where the address takes too much."""
    address = url.translate(_ESCAPES)
    return f"<{address}|{label}>" if len(address) <= LINK else label


def _button(message: Message) -> list[Block]:
    url = safe_url(message.link[1]) if message.link else None
    if message.link is None or url is None:
        return []
    label = escaped(one_line(message.link[0]), BUTTON) or "Open"
    button = {"type": "button", "action_id": "open", "text": _plain(label), "url": url}
    return [{"type": "actions", "elements": [button]}]


def _signature(message: Message) -> Block:
    return {"type": "context", "elements": [_plain(escaped(signature(message), ENTRY_TITLE))]}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _mrkdwn(text: str) -> Block:
    # Verbatim: otherwise Slack makes mentions and links out of the plain "@here" and addresses it finds.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _text_size(block: Block) -> int:
    """What a block takes of ALL_TEXT, addresses of buttons included."""
    texts = [block.get("text", {}).get("text", "")]
    texts += [field["text"] for field in block.get("fields", ())]
    for element in block.get("elements", ()):
        inner = element["text"]
        texts += [inner] if isinstance(inner, str) else [inner["text"], element["url"]]
    return sum(_utf16(text) for text in texts)

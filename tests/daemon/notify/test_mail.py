"""A message in the dress of a mail: what is said, what is escaped, and what fits."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest

from daemon.notify import mail
from daemon.notify.base import Entry, Message
from daemon.notify.mail_html import BAND, CALM, OVER, band
from state.records import Severity
from tests.daemon.notify.hostile import NOW, hostile_message

ALERT = Message(
    id="n-17",
    kind="alert",
    title="daily-reports failed for acme",
    text="The database does not answer.\nSince 06:00.\n\nTomorrow's run is not touched.",
    severity=Severity.CRITICAL,
    facts=(("Attempts", "3"), ("Deadline", "07:00 Europe/Berlin")),
    entries=(Entry(title="acme <eu>", url="https://nightdesk.example/a?b=1&c=2", note="3 times", text="5"),),
    link=("Acknowledge", "https://nightdesk.example/alerts/17"),
    thread="i-4",
    created_at=NOW,
)
DIGEST = replace(ALERT, kind="digest", severity=None, thread=None)
OURS = {
    "html": {"lang"},
    "head": set(),
    "meta": {"charset", "name", "content"},
    "title": set(),
    "style": set(),
    "body": {"class", "style"},
    "table": {"role", "width", "cellpadding", "cellspacing", "border", "class", "style"},
    "tr": set(),
    "td": {"class", "style", "valign", "align"},
    "h1": {"class", "style"},
    "p": {"class", "style"},
    "br": set(),
    "a": {"class", "style", "href"},
    "div": {"class", "style"},
    "ol": {"class", "style"},
    "li": set(),
    "span": {"class"},
}
EMPTY = {"meta", "br"}


class Page(HTMLParser):
    """Reads a page as a mail program does; anything that is not ours is a fault."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    @property
    def text(self) -> str:
        return "\n".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in OURS or set(given) - OURS[tag]:
            self.faults.append(f"<{tag} {given}>")
        if "url(" in given.get("style", "") or "expression" in given.get("style", ""):
            self.faults.append(given["style"])
        self.links += [given["href"]] if "href" in given else []
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.words += [data.strip()] if data.strip() and self._open[-1] != "style" else []

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}>")


def storm(count: int, **about: Any) -> Message:
    entries = (Entry(title=f"task.failed: report of company-{n}-x", note="1 time") for n in range(count))
    return replace(ALERT, entries=tuple(entries), **about)


def test_the_subject_is_one_line_with_the_severity_before_it() -> None:
    assert mail.subject(ALERT) == "CRITICAL: daily-reports failed for acme"
    assert mail.subject(replace(DIGEST, title="a\r\nBcc: all@example.com\x00")) == "a Bcc: all@example.com"
    assert len(mail.subject(replace(DIGEST, title="x" * 10_000))) == 150


def test_the_text_says_everything_in_order() -> None:
    assert mail.text(ALERT) == (
        "CRITICAL: daily-reports failed for acme\n\n"
        "The database does not answer.\nSince 06:00.\n\nTomorrow's run is not touched.\n\n"
        "Attempts: 3\nDeadline: 07:00 Europe/Berlin\n\n"
        "Acknowledge: https://nightdesk.example/alerts/17\n\n"
        "1. acme <eu>\n   3 times\n   https://nightdesk.example/a?b=1&c=2\n   5\n\n"
        "-- \nnightdesk · alert · 2026-11-21 06:00 UTC · n-17\n"
    )


def test_the_page_says_everything_and_links_where_it_should() -> None:
    page = Page(mail.html(ALERT))
    assert page.faults == []
    assert page.links == ["https://nightdesk.example/alerts/17", "https://nightdesk.example/a?b=1&c=2"]
    assert page.words == [
        "CRITICAL: daily-reports failed for acme",
        "CRITICAL",
        "daily-reports failed for acme",
        "The database does not answer.",
        "Since 06:00.",
        "Tomorrow's run is not touched.",
        "Attempts",
        "3",
        "Deadline",
        "07:00 Europe/Berlin",
        "Acknowledge",
        "acme <eu>",
        "3 times",
        "5",
        "nightdesk · alert · 2026-11-21 06:00 UTC · n-17",
    ]


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_nothing_a_stranger_writes_becomes_markup(first: int) -> None:
    for seed in range(first, first + 50):
        message = hostile_message(seed)
        page = Page(mail.html(message))
        assert page.faults == []
        for link in page.links:
            assert urlsplit(link).scheme in ("http", "https")
            assert "@" not in urlsplit(link).netloc
        assert "\x00" not in page.text + mail.text(message)
        assert mail.html(message).encode()  # no half pair is left
        assert mail.text(message).encode()


def test_a_page_without_anything_is_whole() -> None:
    empty = Message(id="", kind="test", title=" ", created_at=NOW)
    page = Page(mail.html(empty))
    assert page.faults == []
    assert page.links == []
    assert page.words[:3] == ["(no title)", "TEST", "(no title)"]


@pytest.mark.parametrize("count", [101, 2_800, 5_000])
def test_every_entry_of_a_storm_is_named_in_both_parts(count: int) -> None:
    message = storm(count)
    text, page = mail.text(message), Page(mail.html(message))
    assert page.faults == []
    assert [f"company-{n}-x" in text for n in range(count)].count(False) == 0
    assert [f"company-{n}-x" in page.text for n in range(count)].count(False) == 0
    assert "more" not in text + page.text


def test_beyond_five_thousand_the_rest_is_counted() -> None:
    message = storm(5_021)
    assert "… and 21 more" in mail.text(message)
    assert "… and 21 more" in Page(mail.html(message)).text


@pytest.mark.parametrize("room", [10_000, 30_000, 200_000])
def test_what_has_less_room_says_less_of_each_before_it_leaves_any_out(room: int) -> None:
    message = storm(900, text="w" * 20_000)
    text, html = mail.text(message, room), mail.html(message, room)
    assert len(text.encode()) <= room
    assert len(html.encode()) <= room
    assert Page(html).faults == []
    left_out = 900 - text.count("company-")
    assert (f"… and {left_out} more" in text) is (left_out > 0)
    assert "Acknowledge" in text


@pytest.mark.parametrize("seed", range(0, 200, 25))
def test_the_largest_mails_stay_within_their_bounds(seed: int) -> None:
    message = hostile_message(seed)
    message = replace(message, entries=message.entries * (5_000 // max(1, len(message.entries))))
    assert len(mail.html(message).encode()) <= mail.HTML_ROOM
    assert len(mail.text(message).encode()) <= mail.TEXT_ROOM


@pytest.mark.parametrize(
    ("kind", "severity", "colour", "label"),
    [
        ("alert", Severity.CRITICAL, BAND[Severity.CRITICAL], "CRITICAL"),
        ("escalation", Severity.ERROR, BAND[Severity.ERROR], "ESCALATED · ERROR"),
        ("resolved", Severity.CRITICAL, OVER, "RESOLVED"),
        ("health", Severity.WARNING, BAND[Severity.WARNING], "HEALTH · WARNING"),
        ("digest", None, CALM, "DIGEST"),
    ],
)
def test_the_band_tells_how_bad_it_is(kind: str, severity: Severity | None, colour: str, label: str) -> None:
    assert band(replace(ALERT, kind=kind, severity=severity)) == (colour, label)


@pytest.mark.parametrize("colour", [*BAND.values(), OVER, CALM])
def test_white_letters_can_be_read_on_every_band(colour: str) -> None:
    def light(hex_pair: str) -> float:
        part = int(hex_pair, 16) / 255
        return float(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)

    red, green, blue = (light(colour[at : at + 2]) for at in (1, 3, 5))
    assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5


def test_every_copy_has_the_same_legal_id() -> None:
    assert mail.message_id("d-2026-11-21", "example.com") == "<d-2026-11-21@example.com>"
    for id in ("a b", "", "ä", "x" * 500, "a@b", "<x>", "a..b", ".a", "a\r\nBcc: x"):
        made = mail.message_id(id, "example.com")
        assert made == mail.message_id(id, "example.com")
        assert made.isascii()
        assert made.isprintable()
        assert made.count("@") == made.count("<") == 1
        assert len(made) < 90
        assert " " not in made
    assert mail.message_id("a b", "e.example") != mail.message_id("a  b", "e.example")


def test_all_mails_of_a_thread_refer_to_the_same_one() -> None:
    root = "<thread.i-4@example.com>"
    first, second = (mail.headers(replace(ALERT, id=id), "example.com") for id in ("n-17", "n-18"))
    assert first["References"] == first["In-Reply-To"] == second["References"] == root
    assert (first["Message-ID"], second["Message-ID"]) == ("<n-17@example.com>", "<n-18@example.com>")
    assert root not in (first["Message-ID"], mail.message_id("i-4", "example.com"))
    assert "References" not in mail.headers(DIGEST, "example.com")


def test_no_absence_note_is_asked_for() -> None:
    made = mail.headers(ALERT, "example.com")
    assert (made["Auto-Submitted"], made["Importance"]) == ("auto-generated", "high")
    assert "Importance" not in mail.headers(replace(ALERT, kind="resolved"), "example.com")


def test_a_digest_alone_can_be_unsubscribed_from() -> None:
    https, by_mail = "https://example.com/leave?u=1", "mailto:leave@example.com"
    made = mail.headers(DIGEST, "example.com", https)
    assert made["List-Unsubscribe"] == f"<{https}>"
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    made = mail.headers(DIGEST, "example.com", by_mail)
    assert made["List-Unsubscribe"] == f"<{by_mail}>"
    assert "List-Unsubscribe-Post" not in made
    assert "List-Unsubscribe" not in mail.headers(ALERT, "example.com", https)


def test_an_address_to_unsubscribe_at_is_https_or_mail() -> None:
    assert mail.unsubscribe_address(" leave@example.com ") == "mailto:leave@example.com"
    assert mail.unsubscribe_address("mailto:a@b.example?subject=leave") == "mailto:a@b.example?subject=leave"
    assert mail.unsubscribe_address("https://example.com/a?b=c&d=e") == "https://example.com/a?b=c&d=e"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "http://example.com",
        "https://",
        "ftp://x",
        "a@b\r\nBcc: c@d",
        "https://e.com/>,<mailto:x@y",
        "x",
        "a@b@c",
    ],
    ids=ascii,
)
def test_no_other_address_is_taken(said: str) -> None:
    with pytest.raises(ValueError, match="neither an https address nor a mail address"):
        mail.unsubscribe_address(said)

"""Foreign text is made harmless, and cut where nothing is broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.notify.base import Entry, Message
from daemon.notify.text import (
    clean,
    cut,
    headline,
    one_line,
    plain_text,
    safe_url,
    signature,
)
from state.records import Severity
from tests.daemon.notify.hostile import NOW, hostile_message


def message(**changes: object) -> Message:
    return Message(**{"id": "m1", "kind": "digest", "title": "Leads", "created_at": NOW, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("foreign", "cleaned"),
    [
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("one\n\n\n \n\ntwo", "one\n\ntwo"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("a" + "\u0301" * 50 + "b", "a" + "\u0301" * 4 + "b"),
        ("👩‍👩‍👧 می‌خواهم", "👩‍👩‍👧 می‌خواهم"),
        ("  \u3164 ", ""),
    ],
)
def test_what_is_not_seen_is_taken_out_and_what_is_seen_stays(foreign: str, cleaned: str) -> None:
    assert clean(foreign) == cleaned


def test_a_title_is_brought_onto_one_line() -> None:
    assert one_line(" a \n\n b\t\tc\u00a0d ") == "a b c d"


@given(st.text())
def test_cleaning_twice_changes_nothing_more_and_all_of_it_can_be_encoded(text: str) -> None:
    once = one_line(text)
    assert one_line(once) == once
    once.encode("utf-8")


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_fits_and_is_a_beginning_of_the_whole(text: str, limit: int) -> None:
    shortened = cut(text, limit)
    assert len(shortened) <= limit
    assert shortened == text or text.startswith(shortened.removesuffix("…"))


@given(st.text(alphabet="ab&<>👍é"), st.integers(0, 60))
def test_a_cut_text_fits_by_whatever_its_characters_cost(text: str, limit: int) -> None:
    def cost(text: str) -> int:
        return sum(5 if character in "&<>" else 2 for character in text)

    assert cost(cut(text, limit, cost)) <= limit


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abc  def", 6, "abc…"),
        ("ab👩‍👩‍👧cd", 6, "ab…"),
        ("abe\u0301cd", 4, "ab…"),
        ("ab👍🏽cd", 4, "ab…"),
        ("abcdef", 1, "…"),
        ("abcdef", 0, ""),
    ],
)
def test_a_cut_never_parts_a_visible_character(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.com/a?b=1&c=2#d", "https://example.com/a?b=1&c=2#d"),
        ("http://example.com/a|b>c<d e\"f'g", "http://example.com/a%7Cb%3Ec%3Cd%20e%22f%27g"),
        ("https://example.com/already%20quoted", "https://example.com/already%20quoted"),
        ("  https://example.com/ü  ", "https://example.com/%C3%BC"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("https://[2606:4700::1]/x", "https://[2606:4700::1]/x"),
        (None, None),
        ("", None),
        ("None/digests", None),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("https://bank.example@evil.example/", None),
        ("https://evil.example/\n<!channel>", None),
        ("https://evil.example/\u202egnp", None),
        ("https://ex<am>ple.com/", None),
        ("https://[::1", None),
        ("https://example.com:99999/", None),
        ("https://example.com/" + "x" * 2000, None),
        ("https://", None),
    ],
)
def test_only_web_addresses_that_end_where_they_seem_to_become_links(
    url: str | None, safe: str | None
) -> None:
    assert safe_url(url) == safe


def test_the_headline_of_an_alert_says_how_loud_it_is() -> None:
    assert headline(message(title="Redis\nis down", severity=Severity.CRITICAL)) == "CRITICAL: Redis is down"
    assert headline(message(title="\x00")) == "(no title)"


def test_the_signature_carries_the_stable_id() -> None:
    assert signature(message()) == "nightdesk · digest · 2026-11-21 06:00 UTC · m1"


def test_a_message_reads_as_plain_text() -> None:
    told = message(
        text="Two leads.",
        facts=(("Processed", "900"),),
        entries=(
            Entry(title="A", url="https://example.com/a", note="r/x · 0.9", text="why"),
            Entry(title="B"),
        ),
        link=("Open the digest", "https://app.example/d"),
    )
    assert plain_text(told, 1000) == (
        "Leads\n\nTwo leads.\n\nProcessed: 900\n\n"
        "1. A\n   r/x · 0.9\n   https://example.com/a\n   why\n2. B\n\n"
        "Open the digest: https://app.example/d"
    )


def test_entries_that_do_not_fit_are_counted_and_the_link_stays() -> None:
    told = message(
        entries=tuple(Entry(title=f"Lead {number}") for number in range(100)),
        link=("Open", "https://app.example/d"),
    )
    text = plain_text(told, 200)
    shown = text.count("Lead ")
    assert len(text) <= 200
    assert f"… and {100 - shown} more" in text
    assert text.endswith("Open: https://app.example/d")


def test_a_link_too_long_for_the_text_is_left_out_and_not_cut() -> None:
    told = message(text="word " * 100, link=("Open", "https://app.example/" + "d" * 90))
    assert "https" not in plain_text(told, 100)


@pytest.mark.parametrize("seed", range(40))
def test_plain_text_of_anything_fits_and_can_be_encoded(seed: int) -> None:
    for limit in (60, 500, 4000):
        text = plain_text(hostile_message(seed), limit)
        assert 0 < len(text) <= limit
        text.encode("utf-8")

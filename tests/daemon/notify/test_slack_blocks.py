"""Nothing a stranger writes breaks a message, pings a person or forges a link."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from daemon.notify.base import Entry, Message
from daemon.notify.slack_blocks import cost, escaped, plain_payload, rich_payload
from state.codec import to_json
from state.records import Severity
from tests.daemon.notify.hostile import BARBS, NOW, hostile_message
from tests.daemon.notify.receivers import all_texts, refused_by_slack

LINK = ("Open the digest", "https://app.example/digests/2026-11-21?a=1&b=2")


def digest(**changes: Any) -> Message:
    return Message(**{"id": "d1", "kind": "digest", "title": "Leads", "created_at": NOW, **changes})


def leads(count: int, **changes: Any) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            **{
                "title": f"Lead {number}",
                "url": f"https://www.reddit.com/r/python/comments/{number}/",
                "note": "r/python · 0.91",
                "text": "Looking for a tool. " * 20,
                **changes,
            }
        )
        for number in range(count)
    )


def blocks_of(message: Message, kind: str) -> list[dict[str, Any]]:
    return [block for block in rich_payload(message)["blocks"] if block["type"] == kind]


def judged(payload: dict[str, Any]) -> None:
    """Let the double and Slack's own models look at a payload; both must like it."""
    assert refused_by_slack(to_json(payload)) is None
    for block in payload.get("blocks", ()):
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
        assert parsed.to_dict() == block  # what the model does not know it drops


def test_a_digest_looks_as_it_should() -> None:
    message = digest(
        text="Two of 900.",
        facts=(("Processed", "900"),),
        entries=(
            Entry(title="Need <b>help</b>", url="https://x.example/?a=1&b=2", note="r/x · 0.9", text="Why?"),
        ),
        link=LINK,
    )
    payload = rich_payload(message)
    judged(payload)
    assert payload["blocks"] == [
        {"type": "header", "text": {"type": "plain_text", "text": "Leads"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "Two of 900.", "verbatim": True}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Processed*\n900", "verbatim": True}]},
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "<https://x.example/?a=1&amp;b=2|Need &lt;b&gt;help&lt;/b&gt;>\nr/x · 0.9\nWhy?",
                "verbatim": True,
            },
        },
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": "open",
                    "text": {"type": "plain_text", "text": "Open the digest"},
                    "url": "https://app.example/digests/2026-11-21?a=1&b=2",
                }
            ],
        },
        {
            "type": "context",
            "elements": [{"type": "plain_text", "text": "nightdesk · digest · 2026-11-21 06:00 UTC · d1"}],
        },
    ]
    assert payload["unfurl_links"] is False
    assert payload["text"].startswith("Leads\n\nTwo of 900.")


@pytest.mark.parametrize(
    "link", [None, ("Open", "None/digests"), ("Open", ""), ("Open", "javascript:alert(1)")]
)
def test_without_a_web_address_there_is_no_button(link: tuple[str, str] | None) -> None:
    message = digest(link=link)
    assert blocks_of(message, "actions") == []
    judged(rich_payload(message))


def test_an_entry_without_a_usable_address_keeps_its_title() -> None:
    message = digest(entries=(Entry(title="A", url="javascript:alert(1)"), Entry(title="")))
    assert [block["text"]["text"] for block in blocks_of(message, "section")] == ["A", "(no title)"]


def test_an_alert_says_how_loud_it_is_and_carries_its_id() -> None:
    payload = rich_payload(digest(kind="alert", id="a-17", severity=Severity.CRITICAL, title="No digest"))
    assert payload["blocks"][0]["text"]["text"] == "CRITICAL: No digest"
    assert payload["blocks"][-1]["elements"][0]["text"].endswith("· a-17")


def test_a_title_too_long_for_the_header_is_whole_below_it() -> None:
    title = "word " * 50
    payload = rich_payload(digest(title=title))
    judged(payload)
    assert payload["blocks"][0]["text"]["text"].endswith("…")
    assert payload["blocks"][1]["text"]["text"] == title.strip()


def test_entries_are_shortened_before_any_is_left_out() -> None:
    message = digest(entries=leads(40), link=LINK)
    judged(rich_payload(message))
    sections = blocks_of(message, "section")
    assert len(sections) == 40
    assert "more" not in sections[-1]["text"]["text"]


def test_entries_that_do_not_fit_are_counted_with_a_link_to_them() -> None:
    message = digest(entries=leads(900), text="All of them.", link=LINK)
    payload = rich_payload(message)
    judged(payload)
    entries = [text for text in all_texts(payload) if text.startswith("<https://www.reddit")]
    assert len(payload["blocks"]) <= 50
    assert len(entries) > 30
    assert (
        f"… and {900 - len(entries)} more: "
        "<https://app.example/digests/2026-11-21?a=1&amp;b=2|Open the digest>" in all_texts(payload)
    )


def test_without_a_link_the_left_out_are_counted_all_the_same() -> None:
    payload = rich_payload(digest(entries=leads(60)))
    judged(payload)
    assert any(re.fullmatch(r"… and \d+ more", text) for text in all_texts(payload))


def test_many_facts_are_counted_too() -> None:
    payload = rich_payload(digest(facts=tuple((f"n{number}", str(number)) for number in range(35))))
    judged(payload)
    assert "*…*\nand 16 more" in all_texts(payload)


def test_everything_at_its_longest_at_once_still_fits() -> None:
    long = "&" * 10_000
    message = digest(
        title=long,
        text=long,
        facts=((long, long),) * 40,
        entries=(Entry(title=long, url="https://x.example/" + "&" * 1900, note=long, text=long),) * 60,
        link=(long, "https://x.example/" + "&" * 1900),
    )
    payload = rich_payload(message)
    judged(payload)
    judged(plain_payload(message))
    assert any("more" in text for text in all_texts(payload))


@pytest.mark.parametrize("seed", range(200))
def test_a_hostile_message_is_taken_by_slack_and_can_do_nothing_there(seed: int) -> None:
    message = hostile_message(seed)
    for payload in (rich_payload(message), plain_payload(message)):
        judged(payload)
        for text in all_texts(payload):
            for control in re.findall("<([^>]*)>", text):
                assert re.match(r"https?://[^|]+\|", control), f"live in Slack: {control}"


@pytest.mark.parametrize("barb", BARBS)
@pytest.mark.parametrize("length", [1, 149, 150, 151, 3000])
def test_no_barb_at_the_edge_of_a_limit_is_cut_open(barb: str, length: int) -> None:
    foreign = "x" * max(0, length - len(barb) // 2) + barb * 3
    message = digest(title=foreign, text=foreign, entries=(Entry(title=foreign, note=foreign, text=foreign),))
    judged(rich_payload(message))
    judged(plain_payload(message))


def test_an_address_that_grows_too_long_when_escaped_is_left_out_and_not_cut() -> None:
    message = digest(entries=(Entry(title="A", url="https://x.example/" + "&" * 1900),))
    judged(rich_payload(message))
    assert blocks_of(message, "section")[0]["text"]["text"] == "A"


def test_text_is_escaped_once() -> None:
    assert escaped("<!channel> & &lt;", 100) == "&lt;!channel&gt; &amp; &amp;lt;"


@given(st.text(), st.integers(1, 80))
def test_an_escaped_text_fits_and_ends_no_entity_early(text: str, limit: int) -> None:
    shown = escaped(text, limit)
    assert len(shown) <= limit
    assert not re.search(r"&(?!amp;|lt;|gt;)", shown)
    assert not set("<>") & set(shown)
    assert cost(text) > limit or shown == text.translate({38: "&amp;", 60: "&lt;", 62: "&gt;"})


texts = (
    st.text(max_size=60) | st.sampled_from(BARBS) | st.text(alphabet="&<>|`@!", min_size=500, max_size=4000)
)


@settings(max_examples=60, deadline=None)
@given(
    title=texts,
    text=texts,
    facts=st.lists(st.tuples(texts, texts), max_size=25),
    entries=st.lists(
        st.builds(Entry, title=texts, url=st.none() | texts, note=texts, text=texts), max_size=60
    ),
    link=st.none() | st.tuples(texts, st.sampled_from(["https://x.example/", "", "None/x"])),
)
def test_whatever_is_said_slack_takes_it(
    title: str, text: str, facts: list[Any], entries: list[Entry], link: tuple[str, str] | None
) -> None:
    message = digest(title=title, text=text, facts=tuple(facts), entries=tuple(entries), link=link)
    judged(rich_payload(message))
    judged(plain_payload(message))

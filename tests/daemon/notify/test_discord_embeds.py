"""Nothing a stranger writes breaks a message, mentions a person or forges a link in Discord."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.notify.base import Entry, Message
from daemon.notify.discord_embeds import colour, cost, escaped, plain_payload, rich_payload
from state.codec import to_json
from state.records import Severity
from tests.daemon.notify.discord_stand_in import counted_texts, live_in, refused_by_discord
from tests.daemon.notify.hostile import BARBS, NOW, hostile_message
from tests.daemon.notify.receivers import units

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


def judged(payload: dict[str, Any]) -> None:
    assert refused_by_discord(to_json(payload)) is None


def descriptions(payload: dict[str, Any]) -> str:
    return "\n\n".join(embed.get("description", "") for embed in payload["embeds"])


def test_a_digest_looks_as_it_should() -> None:
    message = digest(
        text="Two of 900.",
        facts=(("Processed", "900"), ("Asked of", "r/python, r/learnpython, r/django, r/flask")),
        entries=(
            Entry(title="[Hiring] a_b", url="https://x.example/a_(b)?q=1*2", note="r/x · 0.9", text="Why?"),
            Entry(title="No *link*"),
        ),
        link=LINK,
    )
    payload = rich_payload(message)
    judged(payload)
    assert payload == {
        "allowed_mentions": {"parse": []},
        "embeds": [
            {
                "title": "Leads",
                "description": "Two of 900.\n\n**[Open the digest](https://app.example/digests/2026-11-21?a=1&b=2)**",
                "url": "https://app.example/digests/2026-11-21?a=1&b=2",
                "color": 0x4A6FA5,
                "fields": [
                    {"name": "Processed", "value": "900", "inline": True},
                    {
                        "name": "Asked of",
                        "value": "r/python, r/learnpython, r/django, r/flask",
                        "inline": False,
                    },
                ],
            },
            {
                "description": "**[(Hiring) aˍb](https://x.example/a_%28b%29?q=1%2A2)**\nr/x · 0.9\nWhy?\n\n"
                "**No \\*link\\***",
                "color": 0x4A6FA5,
                "footer": {"text": "nightdesk · digest · 2026-11-21 06:00 UTC · d1"},
                "timestamp": "2026-11-21T06:00:00+00:00",
            },
        ],
    }


def test_plain_text_stands_in_a_block_of_code_with_the_link_behind_it() -> None:
    payload = plain_payload(digest(text="Run `nightdesk status`, @everyone.", link=LINK))
    judged(payload)
    assert payload == {
        "content": "```\nLeads\n\nRun ˋnightdesk statusˋ, \uff20everyone.\n\n"
        "Open the digest: https://app.example/digests/2026-11-21?a=1&b=2\n```\n"
        "<https://app.example/digests/2026-11-21?a=1&b=2>",
        "allowed_mentions": {"parse": []},
    }


@pytest.mark.parametrize(
    ("severity", "kind", "wanted"),
    [
        (Severity.CRITICAL, "alert", 0xB3001B),
        (Severity.ERROR, "escalation", 0xE5532D),
        (Severity.WARNING, "alert", 0xF2B134),
        (Severity.INFO, "alert", 0x3D7EDB),
        (Severity.CRITICAL, "resolved", 0x2E9E5B),
        (None, "resolved", 0x2E9E5B),
        (None, "digest", 0x4A6FA5),
    ],
)
def test_the_colour_says_how_bad_it_is(severity: Severity | None, kind: str, wanted: int) -> None:
    message = digest(severity=severity, kind=kind)
    assert colour(message) == wanted
    assert {embed["color"] for embed in rich_payload(message)["embeds"]} == {wanted}


def test_an_alert_shows_what_to_do_and_carries_its_id() -> None:
    message = digest(
        kind="alert",
        id="a-17",
        severity=Severity.CRITICAL,
        title="No digest",
        text="Last error: redis://127.0.0.1 refused [Errno 111]\n\nWhat to do: nightdesk status",
    )
    [embed] = rich_payload(message)["embeds"]
    assert embed["title"] == "CRITICAL: No digest"
    assert embed["description"] == (
        "Last error: redis\\://127.0.0.1 refused \\[Errno 111\\]\n\nWhat to do: nightdesk status"
    )
    assert embed["footer"]["text"].endswith("· a-17")


@pytest.mark.parametrize(
    "link", [None, ("Open", "None/digests"), ("Open", ""), ("Open", "javascript:alert(1)")]
)
def test_without_a_web_address_there_is_no_link(link: tuple[str, str] | None) -> None:
    payload = rich_payload(digest(link=link))
    judged(payload)
    assert "url" not in payload["embeds"][0]
    assert "description" not in payload["embeds"][0]


def test_a_title_too_long_for_its_place_is_whole_below_it() -> None:
    title = "word " * 60
    payload = rich_payload(digest(title=title))
    judged(payload)
    assert payload["embeds"][0]["title"].endswith("…")
    assert payload["embeds"][0]["description"] == title.strip()


def test_entries_are_shortened_before_any_is_left_out() -> None:
    payload = rich_payload(digest(entries=leads(30), link=LINK))
    judged(payload)
    assert descriptions(payload).count("https://www.reddit.com") == 30
    assert "more" not in descriptions(payload)


def test_entries_that_do_not_fit_are_counted_with_a_link_to_them() -> None:
    payload = rich_payload(digest(entries=leads(900), text="All of them.", link=LINK))
    judged(payload)
    told = descriptions(payload)
    shown = told.count("https://www.reddit.com")
    assert shown > 40
    assert told.endswith(
        f"… and {900 - shown} more: [Open the digest](https://app.example/digests/2026-11-21?a=1&b=2)"
    )


def test_without_a_link_the_left_out_are_counted_all_the_same() -> None:
    payload = rich_payload(digest(entries=leads(200)))
    judged(payload)
    assert re.search(r"\n\n… and \d+ more$", descriptions(payload))


def test_many_facts_are_counted_too() -> None:
    payload = rich_payload(digest(facts=tuple((f"n{number}", str(number)) for number in range(35))))
    judged(payload)
    assert payload["embeds"][0]["fields"][-1] == {"name": "…", "value": "and 21 more", "inline": True}


def test_a_fact_without_a_value_is_told_as_one() -> None:
    payload = rich_payload(digest(facts=(("Empty", " \u200b "), ("", "x"))))
    judged(payload)
    assert [(it["name"], it["value"]) for it in payload["embeds"][0]["fields"]] == [
        ("Empty", "–"),
        ("–", "x"),
    ]


@pytest.mark.parametrize("character", ["&", "_", "\\", "😀", "x"])
def test_everything_at_its_longest_at_once_still_fits(character: str) -> None:
    long = character * 10_000
    message = digest(
        title=long,
        text=long,
        facts=((long, long),) * 40,
        entries=(Entry(title=long, url="https://x.example/" + "(" * 1900, note=long, text=long),) * 60,
        link=(long, "https://x.example/" + "a" * 480),
    )
    payload = rich_payload(message)
    judged(payload)
    judged(plain_payload(message))
    assert "more" in descriptions(payload)


@pytest.mark.parametrize("seed", range(200))
def test_a_hostile_message_is_taken_by_discord_and_can_do_nothing_there(seed: int) -> None:
    message = hostile_message(seed)
    judged(rich_payload(message))
    judged(plain_payload(message))


@pytest.mark.parametrize("barb", BARBS)
@pytest.mark.parametrize("length", [1, 255, 256, 257, 1800, 3000])
def test_no_barb_at_the_edge_of_a_limit_is_cut_open(barb: str, length: int) -> None:
    foreign = "x" * max(0, length - len(barb) // 2) + barb * 3
    message = digest(title=foreign, text=foreign, entries=(Entry(title=foreign, note=foreign, text=foreign),))
    judged(rich_payload(message))
    judged(plain_payload(message))


MARKDOWN = (
    "**bold** __under__ ~~gone~~ ||spoiler|| `code` ```block```",
    "# heading\n## two\n-# small\n- item\n+ item\n* item\n1. one\n  2. two",
    "> quote\n>>> all the rest",
    "[bank](https://evil.example) [x](<https://evil.example>)",
    "<@123> <@!123> <@&123> <#123> <:a:1> <a:b:2> <t:1:R> </do:1> <id:home>",
    "@everyone @here @Everyone",
    "https://evil.example http://x discord://y",
    "\\*already\\* \\\\ trailing \\",
)


@pytest.mark.parametrize("text", MARKDOWN)
def test_no_markdown_of_a_stranger_has_an_effect(text: str) -> None:
    message = digest(
        title=text,
        text=text,
        facts=((text, text),),
        entries=(Entry(title=text, url="https://x.example/", note=text, text=text), Entry(title=text)),
        link=(text, "https://x.example/"),
    )
    judged(rich_payload(message))
    judged(plain_payload(message))


@pytest.mark.parametrize(
    "text",
    [
        *(text for text in MARKDOWN),
        "a\n- b",
        "snake_case_name",
        "[a*b](https://x.example)",
        "[see https://a.example](https://x.example)",
        "[a](javascript:alert(1))",
        "**bold",
        "\\a",
    ],
)
def test_the_judge_sees_what_would_have_an_effect(text: str) -> None:
    assert live_in(text)


@pytest.mark.parametrize(
    "text", ["plain", "\\*a\\*", "**[a (b)](https://x.example/%28)** c", "1, 2. 3", "a - b"]
)
def test_the_judge_lets_pass_what_has_none(text: str) -> None:
    assert live_in(text) is None


def test_an_address_that_takes_too_much_is_left_out_and_not_cut() -> None:
    payload = rich_payload(digest(entries=(Entry(title="A*", url="https://x.example/" + "a" * 600),)))
    judged(payload)
    assert descriptions(payload) == "\n\n**A\\***"


@given(st.text(), st.integers(1, 80))
def test_an_escaped_text_fits_and_has_no_effect(text: str, limit: int) -> None:
    shown = escaped(text, limit)
    assert units(shown) <= limit
    assert live_in(shown) is None
    if cost(text) <= limit:
        assert re.sub(r"\\([^0-9A-Za-z\s])", r"\1", shown) == re.sub("(?i)@(?=everyone|here)", "\uff20", text)


texts = (
    st.text(max_size=60)
    | st.sampled_from([*BARBS, *MARKDOWN])
    | st.text(alphabet="*_[]()<@:/\\ \n-#1.", min_size=300, max_size=3000)
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
def test_whatever_is_said_discord_takes_it(
    title: str, text: str, facts: list[Any], entries: list[Entry], link: tuple[str, str] | None
) -> None:
    message = digest(title=title, text=text, facts=tuple(facts), entries=tuple(entries), link=link)
    payload = rich_payload(message)
    judged(payload)
    judged(plain_payload(message))
    assert sum(units(it) for embed in payload["embeds"] for it in counted_texts(embed)) <= 6000

"""A digest as people read it."""

from types import SimpleNamespace
from typing import Any

from handlers.digest_message import as_message

OPTIONS: Any = SimpleNamespace(app_url="https://desk.example.com/")


def lead(number: int, **fields: Any) -> dict[str, Any]:
    body = {
        "id": f"t3_{number}",
        "title": f"lead {number}",
        "score": 0.8,
        "reasons": {"own": 0.8},
        "batchId": "b",
    }
    return body | fields


def digest(*leads: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": "2026-11-21",
        "generatedAt": "2026-11-21T23:00:05.000000Z",
        "batchId": "b",
        "summary": {"docsProcessed": 1900, "queueTotal": 1900, "markedForDraft": len(leads)},
        "batches": [],
        "redditQueue": list(leads),
    }


def test_the_best_lead_comes_first_with_its_facts_and_reasons_in_words() -> None:
    asked = lead(
        2, score=0.91, subreddit="python", num_comments=12, url="https://example.com/2",
        selftext="Which\none?",
        reasons={"relevance": 0.4, "engagement": 0.11, "freshness": 0.1, "intent": 0.3},
    )  # fmt: skip
    message = as_message(digest(lead(1), asked), OPTIONS, message_id="m")
    first, second = message.entries
    assert (first.title, first.url, first.text) == ("lead 2", "https://example.com/2", "Which one?")
    assert first.note == "r/python · 0.91 · 12 comments · on topic, asks for something"
    assert second.note == "0.80 · scored by its source"
    assert message.facts == (("Processed", "1,900"), ("Marked", "2"), ("Made", "2026-11-21 23:00 UTC"))
    assert message.kind == "digest"


def test_the_same_digest_always_makes_the_same_message() -> None:
    assert as_message(digest(lead(1)), OPTIONS, message_id="m") == as_message(
        digest(lead(1)), OPTIONS, message_id="m"
    )


def test_a_late_digest_says_so() -> None:
    message = as_message(digest(lead(1)), OPTIONS, message_id="m", is_late=True)
    assert message.title == "Late: digest of 2026-11-21: 1 marked"
    assert "could not be sent on time" in message.text


def test_the_button_leads_to_the_app_where_there_is_one() -> None:
    link = ("Open the digest", "https://desk.example.com/digests/2026-11-21")
    assert as_message(digest(), OPTIONS, message_id="m").link == link
    without: Any = SimpleNamespace(app_url=None)
    assert as_message(digest(), without, message_id="m").link is None


def test_a_lead_with_nothing_but_its_id_still_has_a_headline() -> None:
    (entry,) = as_message(digest(lead(1, title=" ", selftext=None, url="")), OPTIONS, message_id="m").entries
    assert (entry.title, entry.url, entry.text) == ("t3_1", None, "")


def test_a_long_text_is_cut_between_words() -> None:
    (entry,) = as_message(digest(lead(1, selftext="word " * 100)), OPTIONS, message_id="m").entries
    assert len(entry.text) <= 201
    assert entry.text.endswith("word…")
    (entry,) = as_message(digest(lead(1, selftext="x" * 500)), OPTIONS, message_id="m").entries
    assert len(entry.text) == 200

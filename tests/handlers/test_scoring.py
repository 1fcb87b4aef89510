"""The score of a lead: in [0, 1], explained in full, the same every time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.scoring import Scorer, score
from state.intake import problem_of

NOW = datetime(2026, 11, 21, 23, tzinfo=UTC)
HOUR_S = 3600


@dataclass(frozen=True)
class Weights:
    relevance: float = 0.4
    engagement: float = 0.25
    freshness: float = 0.15
    intent: float = 0.2


@dataclass(frozen=True)
class Options:
    topics: Mapping[str, float] = field(default_factory=dict)
    intent_phrases: tuple[str, ...] = ("looking for", "alternative to", "how do i", "help")
    weights: Weights = field(default_factory=Weights)
    freshness_half_life: timedelta = timedelta(days=2)


def lead(**fields: Any) -> dict[str, Any]:
    body = {"id": "t3_a", "title": "A title", "ups": 10, "num_comments": 4}
    return body | {"created_utc": NOW.timestamp() - HOUR_S} | fields


def test_a_score_of_its_own_is_used_as_it_is() -> None:
    assert score(lead(score=0.75), Options(), NOW) == (0.75, {"own": 0.75})
    assert score(lead(score=0), Options(), NOW).score == 0


def test_a_score_of_null_is_none() -> None:
    assert "own" not in score(lead(score=None), Options(), NOW).reasons


def test_the_weights_count_by_their_proportions() -> None:
    tenfold = Options(weights=Weights(4, 2.5, 1.5, 2), topics={"title": 1})
    assert score(lead(), tenfold, NOW) == score(lead(), Options(topics={"title": 1}), NOW)


def test_without_topics_relevance_is_left_out_and_its_weight_shared() -> None:
    reasons = score(lead(title="Which one? Help", ups=9**9), Options(), NOW).reasons
    assert set(reasons) == {"engagement", "freshness", "intent"}
    assert reasons["engagement"] == pytest.approx(0.25 / 0.6, abs=1e-3)


def test_a_topic_counts_most_in_the_title_then_in_tags_then_in_the_text() -> None:
    options = Options(topics={"postgres": 1.0}, weights=Weights(1, 0, 0, 0))
    places = [
        {"title": "Postgres!"},
        {"tags": ["POSTGRES"]},
        {"subreddit": "postgres"},
        {"selftext": "on postgres"},
    ]
    assert [score(lead(**place), options, NOW).score for place in places] == [1.0, 0.8, 0.8, 0.5]


def test_a_topic_is_found_as_whole_words_only() -> None:
    options = Options(topics={"go": 1, "c++": 1, "task queue": 1}, weights=Weights(1, 0, 0, 0))
    assert score(lead(title="Google is going down"), options, NOW).score == 0
    for title in ("Go or not?", "Is C++ dead", "A durable\n task  queue"):
        assert score(lead(title=title), options, NOW).score == 1


def test_a_topic_in_a_script_without_spaces_is_found_inside_a_sentence() -> None:
    options = Options(topics={"数据库": 1}, weights=Weights(1, 0, 0, 0))
    assert score(lead(title="哪个数据库好"), options, NOW).score == 1


def test_a_lesser_topic_gives_less_and_several_add_up() -> None:
    options = Options(topics={"python": 1.0, "api": 0.4, "bot": 0.3}, weights=Weights(1, 0, 0, 0))
    assert score(lead(title="An api"), options, NOW).score == pytest.approx(0.4)
    assert score(lead(title="An api for a bot"), options, NOW).score == pytest.approx(0.7)
    assert score(lead(title="A python bot api"), options, NOW).score == 1.0


def test_engagement_grows_with_votes_and_comments_and_is_held_against_age() -> None:
    options = Options(weights=Weights(0, 1, 0, 0))
    scores = [score(lead(ups=ups, num_comments=0), options, NOW).score for ups in (-5, 0, 3, 50, 10**9)]
    assert scores == sorted(scores)
    assert scores[0] == scores[1] == 0
    assert scores[-1] == 1
    commented = score(lead(ups=0, num_comments=50), options, NOW).score
    assert commented > score(lead(ups=50, num_comments=0), options, NOW).score
    young = score(lead(created_utc=NOW.timestamp() - HOUR_S), options, NOW).score
    old = score(lead(created_utc=NOW.timestamp() - 48 * HOUR_S), options, NOW).score
    assert young > old


def test_freshness_halves_with_each_half_life() -> None:
    options = Options(weights=Weights(0, 0, 1, 0))
    for days, expected in ((0, 1), (2, 0.5), (4, 0.25)):
        created = (NOW - timedelta(days=days)).timestamp()
        assert score(lead(created_utc=created), options, NOW).score == expected
    assert score(lead(created_utc=NOW.timestamp() + HOUR_S), options, NOW).score == 1


def test_freshness_is_left_out_where_even_the_newest_of_the_batch_is_long_past() -> None:
    old = datetime(2016, 3, 1, tzinfo=UTC).timestamp()
    assert "freshness" not in score(lead(created_utc=old), Options(), NOW, newest=old).reasons
    beside_new = score(lead(created_utc=old), Options(), NOW, newest=NOW.timestamp()).reasons
    assert beside_new["freshness"] == 0


def test_intent_grows_with_its_signs_and_none_is_needed_twice() -> None:
    options = Options(weights=Weights(0, 0, 0, 1))
    texts = [
        {"title": "Look at this"},
        {"title": "Look at this", "selftext": "is it not nice?"},
        {"title": "Is this nice?"},
        {"title": "I am looking for something"},
        {"title": "How do I get something?"},
        {"title": "How do I get something?", "selftext": "any help? help?"},
    ]
    scores = [score(lead(**text), options, NOW).score for text in texts]
    assert scores == sorted(scores)
    assert scores[0] == 0
    assert scores[-1] < 1


def test_a_phrase_is_found_whatever_its_case_and_apostrophe() -> None:
    options = Options(intent_phrases=("what's the best",), weights=Weights(0, 0, 0, 1))
    assert score(lead(title="WHAT’S  THE BEST one"), options, NOW).score == pytest.approx(0.7)
    assert score(lead(title="helpless"), Options(weights=Weights(0, 0, 0, 1)), NOW).score == 0


def test_a_fact_that_is_not_known_speaks_neither_for_nor_against() -> None:
    bare = score({"id": "t3_a", "title": "Look"}, Options(), NOW)
    assert bare.reasons["engagement"] == pytest.approx(0.5 * 0.25 / 0.6, abs=1e-3)
    assert bare.reasons["freshness"] == pytest.approx(0.5 * 0.15 / 0.6, abs=1e-3)


def test_weights_that_leave_nothing_to_judge_by_fall_back() -> None:
    only_relevance = Options(weights=Weights(1, 0, 0, 0))
    assert set(score(lead(), only_relevance, NOW).reasons) == {"engagement", "intent"}


def test_off_topic_is_not_marked_however_much_is_made_of_it() -> None:
    options = Options(topics={"postgres": 1})
    loud = lead(title="How do I get help? Looking for it", selftext="help?", ups=10**6, num_comments=10**6)
    assert score(loud, options, NOW).score <= 0.75


def test_a_fresh_question_on_topic_is_marked_with_little_engagement() -> None:
    options = Options(topics={"postgres": 1})
    assert score(lead(title="How do I tune Postgres?", ups=6, num_comments=9), options, NOW).score > 0.75


LEADS = st.fixed_dictionaries(
    {"id": st.just("t3_a"), "title": st.text(max_size=80)},
    optional={
        "selftext": st.text(max_size=80) | st.none(),
        "subreddit": st.text(max_size=10) | st.none(),
        "ups": st.integers(-(2**53), 2**53) | st.none(),
        "num_comments": st.integers(-(2**53), 2**53) | st.none(),
        "created_utc": st.integers(0, 253402300799) | st.floats(0, 253402300799) | st.none(),
        "score": st.floats(0, 1) | st.integers(0, 1) | st.none(),
        "tags": st.lists(st.text(max_size=8), max_size=3) | st.none(),
    },
)
TOPICS = st.dictionaries(st.text(max_size=8), st.floats(0, 10), max_size=4)
PARTS = st.floats(0, 10)


@given(LEADS, TOPICS, st.builds(Weights, PARTS, PARTS, PARTS, PARTS), st.floats(0, 253402300799) | st.none())
def test_every_lead_gets_a_score_that_its_reasons_add_up_to(
    body: dict[str, Any], topics: dict[str, float], weights: Weights, newest: float | None
) -> None:
    assert problem_of(body) is None
    scorer = Scorer(Options(topics=topics, weights=weights), NOW, newest=newest)
    found = scorer.score(body)
    assert 0 <= found.score <= 1
    assert sum(found.reasons.values()) == pytest.approx(found.score, abs=1e-3)
    assert all(part >= 0 for part in found.reasons.values())
    assert scorer.score(body) == found

"""How much a lead deserves an answer: a number from 0 to 1, and what it was made of.

docs/SCORING.md explains the formula, why it is shaped so, and what it gives on real posts.
"""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

# Interactions (votes and comments) at which a lead counts as fully noticed, once it had a day to be seen.
FULLY_NOTICED = 5000.0
# A lead younger than a day is held against less, but never against less than this share of it.
LEAST_NOTICE_SHARE = 0.05
COMMENT_VOTES = 2.0  # writing a comment costs a reader more than a vote
UNKNOWN = 0.5  # a fact the lead does not carry speaks neither for nor against it
# Freshness says nothing of a batch whose newest lead is older than this many half-lives: all are near 0.
STALE_HALF_LIVES = 7
TITLE_SHARE, TAG_SHARE, TEXT_SHARE = 1.0, 0.8, 0.5  # what a topic is worth, by where it is named
TITLE_QUESTION, TEXT_QUESTION, TITLE_PHRASE, TEXT_PHRASE = 0.4, 0.3, 0.7, 0.45
QUESTION_MARKS = re.compile("[?？؟]")
FIRST_UNSPACED = "\u2e80"  # from here on stand the scripts that put no space between words
DIGITS = 4
OWN = "own"  # the one reason of a lead that brought its score along


class Weights(Protocol):
    """How much each part counts. Only their proportions matter."""

    @property
    def relevance(self) -> float: ...
    @property
    def engagement(self) -> float: ...
    @property
    def freshness(self) -> float: ...
    @property
    def intent(self) -> float: ...


class ScoringOptions(Protocol):
    """What the config's `scoring` section says."""

    @property
    def topics(self) -> Mapping[str, float]: ...
    @property
    def intent_phrases(self) -> tuple[str, ...]: ...
    @property
    def weights(self) -> Weights: ...
    @property
    def freshness_half_life(self) -> timedelta: ...


class Scored(NamedTuple):
    """A score in [0, 1]; the reasons add up to it."""

    score: float
    reasons: dict[str, float]


class Phrase(NamedTuple):
    """Words to look for as whole words: "help" is not in "helpless"."""

    text: str
    whole: re.Pattern[str]

    @classmethod
    def of(cls, words: str) -> "Phrase":
        text = _fold(words)
        before = r"(?<!\w)" if text[0] < FIRST_UNSPACED else ""
        after = r"(?!\w)" if text[-1] < FIRST_UNSPACED else ""
        return cls(text, re.compile(before + re.escape(text) + after))

    def is_in(self, folded: str) -> bool:
        # A plain search first: it rules out nearly every lead, at a tenth of the pattern's cost.
        return self.text in folded and self.whole.search(folded) is not None


def score(
    body: Mapping[str, Any], options: ScoringOptions, now: datetime, *, newest: float | None = None
) -> Scored:
    """Score one lead; for many use one `Scorer`, which prepares the options once."""
    return Scorer(options, now, newest=newest).score(body)


class Scorer:
    """Scores the leads of one batch, all by the same measure.

    `newest` is when the batch's newest lead was made (`created_utc`, seconds since 1970). Where even
    that one is long past, freshness is left out and its weight shared among the others.
    """

    def __init__(self, options: ScoringOptions, now: datetime, *, newest: float | None = None) -> None:
        self._now_s = now.timestamp()
        self._half_life_s = max(1.0, options.freshness_half_life.total_seconds())
        self._topics = [
            (Phrase.of(topic), weight)
            for topic, weight in options.topics.items()
            if topic.strip() and weight > 0
        ]
        self._full_relevance = max((weight for _, weight in self._topics), default=0.0)
        self._intent = [Phrase.of(phrase) for phrase in options.intent_phrases if phrase.strip()]
        self._weights = self._shares(options.weights, newest)

    def score(self, body: Mapping[str, Any]) -> Scored:
        """The lead's own score where it has one, else the blend. Raises on no lead that intake let in."""
        own = body.get("score")
        if own is not None:
            return Scored(float(own), {OWN: float(own)})
        title, text = _fold(body.get("title")), _fold(body.get("selftext"))
        age_s = self._age_s(body)
        parts = {
            "relevance": self._relevance(title, text, body),
            "engagement": _engagement(body.get("ups"), body.get("num_comments"), age_s),
            "freshness": UNKNOWN if age_s is None else 0.5 ** (age_s / self._half_life_s),
            "intent": self._asks(title, text),
        }
        reasons = {name: round(share * parts[name], DIGITS) for name, share in self._weights.items()}
        return Scored(min(1.0, round(sum(reasons.values()), DIGITS)), reasons)

    def _shares(self, weights: Weights, newest: float | None) -> dict[str, float]:
        """The weights of the parts that can tell these leads apart, as shares of 1."""
        given = {
            "relevance": weights.relevance if self._topics else 0.0,
            "engagement": weights.engagement,
            "freshness": 0.0 if self._is_stale(newest) else weights.freshness,
            "intent": weights.intent,
        }
        total = sum(given.values())
        if total <= 0:
            # Weights may be set to what is left out here; then what can be judged counts alike.
            given, total = {"engagement": 1.0, "intent": 1.0}, 2.0
        return {name: weight / total for name, weight in given.items() if weight > 0}

    def _is_stale(self, newest: float | None) -> bool:
        return newest is not None and self._now_s - newest > STALE_HALF_LIVES * self._half_life_s

    def _age_s(self, body: Mapping[str, Any]) -> float | None:
        created = body.get("created_utc")
        return None if created is None else max(0.0, self._now_s - created)

    def _relevance(self, title: str, text: str, body: Mapping[str, Any]) -> float:
        if not self._topics:
            return 0.0
        tags = " | ".join((_fold(body.get("subreddit")), *map(_fold, body.get("tags") or ())))
        found = sum(weight * _place(topic, title, tags, text) for topic, weight in self._topics)
        return min(1.0, found / self._full_relevance)

    def _asks(self, title: str, text: str) -> float:
        """Signs of somebody who wants an answer; each covers part of what the others left open."""
        silent = 1.0
        for seen, sign in (
            (QUESTION_MARKS.search(title), TITLE_QUESTION),
            (QUESTION_MARKS.search(text), TEXT_QUESTION),
            (any(phrase.is_in(title) for phrase in self._intent), TITLE_PHRASE),
            (any(phrase.is_in(text) for phrase in self._intent), TEXT_PHRASE),
        ):
            silent *= 1.0 - sign if seen else 1.0
        return 1.0 - silent


def _engagement(ups: int | None, comments: int | None, age_s: float | None) -> float:
    """Votes and comments on a logarithmic scale, held against what a lead of that age can have."""
    if ups is None and comments is None:
        return UNKNOWN
    noticed = max(0, ups or 0) + COMMENT_VOTES * max(0, comments or 0)
    days = 1.0 if age_s is None else age_s / 86400
    expected = FULLY_NOTICED * min(1.0, max(LEAST_NOTICE_SHARE, days))
    return min(1.0, math.log1p(noticed) / math.log1p(expected))


def _place(topic: Phrase, title: str, tags: str, text: str) -> float:
    """What the best place that names a topic is worth."""
    if topic.is_in(title):
        return TITLE_SHARE
    if topic.is_in(tags):
        return TAG_SHARE
    return TEXT_SHARE if topic.is_in(text) else 0.0


def _fold(text: Any) -> str:
    """Text as it is compared: no case, single spaces, one kind of apostrophe."""
    return " ".join(str(text or "").casefold().replace("’", "'").split())

"""When a provider is left alone, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.llm.base import Trouble
from handlers.llm.breaker import (
    COUNTED,
    FOR_A_PERSON,
    Breaker,
    Standing,
    after_failure,
    read,
    rest_of,
    standing,
    written,
)
from handlers.llm.refusals import ADVICE

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
T = Trouble


def failed(*troubles: Trouble, retry_after: timedelta | None = None) -> Breaker:
    breaker = Breaker()
    for trouble in troubles:
        breaker = after_failure(breaker, trouble, retry_after, NOW)
    return breaker


@pytest.mark.parametrize("trouble", [T.TRANSIENT, T.TIMEOUT, T.INVALID])
def test_the_third_failure_in_a_row_opens_it(trouble: Trouble) -> None:
    assert [standing(failed(*[trouble] * n), NOW) for n in (1, 2, 3)] == ["closed", "closed", "open"]


@pytest.mark.parametrize("trouble", [T.MONEY, T.AUTH, T.GONE, T.RATE])
def test_what_is_the_same_for_all_companies_opens_it_at_once(trouble: Trouble) -> None:
    assert standing(failed(trouble), NOW) is Standing.OPEN


@pytest.mark.parametrize("trouble", sorted(set(T) - COUNTED))
def test_an_answer_that_is_no_good_proves_that_somebody_is_there(trouble: Trouble) -> None:
    assert failed(T.TRANSIENT, T.TRANSIENT, trouble) == Breaker()


def test_it_half_opens_when_the_rest_is_over_and_a_failed_probe_doubles_the_rest() -> None:
    breaker = failed(*[T.TRANSIENT] * 3)
    rests = []
    for _ in range(7):
        assert breaker.until is not None
        at = breaker.until
        assert standing(breaker, at - timedelta(microseconds=1)) is Standing.OPEN
        assert standing(breaker, at) is Standing.HALF_OPEN
        breaker = after_failure(breaker, T.TRANSIENT, None, at)
        assert breaker.until is not None
        rests.append((breaker.until - at).total_seconds() / 60)
    assert rests == [2, 4, 8, 15, 15, 15, 15]


@pytest.mark.parametrize(
    ("trouble", "openings", "retry_after", "minutes"),
    [
        (T.MONEY, 0, None, 60),
        (T.AUTH, 9, None, 60),
        (T.RATE, 0, None, 1),
        (T.RATE, 0, timedelta(minutes=10), 10),
        (T.RATE, 0, timedelta(seconds=5), 1),
        (T.MONEY, 0, timedelta(hours=5), 300),
        (T.TRANSIENT, 0, timedelta(days=9), 24 * 60),
        (T.TRANSIENT, 10**6, None, 15),
    ],
)
def test_the_rest_is_that_of_the_trouble_or_what_the_provider_asks_for(
    trouble: Trouble, openings: int, retry_after: timedelta | None, minutes: float
) -> None:
    assert rest_of(trouble, openings, retry_after) == timedelta(minutes=minutes)


def test_a_late_failure_of_a_question_asked_before_changes_nothing_unless_it_is_worse() -> None:
    opened = failed(*[T.TRANSIENT] * 3)
    assert after_failure(opened, T.TIMEOUT, None, NOW) is opened
    worse = after_failure(opened, T.MONEY, None, NOW)
    assert worse.trouble is T.MONEY
    assert worse.until == NOW + timedelta(hours=1)
    assert after_failure(worse, T.AUTH, None, NOW) is worse


def test_short_rests_that_a_provider_asks_for_wake_nobody_until_they_become_a_habit() -> None:
    assert not failed(T.RATE).is_alerted
    assert failed(T.RATE, retry_after=timedelta(minutes=10)).is_alerted
    assert failed(T.MONEY).is_alerted
    assert failed(*[T.TRANSIENT] * 3).is_alerted
    breaker = Breaker()
    told = []
    for _ in range(3):
        breaker = after_failure(breaker, T.RATE, None, breaker.until or NOW)
        told.append(breaker.is_alerted)
    assert told == [False, False, True]


def test_a_clock_that_was_put_back_by_a_year_does_not_keep_it_open() -> None:
    assert standing(failed(T.MONEY), NOW - timedelta(days=365)) is Standing.HALF_OPEN


@pytest.mark.parametrize("trouble", sorted(COUNTED - {T.AUTH}))
def test_it_is_read_back_as_it_was_written(trouble: Trouble) -> None:
    breaker = failed(*[trouble] * 3)
    assert read(written(breaker, "me"), "me", NOW) == breaker


def test_a_key_that_was_not_taken_is_tried_at_once_after_a_restart() -> None:
    again = read(written(failed(T.AUTH), "me"), "me", NOW)
    assert standing(again, NOW) is Standing.HALF_OPEN
    assert again.is_alerted


NOTES = {
    "none": None,
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "of somebody else": written(failed(T.MONEY), "you"),
    "closed": written(Breaker(failures=2), "me"),
    "no time": written(failed(T.MONEY), "me").replace("2026-11", "soon"),
    "no trouble": written(failed(T.MONEY), "me").replace("money", "bad weather"),
    "no counts": written(failed(T.MONEY), "me").replace('"failures":1', '"failures":null'),
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_note_that_says_nothing_of_this_provider_is_as_good_as_none(note: str | None) -> None:
    assert read(note, "me", NOW) == Breaker()


def test_what_needs_a_person_is_told_with_what_to_do() -> None:
    assert set(ADVICE) >= FOR_A_PERSON

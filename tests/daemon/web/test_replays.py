"""Calls with a key: done once, answered again, and forgotten in the end."""

import pytest

from daemon.operations import Unfit
from daemon.web import replays
from daemon.web.problems import Refusal
from daemon.web.replays import KEPT_S, MOST_CALLS, Call, Kept, Replays, key_of

CALL = Call("anna", "POST", "/api/silences", "k-1")
ANSWER = Kept(201, b"{}", (("Content-Type", "application/json"),))


def test_the_same_call_is_answered_the_same_again() -> None:
    kept = Replays()
    assert kept.begin(CALL, b"body", 0) is None
    kept.end(CALL, ANSWER)
    assert kept.begin(CALL, b"body", 1) == ANSWER


def test_the_same_key_for_something_else_is_refused() -> None:
    kept = Replays()
    kept.begin(CALL, b"body", 0)
    kept.end(CALL, ANSWER)
    with pytest.raises(Refusal, match="something else") as refused:
        kept.begin(CALL, b"other", 1)
    assert refused.value.status == 422


def test_a_call_that_is_being_answered_is_not_begun_again() -> None:
    kept = Replays()
    kept.begin(CALL, b"body", 0)
    with pytest.raises(Refusal, match="still being answered") as refused:
        kept.begin(CALL, b"body", 0)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (409, "1")


def test_an_answer_that_is_given_anew_takes_the_place_of_the_one_before() -> None:
    kept = Replays()
    for _ in range(3):
        kept.begin(CALL, b"body", 0)
        kept.end(CALL, ANSWER)
    assert kept._bytes == len(ANSWER.body)


def test_a_call_that_failed_may_be_made_anew() -> None:
    kept = Replays()
    kept.begin(CALL, b"body", 0)
    kept.drop(CALL)
    assert kept.begin(CALL, b"other", 0) is None


def test_a_key_is_its_callers_own_and_of_one_route() -> None:
    kept = Replays()
    kept.begin(CALL, b"body", 0)
    assert kept.begin(CALL._replace(caller="ben"), b"other", 0) is None
    assert kept.begin(CALL._replace(path="/api/items"), b"other", 0) is None


def test_an_answer_is_kept_for_a_day() -> None:
    kept = Replays()
    kept.begin(CALL, b"body", 0)
    kept.end(CALL, ANSWER)
    assert kept.begin(CALL, b"body", KEPT_S - 1) == ANSWER
    assert kept.begin(CALL, b"other", KEPT_S) is None


def test_many_calls_push_the_oldest_out() -> None:
    kept = Replays()
    for number in range(MOST_CALLS + 500):
        call = CALL._replace(key=str(number))
        kept.begin(call, b"body", 0)
        kept.end(call, ANSWER)
    assert len(kept._records) == MOST_CALLS
    assert kept.begin(CALL._replace(key="0"), b"other", 0) is None


def test_long_answers_push_the_oldest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "MOST_BYTES", 2500)
    kept = Replays()
    for number in range(10):
        call = CALL._replace(key=str(number))
        kept.begin(call, b"body", 0)
        kept.end(call, Kept(200, b"x" * 1000, ()))
    assert 2000 <= kept._bytes <= 3500
    assert len(kept._records) <= 4


@pytest.mark.parametrize(
    ("header", "key"), [(None, None), ("k-1", "k-1"), ('"k-1"', "k-1"), ('"', '"'), ("x" * 200, "x" * 200)]
)
def test_a_key_is_taken_with_quotes_or_without(header: str | None, key: str | None) -> None:
    assert key_of(header) == key


@pytest.mark.parametrize("header", ["", "a b", "schlüssel", "x" * 201, "\udcff", "a\n"], ids=ascii)
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(Unfit, match="Idempotency-Key"):
        key_of(header)

"""Failures put together by their cause, whatever differs from case to case."""

from datetime import date

import pytest

from daemon.reports.patterns import NO_REASON, cause_of, rates_of
from state.ledger.records import Status, Tally

TODAY = date(2026, 11, 21)


def tally(count: int, status: Status = Status.DELIVERED, **fields: object) -> Tally:
    plain = {"rung": "main", "channel": "mail", "first_attempt_ok": True, "error": None}
    return Tally(**{"date": TODAY, "status": status, "count": count, **plain, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("450 greylisted, try again in 300 s", "450 greylisted, try again in 60 s"),
        ('no recipients for "acme"', 'no recipients for "beta"'),
        ("POST https://a.example/x gave no answer", "POST https://b.example/y?z=1 gave no answer"),
        ("550 no such user bo@one.example", "550 no such user al@two.example"),
        (
            "request 4f1c9e2ab77d failed for 123e4567-e89b-12d3-a456-426614174000",
            "request 9ab77d4f1c9e failed for 00000000-e89b-12d3-a456-426614174000",
        ),
    ],
    ids=["numbers", "quoted", "addresses", "mail", "ids"],
)
def test_the_same_cause_reads_the_same(one: str, other: str) -> None:
    assert cause_of(one) == cause_of(other)


def test_other_causes_stay_apart() -> None:
    assert cause_of("the connection was refused") != cause_of("the connection timed out")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the answer was 503", "the answer was 429"),
        ("10.20.30.4:25 refused", "10.20.30.40:25 refused"),
        ("[::1]:25 refused", "[::2]:25 refused"),
        ("450 4.2.2 the mailbox is full", "450 4.7.1 come back later"),
    ],
    ids=["codes", "servers", "servers of IPv6", "extended codes"],
)
def test_codes_and_servers_are_told_as_they_are(one: str, other: str) -> None:
    assert cause_of(one) == one
    assert cause_of(other) == other


@pytest.mark.parametrize("error", ["no answer in 450 s", "503 rows are too many", "it took 450.5 ms"])
def test_what_is_counted_in_something_is_no_code(error: str) -> None:
    assert "N" in cause_of(error)


def test_no_error_is_a_cause_too() -> None:
    assert cause_of(None) == cause_of("  ") == NO_REASON


def test_rates_count_first_attempts_and_name_the_commonest_cause_first() -> None:
    rates = rates_of(
        [
            tally(90),
            tally(6, first_attempt_ok=False, error="timed out after 5 s"),
            tally(2, Status.DELIVERED_LATE, first_attempt_ok=False, error="timed out after 9 s"),
            tally(1, Status.FAILED, first_attempt_ok=False, error="no such user"),
            tally(1, Status.UNKNOWN, error="the answer was lost"),
            tally(3, Status.EXCUSED, first_attempt_ok=None),
        ],
        days=7,
    )
    assert (rates.attempted, rates.first_failed, rates.first_attempt_percent) == (100, 9, 91.0)
    assert (rates.failed, rates.unknown, rates.late) == (1, 1, 2)
    assert [(it.cause, it.count, it.share) for it in rates.patterns] == [
        ("timed out after N s", 8, 80.0),
        ("no such user", 1, 10.0),
        ("the answer was lost", 1, 10.0),
    ]


def test_nothing_attempted_has_no_percentage() -> None:
    assert rates_of([], days=7).first_attempt_percent is None

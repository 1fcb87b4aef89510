"""What an emergency plan counts, and what its first slice says about the rest."""

from datetime import timedelta

import pytest

from daemon.reports.emergency import CANARY_FOR, Verdict, canaries, judge, shares
from state.ledger.records import Obligation, Status
from tests.contracts.ledgers import owed
from tests.daemon.reports.owing import DUE

STANDING = {
    Status.PLANNED: 1,
    Status.DUE: 2,
    Status.LEASED: 3,
    Status.DELIVERED: 10,
    Status.DELIVERED_LATE: 20,
    Status.EXCUSED: 5,
    Status.UNKNOWN: 7,
    Status.FAILED: 4,
}


def test_what_has_arrived_is_not_sent_again() -> None:
    assert shares(STANDING, 6, is_forced=False) == {
        "willSend": 2 + 3 + 4 + 6,
        "alreadyDelivered": 30,
        "sentAgain": 0,
        "excused": 5,
        "unknown": 7,
        "notDueYet": 1,
    }


def test_a_force_sends_again_what_arrived_or_may_have() -> None:
    counts = shares(STANDING, 6, is_forced=True)
    assert counts["willSend"] == 15 + 30 + 7
    assert counts["sentAgain"] == 37


@pytest.mark.parametrize(
    ("all_of_them", "first"), [(0, 0), (1, 1), (3, 1), (21, 2), (100, 5), (400, 20), (100_000, 20)]
)
def test_a_few_go_first(all_of_them: int, first: int) -> None:
    assert canaries(all_of_them) == first


def some(*statuses: Status, attempts: int = 1) -> list[Obligation]:
    return [owed(f"c{at}", status=it, attempts=attempts) for at, it in enumerate(statuses)]


OK, BAD, GONE, BUSY, BACK = Status.DELIVERED, Status.FAILED, Status.UNKNOWN, Status.LEASED, Status.DUE
VERDICTS = [
    ("all arrived", [OK] * 5, 0, Verdict.GO_ON),
    ("one of five failed", [OK] * 4 + [BAD], 0, Verdict.GO_ON),
    ("two of five failed", [OK] * 3 + [BAD, GONE], 0, Verdict.STOP),
    ("it cannot get better", [BUSY] * 3 + [BAD, BAD], 0, Verdict.STOP),
    ("given back is failed", [OK] * 3 + [BACK, BACK], 0, Verdict.STOP),
    ("not ended yet", [OK] * 4 + [BUSY], 0, Verdict.WAIT),
    ("one that does not end", [OK] * 4 + [BUSY], CANARY_FOR.total_seconds(), Verdict.GO_ON),
    ("two that do not end", [OK] * 3 + [BUSY] * 2, CANARY_FOR.total_seconds(), Verdict.STOP),
    ("excused meanwhile", [Status.EXCUSED], 0, Verdict.GO_ON),
]


@pytest.mark.parametrize(
    ("statuses", "seconds", "verdict"), [it[1:] for it in VERDICTS], ids=[it[0] for it in VERDICTS]
)
def test_the_first_slice_says_whether_the_rest_may_follow(
    statuses: list[Status], seconds: float, verdict: Verdict
) -> None:
    assert judge(some(*statuses), {}, DUE, DUE + timedelta(seconds=seconds)) is verdict


def test_attempts_from_before_the_plan_are_no_failures_of_it() -> None:
    assert judge(some(BACK), {"c0": 1}, DUE, DUE) is Verdict.WAIT

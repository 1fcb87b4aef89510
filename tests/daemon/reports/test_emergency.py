"""What an emergency plan counts, and what its first slice says about the rest."""

from collections.abc import AsyncIterator
from datetime import time, timedelta
from pathlib import Path

import pytest

from daemon.reports.calendar import Timing
from daemon.reports.emergency import CANARY_FOR, Verdict, Wish, canaries, draw_up, judge, plan_row, shares
from daemon.reports.estimating import FEWEST, pace
from state.ledger.records import Obligation, Status
from tests.contracts.ledgers import owed
from tests.daemon.reports.owing import DUE, Office

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


SECOND = timedelta(seconds=1)
TIMING = Timing(time(5), time(7), "UTC")


@pytest.mark.parametrize(
    ("seconds", "each"),
    [
        ([], None),
        (range(FEWEST), None),
        (range(FEWEST + 1), SECOND),
        ([0, *range(3600, 3602 + 2 * FEWEST, 2), 9999], 2 * SECOND),
        ([5] * 20, timedelta(0)),
    ],
    ids=["nothing", "too few", "enough", "pauses do not count", "all at once"],
)
def test_the_pace_is_that_of_the_time_in_which_reports_were_made(
    seconds: list[int], each: timedelta | None
) -> None:
    assert pace([DUE + at * SECOND for at in seconds]) == each


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    yield made
    await made.house.close()


async def test_a_plan_says_when_it_will_be_over_and_what_it_will_cost(office: Office) -> None:
    names = [f"c{number:02}" for number in range(40)]
    await office.plan(*names)
    for name in names[:20]:
        await office.house.clock.advance(seconds=3)
        await office.write(name)
    wish = Wish(reason="a test", owner="ann", delay=timedelta(minutes=10))
    plan = await draw_up(office.ledger, wish, TIMING, office.now, usd_each=0.004)
    row = plan_row(plan)
    assert row["counts"]["willSend"] == 20
    assert row["estimatedEndAt"] == office.now + timedelta(minutes=11)
    assert row["estimatedCostUsd"] == 0.08
    kept, _ = await office.ledger.put_plan(plan)
    assert plan_row(kept) == row


async def test_what_is_not_known_is_not_made_up(office: Office) -> None:
    await office.plan("acme", "beta")
    await office.write("acme")
    plan = await draw_up(office.ledger, Wish(reason="a test", owner="ann"), TIMING, office.now)
    row = plan_row(plan)
    assert row["counts"]["willSend"] == 1
    assert (row["estimatedEndAt"], row["estimatedCostUsd"]) == (None, None)

"""The ledger in a few sums, on real ledgers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import SystemClock, VirtualClock
from daemon.reports.coverage import coverage_of
from daemon.reports.sums import LASTS_S, PATIENCE_S, Sums, at_once, summing, sums_of
from state.ledger.base import Ledger
from state.ledger.errors import LedgerDown
from state.ledger.records import Load, Status
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import NOW, TODAY, Making, company, making, outcome, owed, sent

BEFORE = NOW + timedelta(hours=1)
AFTER = NOW + timedelta(hours=3)  # past the deadline of `owed`, which is at 07:00


class Counting(SqliteLedger):
    """A real ledger that counts how often it is asked, and may be away."""

    asked = 0
    error: Exception | None = None
    is_hung = False

    async def loads(self, *args: Any, **fields: Any) -> list[Load]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if self.is_hung:
            await asyncio.Event().wait()
        return await super().loads(*args, **fields)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Counting]:
    made = Counting(tmp_path / "ledger.db", tmp_path)
    await made.open(NOW)
    yield made
    await made.close()


async def deliver(ledger: Ledger, *names: str, status: Status = Status.DELIVERED, at: datetime = NOW) -> None:
    await ledger.plan([owed(name) for name in names], NOW)
    taken: Sequence[Any] = [one for one in await sent(ledger, "anna", at) if one.company_id in names]
    await ledger.record_outcomes("anna", [outcome(one, status=status, at=at) for one in taken])


async def test_an_empty_ledger_covers_nothing_and_lacks_nothing(ledger: Counting) -> None:
    sums = await sums_of(ledger, NOW)
    assert sums == Sums(statuses={}, absent=0, overdue=0)
    assert sums.ratio is None


async def test_the_ratio_is_that_of_the_coverage(ledger: Counting) -> None:
    await deliver(ledger, "a", "b", "c")
    await ledger.plan([owed("d"), owed("e", status=Status.EXCUSED, reason="paused")], NOW)
    sums = await sums_of(ledger, BEFORE)
    assert sums.statuses[Status.DELIVERED] == 3
    assert sums.ratio == 0.75
    assert (await coverage_of(ledger, TODAY, BEFORE)).percent == 75.0


async def test_where_all_are_excused_nothing_is_lacking(ledger: Counting) -> None:
    await ledger.plan([owed("a", status=Status.EXCUSED, reason="paused")], NOW)
    assert (await sums_of(ledger, BEFORE)).ratio == 1.0


async def test_who_was_never_planned_lowers_the_ratio(ledger: Counting) -> None:
    roster = [company("a"), company("b")]
    await ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY, source="test")
    await deliver(ledger, "a")
    sums = await sums_of(ledger, BEFORE)
    assert (sums.absent, sums.ratio) == (1, 0.5)


@pytest.mark.parametrize(("at", "overdue"), [(BEFORE, 0), (AFTER, 2)], ids=["before", "after"])
async def test_what_is_open_past_its_deadline_is_overdue(
    ledger: Counting, at: datetime, overdue: int
) -> None:
    await deliver(ledger, "a")
    await ledger.plan([owed("b"), owed("c")], NOW)
    assert (await sums_of(ledger, at)).overdue == overdue


async def test_many_who_ask_at_once_cost_one_question(ledger: Counting) -> None:
    clock = VirtualClock(NOW)
    sums = summing(ledger, clock)
    answers = await asyncio.gather(*(at_once(sums) for _ in range(20)))
    assert ledger.asked == 1
    assert all(it is answers[0] for it in answers)
    await clock.advance(seconds=LASTS_S)
    await at_once(sums)
    assert ledger.asked == 2


async def test_a_ledger_that_is_down_is_no_answer_and_one_that_is_back_is(ledger: Counting) -> None:
    sums = summing(ledger, VirtualClock(NOW))
    ledger.error = LedgerDown("it is away")
    assert await at_once(sums) is None
    ledger.error = None
    assert await at_once(sums) == Sums(statuses={}, absent=0, overdue=0)


async def test_however_many_ask_a_ledger_that_hangs_each_waits_two_seconds(ledger: Counting) -> None:
    ledger.is_hung = True
    clock = SystemClock()
    sums = summing(ledger, clock)
    began_s = clock.monotonic()
    assert await asyncio.gather(*(at_once(sums) for _ in range(5))) == [None] * 5
    assert PATIENCE_S <= clock.monotonic() - began_s < PATIENCE_S + 2


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Making:
    """A place for a ledger of each kind."""
    return making(request.param, tmp_path, lambda: request.getfixturevalue("postgres"))


async def test_both_kinds_of_ledger_say_the_same(either: Making) -> None:
    ledger = either()
    await ledger.open(NOW)
    await ledger.migrate(NOW)
    await deliver(ledger, "a", "b")
    await ledger.plan([owed("c")], NOW)
    statuses = {Status.DELIVERED: 2, Status.PLANNED: 1}
    assert await sums_of(ledger, AFTER) == Sums(statuses=statuses, absent=0, overdue=1)
    await ledger.close()

"""Coverage, counted on real ledgers."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.reports.coverage import Coverage, counted, coverage_of, coverages, newest_date
from state.ledger.base import Ledger
from state.ledger.records import Outcome, Release, Status
from state.records import DeliveryState
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, company, key, making, outcome, owed, sent

LATER = NOW + timedelta(hours=3)  # past the deadline of `owed`, which is at 07:00


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    made = making("sqlite", tmp_path, lambda: pytest.fail("no server is needed"))()
    await made.open(NOW)
    yield made
    await made.close()


async def deliver(ledger: Ledger, statuses: dict[str, Status], at: datetime = NOW) -> None:
    taken = [one for one in await sent(ledger, "anna", at) if one.company_id in statuses]
    ends: Sequence[Outcome] = [outcome(one, status=statuses[one.company_id], at=at) for one in taken]
    assert await ledger.record_outcomes("anna", ends) == frozenset()


async def test_each_obligation_counts_where_it_ended(ledger: Ledger) -> None:
    names = ["good", "late", "poor"]
    await ledger.plan([owed(name) for name in names], NOW)
    ends = [Status.DELIVERED, Status.DELIVERED_LATE, Status.DELIVERED_DEGRADED]
    await deliver(ledger, dict(zip(names, ends, strict=True)))
    await ledger.plan([owed("lost")], NOW)
    (lost,) = await sent(ledger, "anna")
    unknown = outcome(lost, DeliveryState.UNKNOWN, Status.UNKNOWN, error="no answer")
    await ledger.record_outcomes("anna", [unknown])
    await ledger.plan([owed("broken")], NOW)
    (broken,) = await ledger.claim("anna", NOW, LEASE, 10)
    await ledger.release(
        "anna", [Release(company_id="broken", date=TODAY, epoch=broken.epoch, at=NOW, error="it broke")]
    )
    await ledger.plan([owed("away", status=Status.EXCUSED, reason="paused"), owed("slow")], NOW)
    found = await coverage_of(ledger, TODAY, LATER)
    assert found.as_row() == {
        "date": "2026-11-21",
        "expected": 7,
        "delivered": 3,
        "degraded": 1,
        "excused": 1,
        "unknown": 1,
        "failed": 1,
        "missing": 1,  # slow
        "percent": 50.0,
    }


async def test_what_is_open_is_missing_only_once_its_deadline_has_passed(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b", deadline_at=NOW + timedelta(hours=9))], NOW)
    before = await coverage_of(ledger, TODAY, NOW)
    assert (before.expected, before.missing, before.percent) == (2, 0, 0.0)
    assert (await coverage_of(ledger, TODAY, LATER)).missing == 1


async def test_who_is_on_the_roster_and_has_no_obligation_is_missing(ledger: Ledger) -> None:
    companies = [company("a"), company("b"), company("c", active=False)]
    await ledger.import_companies([companies], import_id="i", now=NOW, on=TODAY, source="test")
    await ledger.plan([owed("a")], NOW)
    found = await coverage_of(ledger, TODAY, NOW)
    assert (found.expected, found.missing) == (2, 1)


async def test_a_date_of_which_nobody_is_owed_anything_has_no_percentage(ledger: Ledger) -> None:
    assert (await coverage_of(ledger, TODAY, NOW)).percent is None
    await ledger.plan([owed("away", status=Status.EXCUSED, reason="paused")], NOW)
    assert (await coverage_of(ledger, TODAY, NOW)).percent == 100.0


def test_a_percentage_is_rounded_down_so_that_a_hundred_means_all() -> None:
    counts = {Status.DELIVERED: 99_999, Status.FAILED: 1}
    assert counted(TODAY, counts, absent=0, overdue=0).percent == 99.99
    assert counted(TODAY, {Status.DELIVERED: 1}, absent=2, overdue=0).percent == 33.33


@given(
    counts=st.dictionaries(st.sampled_from(Status), st.integers(0, 10**6)),
    absent=st.integers(0, 1000),
    share=st.floats(0, 1),
)
def test_every_expected_report_is_in_one_count_or_may_still_come(
    counts: dict[Status, int], absent: int, share: float
) -> None:
    still_open = sum(count for status, count in counts.items() if not status.is_final)
    overdue = int(share * still_open)
    it = counted(TODAY, counts, absent=absent, overdue=overdue)
    told = it.delivered + it.excused + it.unknown + it.failed + it.missing
    assert it.expected == told + still_open - overdue
    assert it.degraded <= it.delivered
    if it.percent is not None:
        assert 0 <= it.percent <= 100
        assert (it.percent == 100) == (it.delivered == it.expected - it.excused)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({}, None),
        ({TODAY: Status.PLANNED}, TODAY),
        ({TODAY: Status.PLANNED, TODAY + DAY: Status.PLANNED}, TODAY),
        ({TODAY - DAY: Status.PLANNED, TODAY + DAY: Status.EXCUSED}, TODAY - DAY),
        ({TODAY: Status.EXCUSED}, TODAY),
        ({TODAY - 30 * DAY: Status.PLANNED}, TODAY - 30 * DAY),
    ],
    ids=["nothing", "today", "tomorrow-is-planned", "tomorrow-is-excused", "all-excused", "long-ago"],
)
async def test_the_newest_date_is_one_that_has_come_due(
    rows: dict[date, Status], expected: date | None, ledger: Ledger
) -> None:
    await ledger.plan([owed("a", on, status=status) for on, status in rows.items()], NOW)
    assert await newest_date(ledger, NOW) == expected


async def test_a_date_of_which_some_are_at_work_has_come_due(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW - DAY)
    assert await newest_date(ledger, NOW - timedelta(seconds=1)) is None
    await ledger.claim("anna", NOW, LEASE, 1)
    assert await newest_date(ledger, NOW) == TODAY


async def test_several_dates_are_counted_newest_first(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("a", TODAY - DAY)], NOW)
    await ledger.excuse([key("a", TODAY - DAY)], "a holiday", NOW)
    found: list[Coverage] = await coverages(ledger, TODAY, 3, NOW)
    assert [(it.date, it.expected, it.excused) for it in found] == [
        (TODAY, 1, 0),
        (TODAY - DAY, 1, 1),
        (TODAY - 2 * DAY, 0, 0),
    ]

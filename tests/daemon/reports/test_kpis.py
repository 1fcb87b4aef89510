"""The four figures: met, missed, or without anything to measure."""

from dataclasses import replace
from datetime import date

import pytest

from daemon.reports.alert_times import AlertTimes
from daemon.reports.coverage import Coverage
from daemon.reports.kpis import ALERTING, COVERAGE, FIRST_ATTEMPT, RECOVERY, Kpi, kpis
from daemon.reports.patterns import Rates


def coverage(delivered: int, missing: int = 0) -> Coverage:
    return Coverage(
        date=date(2026, 11, 21),
        expected=delivered + missing,
        delivered=delivered,
        degraded=0,
        excused=0,
        unknown=0,
        failed=0,
        missing=missing,
    )


def rates(attempted: int, first_failed: int) -> Rates:
    return Rates(
        days=7,
        attempted=attempted,
        first_failed=first_failed,
        failed=0,
        unknown=0,
        late=0,
        degraded=0,
        patterns=(),
    )


def named(found: list[Kpi]) -> dict[str, tuple[float | None, bool]]:
    return {it.name: (it.value, it.is_met) for it in found}


def test_a_good_week_meets_all_four() -> None:
    times = AlertTimes(told_s=[6.0, 12.0], over_s=[600.0, 1200.0])
    assert named(kpis(coverage(16), rates(100, 4), times)) == {
        COVERAGE: (100.0, True),
        FIRST_ATTEMPT: (96.0, True),
        RECOVERY: (15.0, True),
        ALERTING: (0.2, True),
    }


def test_the_slowest_alert_counts_and_the_mean_recovery() -> None:
    times = AlertTimes(told_s=[6.0, 300.0], over_s=[600.0, 3000.0])
    found = named(kpis(coverage(15, missing=1), rates(100, 5), times))
    assert found == {
        COVERAGE: (93.75, False),
        FIRST_ATTEMPT: (95.0, False),
        RECOVERY: (30.0, False),
        ALERTING: (5.0, False),
    }


@pytest.mark.parametrize("failed", [0, 1], ids=["on the way", "one failed"])
def test_what_is_not_due_yet_is_not_missed(failed: int) -> None:
    early = replace(coverage(6), expected=10, failed=failed)
    assert early.pending == 4 - failed
    assert named(kpis(early, None, None))[COVERAGE] == (60.0, failed == 0)


@pytest.mark.parametrize("times", [None, AlertTimes()], ids=["unread", "quiet"])
def test_what_cannot_be_measured_has_no_value_and_breaks_nothing(times: AlertTimes | None) -> None:
    found = named(kpis(None, None, times))
    assert found == dict.fromkeys((COVERAGE, FIRST_ATTEMPT, RECOVERY, ALERTING), (None, True))

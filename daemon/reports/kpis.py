"""The four figures by which the reports are judged, each with its aim."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from daemon.reports.alert_times import AlertTimes
from daemon.reports.coverage import Coverage
from daemon.reports.patterns import Rates

COVERAGE, FIRST_ATTEMPT, RECOVERY, ALERTING = "coverage", "firstAttempt", "recovery", "alertDelivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One figure."""

    name: str
    value: float | None  # None where there is nothing to measure
    unit: str
    target: str  # in words: "100", "> 95", "< 30"
    is_met: bool  # nothing to measure breaks nothing
    over: str  # what it was measured over

    def as_row(self) -> dict[str, Any]:
        """As the API answers it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "met": self.is_met,
            "over": self.over,
        }


def kpis(coverage: Coverage | None, rates: Rates | None, times: AlertTimes | None) -> list[Kpi]:
    """Work the figures out; what is not known is left without a value."""
    covered = None if coverage is None else coverage.percent
    # What is not due yet in zones further west is not missed.
    is_on_the_way = coverage is not None and coverage.pending > 0 and not coverage.lacking
    first = None if rates is None else rates.first_attempt_percent
    recovery = None if times is None else _minutes(times.over_s, fmean)
    told = None if times is None else _minutes(times.told_s, max)
    return [
        Kpi(
            name=COVERAGE,
            value=covered,
            unit="%",
            target="100",
            is_met=covered is None or covered >= 100 or is_on_the_way,
            over="the newest date" if coverage is None else coverage.date.isoformat(),
        ),
        Kpi(
            name=FIRST_ATTEMPT,
            value=first,
            unit="%",
            target="> 95",
            is_met=first is None or first > 95,
            over="the first attempts of 7 days",
        ),
        Kpi(
            name=RECOVERY,
            value=recovery,
            unit="min",
            target="< 30",
            is_met=recovery is None or recovery < 30,
            over="the mean of all grave alerts that ended in 7 days",
        ),
        Kpi(
            name=ALERTING,
            value=told,
            unit="min",
            target="< 5",
            is_met=told is None or told < 5,
            over="the slowest proof that somebody was told in 7 days",
        ),
    ]


def _minutes(seconds: Sequence[float], of: Any) -> float | None:
    return round(of(seconds) / 60, 2) if seconds else None

"""Answers about the health."""

from datetime import datetime
from typing import Literal

from daemon.reports.components import State
from daemon.web.answers import Shape
from daemon.web.answers.reports import Coverage


class Shallow(Shape):
    """The health as anybody may see it."""

    status: Literal["ok", "degraded", "down"]


class ComponentState(Shape):
    """One part, as it was found."""

    status: State
    latency_ms: float | None
    detail: str


class Cause(Shape):
    """A reason why reports failed."""

    cause: str
    count: int
    share: float


class Rates(Shape):
    """How often reports succeeded over some days."""

    days: int
    attempted: int
    first_attempt_percent: float | None
    failed: int
    unknown: int
    late: int
    degraded: int
    patterns: list[Cause]


class CoverageAndFailures(Coverage):
    """The coverage of the newest date, and what reports failed of over some days."""

    failures: dict[str, Rates]


class KpiState(Shape):
    """A figure that was promised, and how it is."""

    value: float | None
    unit: str
    target: str
    met: bool
    over: str


class Recommendation(Shape):
    """One thing to do."""

    text: str
    command: str


class RunSuccess(Shape):
    """How many runs succeeded over some time."""

    succeeded: int
    failed: int
    percent: float | None


class ReportSuccess(Shape):
    """How many reports were delivered of those owed, over some dates."""

    delivered: int
    owed: int
    percent: float | None


class SuccessRates(Shape):
    """How runs and reports fared of late; null where they cannot be counted now, or there are none."""

    runs: dict[str, RunSuccess] | None
    reports: dict[str, ReportSuccess] | None


class Health(Shape):
    """How every component is, measured now."""

    status: Literal["ok", "degraded", "down"]
    at: datetime
    components: dict[str, ComponentState]
    reports: CoverageAndFailures | None
    kpis: dict[str, KpiState]
    open_alerts: list[str]
    silences: list[str]
    recommendations: list[Recommendation]
    success_rates: SuccessRates

"""Answers about today and about the time behind it: the figures of a page."""

from datetime import date, datetime

from msgspec import field

from daemon.notify.health import Condition
from daemon.web.answers import Shape
from daemon.web.answers.reports import Coverage, Standing
from state.records import TaskState, Trigger


class RunRow(Shape):
    """One run of a schedule: a point of its curve."""

    started_at: datetime | None
    finished_at: datetime
    duration_s: float | None
    state: TaskState
    trigger: Trigger
    slot: str | None
    error: str | None


class ReportDay(Shape):
    """How the reports of a date fared."""

    date: date
    delivered: int
    late: int
    degraded: int
    failed: int
    unknown: int
    excused: int
    owed: int
    percent: float | None


class RunDay(Shape):
    """How the runs of a date fared."""

    date: date
    succeeded: int
    failed: int


class RatesByDate(Shape):
    """How reports and runs fared, one entry a date; without reports, or a ledger, none of the first."""

    days: int
    from_: date = field(name="from")
    to: date
    reports: list[ReportDay]
    runs: list[RunDay]
    ledger_error: str | None


class InDanger(Shape):
    """A report that may come too late, or has not come."""

    company_id: str
    date: date
    deadline_at: datetime | None
    status: Standing
    error: str | None


class LaneNow(Shape):
    """How full a lane of the queue is."""

    waiting: int
    running: int
    oldest_age_s: float


class QueueNow(Shape):
    """How full the queue is."""

    lanes: dict[str, LaneNow]


class ChannelNow(Shape):
    """What the last sends on a channel say of it."""

    name: str
    type: str | None
    status: Condition
    since: datetime | None
    last_error: str | None


class ProviderNow(Shape):
    """Whether a provider of language models is asked, and if not, until when and why."""

    name: str
    status: str
    until: datetime | None
    last_error: str | None


class Today(Shape):
    """Today at one glance; of those in danger the first, and how many there are."""

    date: date
    coverage: Coverage | None
    at_risk: list[InDanger]
    at_risk_total: int
    missing: list[InDanger]
    missing_total: int
    ledger_error: str | None
    queue: QueueNow
    channels: list[ChannelNow]
    providers: list[ProviderNow]

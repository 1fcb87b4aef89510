"""Answers about companies, reports, coverage and emergencies."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from daemon.web.answers import Shape
from state.ledger.records import Obligation, PlanState, Send

# `missing` is no state of the ledger's: it is who was on the roster and is not in the ledger at all.
Standing = Literal[
    "planned", "due", "leased", "produced", "sent", "delivered", "delivered-late", "delivered-degraded",
    "excused", "unknown", "failed", "missing",
]  # fmt: skip


class ReportRow(Shape):
    """How one company's report of a date stands."""

    company_id: str
    date: date
    status: Standing
    rung: str | None
    stable_id: str | None
    attempts: int
    due_at: datetime | None
    deadline_at: datetime | None
    delivered_at: datetime | None
    channel: str | None
    error: str | None
    reason: str | None


class Settled(ReportRow):
    """A report that a person has decided on, and the task that makes it again where it is to be."""

    task_id: str | None


class Link(Shape):
    """One link of the chain that led to how a report stands."""

    at: datetime
    event: str
    detail: str | None


class Why(Shape):
    """Why a company's day stands as it does."""

    company_id: str
    date: date
    status: str
    decided_by: str
    because: str
    advice: str | None
    line: str
    links: list[Link]
    obligation: Obligation | None
    sends: list[Send]


class UnplannedReport(Shape):
    """A company's day for which no report was ever planned."""

    company_id: str
    date: date
    status: str
    why: str
    advice: str | None
    report: Mapping[str, Any] | None
    text: str | None


class Report(UnplannedReport):
    """One report: how it stands, why, and the copy that was kept."""

    rung: str | None
    stable_id: str | None
    attempts: int
    due_at: datetime | None
    deadline_at: datetime | None
    delivered_at: datetime | None
    channel: str | None
    error: str | None
    reason: str | None


class Coverage(Shape):
    """How many have the report they are owed for a date."""

    date: date
    expected: int
    delivered: int
    degraded: int
    excused: int
    unknown: int
    failed: int
    missing: int
    percent: float | None


class Difference(Shape, rename={"is_": "is", "company_id": "companyId"}):
    """A row that is not as the certificate sealed it."""

    company_id: str
    what: Literal["new", "gone", "changed"]
    was: str | None
    is_: str | None


class Verdict(Shape):
    """Whether a certificate holds."""

    date: date
    ok: bool
    hash: str | None
    rows: int
    problems: list[str]
    differences: list[Difference]
    differences_total: int
    cleared: bool


class Certificate(Shape):
    """A day's coverage, sealed."""

    date: date
    written_at: datetime
    roster_version: int | None
    coverage: Coverage
    counts: dict[str, int]
    non_delivered: list[Any]
    non_delivered_total: int
    final: bool
    rows: int
    rows_hash: str
    rows_file_hash: str
    previous_hash: str | None
    hash: str


class Counts(Shape):
    """What an import did to the roster, or would do."""

    applied: bool
    added: int
    changed: int
    departed: int
    total: int
    version: int | None
    kept: int
    refused_total: int
    shrinking: bool


class RefusedRow(Shape):
    """A row of a roster that cannot be taken."""

    line: int | None
    reason: str


class ImportedRoster(Counts):
    """What an import did to the roster, and the rows that could not be taken."""

    refused: list[RefusedRow]


class Plan(Shape):
    """An emergency plan: what it does, and how far it is."""

    plan_id: str | None
    task_id: str | None
    state: PlanState
    counts: Mapping[str, Any]
    starts_at: datetime
    estimated_end_at: datetime | None
    estimated_cost_usd: float | None
    reason: str
    owner: str
    dates: list[date]
    companies: list[str] | None
    force_of: str | None
    created_at: datetime
    ended_at: datetime | None


class KeptPlan(Plan):
    """A plan that was asked for: `duplicate` where it is the one of an earlier call."""

    duplicate: bool


class Flaw(Shape):
    """A delivered report of which something is not as it should be."""

    company_id: str
    what: str
    detail: str


class Completion(Shape):
    """Whether each delivered report of a date was kept whole."""

    date: date
    delivered: int
    ok: bool
    findings: list[Flaw]
    findings_total: int

"""What the ledger holds: companies, what they are owed, what was sent, and who asked for what.

Datetimes are aware and UTC; dates are the company's own. Field names are the columns of the tables.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from state.records import DeliveryState, Record

# A report by the last rung of the ladder: its figures are right, its prose is poor.
TEMPLATE_RUNG = "template"


class Status(StrEnum):
    """Where an obligation stands. From `delivered` on it is final, until a person says otherwise."""

    PLANNED = "planned"
    DUE = "due"
    LEASED = "leased"
    PRODUCED = "produced"
    SENT = "sent"  # the intent is written: it may have left, and no answer is known
    DELIVERED = "delivered"
    DELIVERED_LATE = "delivered-late"
    DELIVERED_DEGRADED = "delivered-degraded"
    EXCUSED = "excused"
    UNKNOWN = "unknown"  # the answer to a send was lost
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in FINAL

    @property
    def is_delivered(self) -> bool:
        return self in DELIVERED


DELIVERED = frozenset({Status.DELIVERED, Status.DELIVERED_LATE, Status.DELIVERED_DEGRADED})
FINAL = DELIVERED | {Status.EXCUSED, Status.UNKNOWN, Status.FAILED}
OPEN = frozenset(Status) - FINAL


class Company(Record, frozen=True, kw_only=True):
    """Somebody who is owed a report each local day."""

    id: str
    name: str
    timezone: str
    recipients: tuple[str, ...] = ()
    channel: str | None = None
    deadline: str | None = None  # local, "HH:MM"
    weekdays: tuple[int, ...] | None = None  # ISO, Monday is 1; None is every day
    active: bool = True
    paused_until: date | None = None  # the first local date that is served again
    pause_reason: str | None = None
    joined_on: date | None = None  # the first date it is owed a report for; set by the import
    left_on: date | None = None  # the first date it is owed none for


class Key(NamedTuple):
    """Which obligation is meant."""

    company_id: str
    date: date


class Obligation(Record, frozen=True, kw_only=True):
    """One report owed to one company for one local date; the pair is unique."""

    company_id: str
    date: date
    status: Status = Status.PLANNED
    due_at: datetime
    deadline_at: datetime
    attempts: int = 0
    lease_owner: str | None = None
    lease_expires_at: datetime | None = None
    epoch: int = 0  # grows with every lease; whoever writes with an older one is refused
    retry_at: datetime | None = None
    rung: str | None = None
    stable_id: str | None = None
    planned_at: datetime | None = None
    leased_at: datetime | None = None
    produced_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    channel: str | None = None
    proof: str | None = None
    error: str | None = None
    reason: str | None = None  # why it is excused, or was decided on by a person
    plan_id: str | None = None
    roster_version: int | None = None
    first_attempt_ok: bool | None = None  # None until the first attempt has ended

    @property
    def key(self) -> Key:
        return Key(self.company_id, self.date)


def delivered_status(obligation: Obligation, at: datetime, rung: str | None) -> Status:
    """Name a delivery: late is worse than degraded, for the deadline is the promise."""
    if at > obligation.deadline_at:
        return Status.DELIVERED_LATE
    return Status.DELIVERED_DEGRADED if rung == TEMPLATE_RUNG else Status.DELIVERED


class Held(NamedTuple):
    """A lease as its holder knows it."""

    company_id: str
    date: date
    epoch: int

    @property
    def key(self) -> Key:
        return Key(self.company_id, self.date)


class Produced(Record, frozen=True, kw_only=True):
    """A report has been written and kept."""

    company_id: str
    date: date
    epoch: int
    rung: str
    stable_id: str
    at: datetime


class Intent(Record, frozen=True, kw_only=True):
    """A report is about to be sent: written before the first byte leaves."""

    company_id: str
    date: date
    epoch: int
    stable_id: str
    channel: str
    at: datetime


class Outcome(Record, frozen=True, kw_only=True):
    """What came of a send. `status` ends the obligation; None leaves it open, to be retried, or sent on."""

    company_id: str
    date: date
    epoch: int
    stable_id: str
    channel: str
    state: DeliveryState
    at: datetime
    status: Status | None = None
    proof: str | None = None
    error: str | None = None


class Release(Record, frozen=True, kw_only=True):
    """A lease is given back: to be retried from `retry_at` on or, where that is None, failed for good."""

    company_id: str
    date: date
    epoch: int
    at: datetime
    error: str | None = None
    retry_at: datetime | None = None
    is_attempt: bool = True  # False where nothing was tried, as at a shutdown


class Send(Record, frozen=True, kw_only=True):
    """One message to one channel: the intent before the effect, the outcome after."""

    stable_id: str
    company_id: str
    date: date
    channel: str
    state: DeliveryState
    attempts: int
    epoch: int
    intended_at: datetime
    ended_at: datetime | None = None
    proof: str | None = None
    error: str | None = None


class Event(Record, frozen=True, kw_only=True):
    """One link of the chain that `why` prints."""

    company_id: str
    date: date
    at: datetime
    event: str  # a noun and a state, dotted: "lease.expired"
    detail: str | None = None


class PlanState(StrEnum):
    """How far an emergency trigger has come. The last three are final."""

    WAITING = "waiting"
    CANARY = "canary"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    STOPPED = "stopped"  # the canary slice failed

    @property
    def is_final(self) -> bool:
        return self in (PlanState.DONE, PlanState.CANCELLED, PlanState.STOPPED)


class Plan(Record, frozen=True, kw_only=True):
    """An emergency trigger: what it will do, and how far it is."""

    id: str
    reason: str
    owner: str
    dates: tuple[date, ...]
    scope: tuple[str, ...] | None  # company ids; None is all of them
    counts: Mapping[str, Any] = {}
    state: PlanState = PlanState.WAITING
    created_at: datetime
    starts_at: datetime
    delay_s: float = 0.0
    force_of: str | None = None  # the plan that showed what would be sent again
    key: str = ""  # the caller's idempotency key
    ended_at: datetime | None = None


class Certificate(Record, frozen=True, kw_only=True):
    """A day's coverage, sealed: each one holds the hash of the one written before it."""

    date: date
    written_at: datetime
    roster_version: int | None
    counts: Mapping[str, int]
    rows_hash: str
    previous_hash: str | None
    hash: str
    body: Mapping[str, Any]  # the whole file


class AuditEntry(Record, frozen=True, kw_only=True):
    """Who did what, and why."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str | None = None
    detail: Mapping[str, Any] = {}
    seq: int = 0  # given by the ledger


class RosterVersion(Record, frozen=True, kw_only=True):
    """One import that changed who is owed a report."""

    version: int
    imported_at: datetime
    source: str
    added: int
    changed: int
    departed: int
    total: int


class RosterChange(Record, frozen=True, kw_only=True):
    """What an import does, or would do."""

    added: int
    changed: int
    departed: int  # present until now, and not in what was given
    total: int  # present afterwards
    present: int  # present before
    version: int  # the newest after it
    is_applied: bool = False

    @property
    def shrinks_by(self) -> float:
        """Which share of those present would leave."""
        return self.departed / self.present if self.present else 0.0


class Load(Record, frozen=True, kw_only=True):
    """How much is still to be done for one deadline."""

    deadline_at: datetime
    open: int
    due: int  # of these, how many could be worked on now or are


class Tally(Record, frozen=True, kw_only=True):
    """How many obligations of a date ended, or stand, alike."""

    date: date
    status: Status
    rung: str | None
    channel: str | None
    first_attempt_ok: bool | None
    error: str | None  # the first 300 characters of it, or of what had gone wrong before a delivery
    count: int

"""The records everything else speaks of: small frozen values, one class per thing.

Datetimes are aware and UTC. A record never changes; `replace(record, field=value)` makes the next one.
In JSON their fields are in camelCase. They are msgspec structs, because making the next of a task is
what this program does most: 0.2 us against 4.8 us for a frozen dataclass.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace as replace


# Left out of the collector's rounds, for they hold plain values and no record holds itself: with 100,000
# tasks queued these rounds would take an eighth of the time.
class Record(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """What all records are: frozen, made by keyword, camelCase in JSON."""


class TaskState(StrEnum):
    """Where a task stands. The last three are final."""

    AVAILABLE = "available"
    SCHEDULED = "scheduled"  # waits for its time
    EXECUTING = "executing"
    RETRYABLE = "retryable"  # failed, and will be tried again at `scheduled_at`
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"  # failed for good

    @property
    def is_final(self) -> bool:
        # Asked several times a task; looking for it in a set would hash it by way of Python.
        return self is _COMPLETED or self is _DISCARDED or self is _CANCELLED


_COMPLETED, _DISCARDED, _CANCELLED = TaskState.COMPLETED, TaskState.DISCARDED, TaskState.CANCELLED
FINAL_STATES = frozenset({_COMPLETED, _DISCARDED, _CANCELLED})


class Trigger(StrEnum):
    """Why a task exists."""

    CRON = "cron"
    CATCH_UP = "catch-up"
    MANUAL = "manual"
    API = "api"
    RETRY = "retry"
    STARTUP = "startup"


class Lane(StrEnum):
    """Tasks of one lane cannot starve those of another: each has its own places."""

    ALERTS = "alerts"
    CATCH_UP = "catch-up"
    NORMAL = "normal"


class Severity(StrEnum):
    """How loud an alert is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self._value_]


_RANKS = {severity._value_: rank for rank, severity in enumerate(Severity)}


class Task(Record, frozen=True, kw_only=True):
    """A piece of work that has been promised; once final, also the entry that task history keeps."""

    id: str
    handler: str
    args: Mapping[str, Any] = {}
    state: TaskState = TaskState.AVAILABLE
    trigger: Trigger = Trigger.API
    lane: Lane = Lane.NORMAL
    schedule: str | None = None  # the schedule whose slot this serves
    slot: str | None = None  # the nominal local time it serves, see daemon.engine.cron
    key: str | None = None  # the caller's idempotency key: same key, same task
    attempt: int = 0
    max_attempts: int = 1
    scheduled_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    summary: Mapping[str, Any] | None = None


class TaskKey(Record, frozen=True, kw_only=True):
    """Which task a caller's key made; outlives the task, so that a late repeat finds it."""

    key: str
    task_id: str
    created_at: datetime


class Note(Record, frozen=True, kw_only=True):
    """A small fact with a name, kept for good: "lastDigestNotificationAt"."""

    name: str
    value: str


class HandlerRecord(Record, frozen=True, kw_only=True):
    """What is remembered of a handler for good, however short the task history is."""

    handler: str
    last_state: TaskState
    last_finished_at: datetime
    last_success_at: datetime | None = None
    last_error: str | None = None
    failure_streak: int = 0  # failed runs in a row; a success sets it to 0
    runs: int = 0
    failures: int = 0


class ScheduleRecord(Record, frozen=True, kw_only=True):
    """How far a schedule has come. `last_slot` is the cursor: what lies after it is still owed."""

    name: str
    cron: str
    timezone: str
    last_slot: str
    last_fired_at: datetime | None = None
    next_fire_at: datetime | None = None
    paused_until: datetime | None = None
    pause_reason: str | None = None


class SlotState(StrEnum):
    FIRED = "fired"
    SKIPPED = "skipped"


class SlotRecord(Record, frozen=True, kw_only=True):
    """One nominal time of one schedule, served or skipped with its reason; the pair is unique."""

    schedule: str
    slot: str
    state: SlotState
    decided_at: datetime
    task_id: str | None = None
    reason: str | None = None


class Alert(Record, frozen=True, kw_only=True):
    """Something a person has to know. One open alert per fingerprint, counted."""

    id: str
    fingerprint: str
    name: str  # a noun and a state, dotted: "task.failed"
    severity: Severity
    summary: str  # one sentence
    labels: Mapping[str, str] = {}
    details: Mapping[str, Any] = {}
    advice: str | None = None  # the command or step that helps
    count: int = 1
    first_at: datetime
    last_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


class Silence(Record, frozen=True, kw_only=True):
    """Somebody's word that alerts which match are not to be told for a while; it ends by itself."""

    id: str
    match: str  # "task.failed", "handler=nightly-*", several with commas; all must hold
    owner: str
    reason: str
    created_at: datetime
    ends_at: datetime  # at most 24 h after it began
    ended_by: str | None = None  # who ended it before its time, at `ends_at`


class Telling(Record, frozen=True, kw_only=True):
    """How far one receiver has been told of one alert; made when it was first decided to tell, or not to."""

    id: str  # "ALERT@RECEIVER"
    alert_id: str
    receiver: str  # "" where no route takes the alert
    incident: str | None = None  # what the messages about it are threaded by
    severity: Severity | None = None  # as it was last put into a notice
    count: int = 0
    noticed_at: datetime | None = None  # when it was last put into a notice
    told_at: datetime | None = None  # when a notice of it was first proved to have arrived
    escalated_at: datetime | None = None
    over_at: datetime | None = None  # when its end was put into a notice
    muted: str | None = None  # why it has not been told: "below the threshold", "silenced by …"


class NoticeState(StrEnum):
    OWED = "owed"  # tried until a channel proves that it arrived
    DELIVERED = "delivered"


class Notice(Record, frozen=True, kw_only=True):
    """A message about alerts that is owed to a receiver: kept before the first try, and until proved."""

    id: str  # of the message: the same on every copy, over all channels and restarts
    receiver: str
    incident: str
    kind: str  # "alert", "escalation", "resolved", "test"
    title: str
    message: Mapping[str, Any]  # the whole of what is said, see daemon.notify.wire
    alerts: tuple[str, ...]  # the ids of all that it speaks of
    state: NoticeState = NoticeState.OWED
    since: datetime  # when the oldest thing in it happened
    created_at: datetime
    next_try_at: datetime
    attempts: int = 0  # sends begun, over all channels
    skip: int = 0  # channels of the receiver to begin after: an escalation goes further than they do
    delivered_at: datetime | None = None
    channel: str | None = None  # the one that proved it
    error: str | None = None


class DeliveryState(StrEnum):
    """What is known of one message on one channel."""

    INTENDED = "intended"  # written before the send; found again after a crash it means `unknown`
    DELIVERED = "delivered"  # proved by the receiver's answer
    UNKNOWN = "unknown"  # sent, and the answer was lost
    RETRYABLE = "retryable"  # known not to have arrived; will be tried again
    FAILED = "failed"  # known not to have arrived; trying again cannot help


class Delivery(Record, frozen=True, kw_only=True):
    """A message on its way to one channel: the intent before the effect, the outcome after."""

    id: str  # stable over every retry of the same message on the same channel
    kind: str  # "digest", "alert", "report", "test"
    subject: str  # what it is about: a date, an alert id
    channel: str
    state: DeliveryState
    title: str
    attempts: int = 0
    created_at: datetime
    last_tried_at: datetime | None = None
    proof: str | None = None  # what the receiver answered
    error: str | None = None


class Item(Record, frozen=True, kw_only=True):
    """A lead: something posted somewhere that may deserve an answer."""

    id: str
    body: Mapping[str, Any]  # the item as it came, unknown fields included
    added_at: datetime
    seq: int = 0  # given by the database, in order of arrival
    batch_id: str | None = None  # the batch that scored it; None while it waits
    score: float | None = None
    selected_for_draft: bool = False
    reasons: Mapping[str, float] | None = None  # what the score was made of


class Batch(Record, frozen=True, kw_only=True):
    """One run of the nightly batch: the half-open window of items it took, and what came of it.

    An item belongs to the batch whose window holds its `seq`: after_seq < seq <= until_seq.
    """

    id: str
    task_id: str  # one batch per task, however often the task is run
    date: date  # the local date of the digest
    generated_at: datetime
    after_seq: int
    until_seq: int
    docs_processed: int
    queue_total: int
    marked_for_draft: int
    delivery_id: str | None = None  # the delivery that covers it, once one was begun
    sent_at: datetime | None = None  # when a delivery of it was proved

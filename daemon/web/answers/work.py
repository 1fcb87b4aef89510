"""Answers about schedules, tasks, leads and digests."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from daemon.web.answers import Lead, Shape
from state.records import Task, TaskState


class Alive(Shape):
    """Whether something is as it should be, in one word."""

    status: str


class NotReady(Shape):
    """That no work is taken, or nobody would hear of it; and to whoever may know it, for want of what."""

    status: str
    lacks: list[str] | UnsetType = UNSET


class ScheduleState(Shape):
    """How far a schedule has come."""

    cron: str
    timezone: str
    last_slot: str
    last_fired_at: datetime | None
    next_fire_at: datetime | None
    paused_until: datetime | None
    pause_reason: str | None


class Schedule(ScheduleState):
    """A schedule, and how far it has come."""

    name: str


class Overview(Shape):
    """How it is, in one object."""

    pid: int
    http_port: int | None
    ready: bool
    version: str
    last_heartbeat_at: datetime | None
    queue_depth: int
    open_alerts: int
    schedules: dict[str, ScheduleState]
    coverage_today: float | None


class Promise(Shape):
    """A task that was promised: it is on the disk."""

    id: str
    state: TaskState
    duplicate: bool


class Finished(Task, frozen=True, kw_only=True, gc=False):
    """A task that was promised and waited for, with all that is kept of it."""

    duplicate: bool


class RefusedLead(Shape):
    """A lead that could not be taken, by its place in the array."""

    index: int
    reason: str


class Added(Shape):
    """What became of leads."""

    added: int
    duplicates: int
    refused: list[RefusedLead]


class Summary(Shape):
    """The counts of a digest."""

    docs_processed: int
    queue_total: int
    marked_for_draft: int


class DigestRow(Shape):
    """A digest as lists show it."""

    date: date
    batch_id: str
    generated_at: datetime
    summary: Summary
    file: str
    sent_at: datetime | None


class BatchWindow(Shape):
    """The leads a batch took, by their numbers: above `after`, up to `until`."""

    after: int
    until: int


class DigestBatch(Shape):
    """One batch of a digest's date."""

    batch_id: str
    generated_at: datetime
    docs_processed: int
    queue_total: int
    marked_for_draft: int
    window: BatchWindow


class Digest(Shape):
    """A digest, with every lead that was marked."""

    date: date
    generated_at: datetime
    batch_id: str
    summary: Summary
    batches: list[DigestBatch]
    reddit_queue: list[Lead]


class Load(Shape):
    """The reports owed by one deadline."""

    deadline_at: datetime
    open: int
    due: int
    is_missed: bool


class LedgerLoad(Shape):
    """What the ledger still owes; where it does not tell, why."""

    status: Literal["ok", "off", "down"]
    loads: list[Load]
    error: str | UnsetType = UNSET


class LaneLoad(Shape):
    """How full a lane is."""

    depth: int
    later: int
    running: int
    oldest_age_s: float


class Queues(Shape):
    """How full the queue and the ledger are."""

    lanes: dict[str, LaneLoad]
    handlers: dict[str, Mapping[str, int]]
    ledger: LedgerLoad

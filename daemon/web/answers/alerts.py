"""Answers about alerts, silences and channels."""

from datetime import datetime
from typing import Literal

from daemon.notify.health import Condition
from daemon.web.answers import Shape
from state.records import Alert, Delivery, DeliveryState, NoticeState, Severity, Telling


class Told(Shape):
    """How far people have been told of an alert."""

    receiver: str | None
    state: Literal["delivered", "owed", "waiting", "muted"]
    at: datetime | None
    channel: str | None
    reason: str | None


class AlertRow(Alert, frozen=True, kw_only=True, gc=False):
    """An alert, and whether somebody has heard of it."""

    told: Told | None


class Tried(Shape):
    """A notice on its way to one channel."""

    channel: str
    state: DeliveryState
    attempts: int
    last_tried_at: datetime | None
    proof: str | None
    error: str | None


class NoticeRow(Shape):
    """A message about alerts, and what became of it."""

    id: str
    receiver: str
    kind: str
    title: str
    state: NoticeState
    since: datetime
    created_at: datetime
    attempts: int
    next_try_at: datetime
    delivered_at: datetime | None
    channel: str | None
    error: str | None
    latency_s: float | None
    deliveries: list[Tried]


class Member(Shape):
    """An alert of an incident."""

    id: str
    name: str
    severity: Severity
    summary: str
    first_at: datetime
    resolved_at: datetime | None


class Incident(Shape):
    """What is told under one thread: its alerts are a page of them, `total` says how many there are."""

    id: str
    receiver: str
    total: int
    alerts: list[Member]


class AlertPage(AlertRow, frozen=True, kw_only=True, gc=False):
    """All about one alert."""

    tellings: list[Telling]
    notices: list[NoticeRow]
    incidents: list[Incident]


class AlertTrial(Shape):
    """Whether a test alert arrived, and what proves it."""

    alert: str
    severity: Severity
    delivered: bool
    incident: str | None
    receiver: str | None
    channel: str | None
    proof: str | None
    latency_s: float | None
    reason: str | None


class ChannelRow(Shape):
    """A channel, and what its last sends say of it."""

    name: str
    type: str | None
    is_delivery: bool
    state: Condition
    since: datetime | None
    error: str | None
    last_ok_at: datetime | None


class TrialStep(Shape):
    """One step towards a receiver."""

    name: str
    ok: bool
    detail: str
    took_s: float


class Trial(Shape):
    """How far one channel or link got."""

    channel: str
    ok: bool
    steps: list[TrialStep]


class TestDelivery(Delivery, frozen=True, kw_only=True, gc=False):
    """What is known of a test message."""

    delivered: bool

"""Why an obligation stands where it stands: the event that decided it, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from daemon.durations import format_duration
from daemon.reports.calendar import DAY, absence_of, excuse_for, local_date
from state.ledger.records import Company, Event, Obligation, Status

MISSING = "missing"
NOT_OWED = "not-owed"
# What was decided by hand or by a plan, where it is the last thing that was noted.
DECISIONS = ("obligation.reopened", "obligation.forced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Where it stands, the event that decided that, and the sentence for people."""

    status: str  # a status of the ledger, or `missing`, or `not-owed`
    decided_by: str
    because: str
    advice: str | None = None


def absent_ending(company: Company, day: date, now: datetime) -> Ending:
    """Say why a company has no obligation for a day."""
    if absence := absence_of(company, day):
        return Ending(status=NOT_OWED, decided_by="roster.absent", because=absence)
    if excuse := excuse_for(company, day):
        return Ending(status=NOT_OWED, decided_by="calendar.excused", because=excuse)
    if day > local_date(company, now) + DAY:
        because = "obligations are written a day ahead, and this one is not written yet"
        return Ending(status=NOT_OWED, decided_by="planner.ahead", because=because)
    return Ending(
        status=MISSING,
        decided_by="obligation.absent",
        because="on the roster of that day, but nothing was planned for it",
        advice=_ensure_advice(company.id, day),
    )


def ending_of(one: Obligation, noted: Sequence[Event], now: datetime) -> Ending:
    """Say why an obligation stands where it does; `noted` are the events beside its row, by time."""
    if one.status.is_delivered:
        return _delivered(one, noted)
    if one.status is Status.EXCUSED:
        return _ending(one, "obligation.excused", one.reason or "no reason was given")
    if one.status is Status.UNKNOWN:
        said = _last_detail(noted, "send.unknown") or one.error or "no answer was heard"
        return _ending(one, "send.unknown", said, _resolve_advice(one))
    if one.status is Status.FAILED:
        return _failed(one, noted)
    return _open(one, noted, now)


def _delivered(one: Obligation, noted: Sequence[Event]) -> Ending:
    said = _last_detail(noted, "obligation.resolved")
    if said is not None and one.reason == said:
        return _ending(one, "obligation.resolved", said)
    late = ""
    if one.status is Status.DELIVERED_LATE and one.delivered_at is not None:
        late = f" {format_duration(one.delivered_at - one.deadline_at)} after its deadline"
    because = f"{one.channel} took it{late}: {one.proof or 'no proof was given'}"
    if one.status is Status.DELIVERED_DEGRADED:
        because = f"written by the template and not by a model; {because}"
    return _ending(one, "send.delivered", because)


def _failed(one: Obligation, noted: Sequence[Event]) -> Ending:
    ends = [it for it in noted if it.event in ("attempt.failed", "send.failed")]
    event = ends[-1].event if ends else "attempt.failed"
    because = f"{_attempts(one)}, the last one ended in: {one.error or 'no reason was given'}"
    return _ending(one, event, because, f"once it is mended: {_ensure_advice(one.company_id, one.date)}")


def _open(one: Obligation, noted: Sequence[Event], now: datetime) -> Ending:
    overdue = ""
    if one.deadline_at < now:
        overdue = f"; its deadline passed {format_duration(now - one.deadline_at)} ago"
    advice = _ensure_advice(one.company_id, one.date) if overdue else None
    event, because = _open_state(one, noted, now)
    return _ending(one, event, because + overdue, advice)


def _open_state(one: Obligation, noted: Sequence[Event], now: datetime) -> tuple[str, str]:
    if one.status in (Status.LEASED, Status.PRODUCED, Status.SENT):
        return _at_work(one, now)
    if one.due_at > now:
        return "obligation.planned", f"it comes due in {format_duration(one.due_at - now)}"
    last = noted[-1] if noted else None
    if last is not None and last.event in DECISIONS:
        return last.event, f"owed again, {last.detail}"
    if one.retry_at is not None:
        wait = f"in {format_duration(one.retry_at - now)}" if one.retry_at > now else "now"
        return (
            "attempt.failed",
            f"to be tried again {wait}, after {_attempts(one)}: {one.error or 'no reason'}",
        )
    return "obligation.due", f"due since {format_duration(now - one.due_at)}, and nobody has taken it up yet"


def _at_work(one: Obligation, now: datetime) -> tuple[str, str]:
    if one.lease_expires_at is not None and one.lease_expires_at < now:
        gone = format_duration(now - one.lease_expires_at)
        return "lease.expired", f"its writer has not been heard of since its lease ended {gone} ago"
    if one.status is Status.LEASED:
        return "lease.taken", f"it is being written, attempt {one.attempts}"
    if one.status is Status.PRODUCED:
        return "report.produced", f"it is written by {one.rung} and about to be sent"
    return "send.intended", f"it is being sent by {one.channel}, which has not answered yet"


def _ending(one: Obligation, event: str, because: str, advice: str | None = None) -> Ending:
    return Ending(status=one.status.value, decided_by=event, because=because, advice=advice)


def _last_detail(noted: Sequence[Event], event: str) -> str | None:
    return next((it.detail for it in reversed(noted) if it.event == event), None)


def _attempts(one: Obligation) -> str:
    return "1 attempt" if one.attempts == 1 else f"{one.attempts:,} attempts"


def _ensure_advice(company_id: str, day: date) -> str:
    return f"nightdesk reports ensure --date {day} --company {company_id}"


def _resolve_advice(one: Obligation) -> str:
    return f"nightdesk reports resolve {one.company_id} {one.date} --as delivered|resend"

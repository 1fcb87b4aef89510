"""One incident from its first alert to its end: what is to be said, when, and why."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from daemon.durations import format_duration
from daemon.watch.beat import Beat
from daemon.watchdog.judging import Look, Verdict
from daemon.watchdog.message import Kind, Message


class Reason(StrEnum):
    """Why something is said, or nothing."""

    NOTHING_TO_SAY = "nothing to say"
    FIRST = "first"
    STILL = "still"
    RECOVERED = "recovered"
    STOPPED_IN_ORDER = "stopped in good order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that is wrong with the daemon, and has been told or is about to be."""

    id: str
    verdict: Verdict  # as it was when the incident was opened
    since: datetime  # the last that was heard of the daemon, by the wall clock
    said_at: datetime  # when the newest alert of it was made
    messages: int  # alerts made so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this happens, for people who have more than one."""

    host: str
    home: str
    app_url: str | None = None


def decide(incident: Incident | None, verdict: Verdict, now: datetime, repeat_after: timedelta) -> Reason:
    """Decide what has to be said after a look."""
    if incident is None:
        return Reason.FIRST if verdict.is_bad else Reason.NOTHING_TO_SAY
    if verdict is Verdict.ALIVE:
        return Reason.RECOVERED
    if verdict is Verdict.RESTING and incident.verdict is not Verdict.STOPPED:
        return Reason.STOPPED_IN_ORDER
    if verdict.is_bad and now - incident.said_at >= repeat_after:
        return Reason.STILL
    return Reason.NOTHING_TO_SAY


def follow(
    incident: Incident | None,
    reason: Reason,
    verdict: Verdict,
    look: Look,
    now: datetime,
    place: Place,
    new_id: Callable[[], str],
) -> tuple[Incident | None, Message | None]:
    """Take the incident one step on; the message to send, where the reason asks for one."""
    if reason is Reason.NOTHING_TO_SAY:
        return incident, None
    if incident is None:
        silence = timedelta(seconds=look.silence_s)
        since = now - silence if look.beat is None else min(look.beat.at, now)
        incident = Incident(id=new_id(), verdict=verdict, since=since, said_at=now, messages=1)
        return incident, _alert(incident, verdict, look, now, place)
    if reason is Reason.STILL:
        incident = replace(incident, said_at=now, messages=incident.messages + 1)
        return incident, _alert(incident, verdict, look, now, place)
    return None, _resolved(incident, reason, look, now, place)


TITLES = {
    Verdict.HUNG: "the daemon hangs",
    Verdict.GONE: "the daemon is gone",
    Verdict.STOPPED: "the daemon was stopped and not started again",
    Verdict.NEVER_STARTED: "the daemon was never started",
}
ADVICE = {
    Verdict.HUNG: "journalctl -u nightdesk -n 100; then systemctl restart nightdesk",
    Verdict.GONE: "systemctl status nightdesk; journalctl -u nightdesk -n 100; systemctl start nightdesk",
    Verdict.STOPPED: "systemctl start nightdesk; if it is meant to rest, stop nightdesk-watchdog as well",
    Verdict.NEVER_STARTED: "systemctl enable --now nightdesk; or name its home to the watchdog with --home",
}


def _alert(incident: Incident, verdict: Verdict, look: Look, now: datetime, place: Place) -> Message:
    still = "still: " if incident.messages > 1 else ""
    facts = [("Since", _moment(incident.since)), ("For", _span(now - incident.since))]
    if look.beat is not None:
        facts += _facts_of(look.beat, verdict)
    return Message(
        id=f"{incident.id}-{incident.messages}",
        kind=Kind.ALERT,
        thread=incident.id,
        # A daemon that somebody stopped is no emergency; all else is.
        severity="error" if verdict is Verdict.STOPPED else "critical",
        title=f"nightdesk on {place.host}: {still}{TITLES[verdict]}",
        facts=(*facts, ("Home", place.home)),
        advice=ADVICE[verdict],
        link=place.app_url,
        created_at=now,
    )


def _resolved(incident: Incident, reason: Reason, look: Look, now: datetime, place: Place) -> Message:
    is_back = reason is Reason.RECOVERED
    what = "the daemon is back" if is_back else "the daemon has been stopped in good order"
    facts = [
        ("It was", f"{incident.verdict} since {_moment(incident.since)}"),
        ("It lasted", _span(now - incident.since)),
    ]
    if is_back and look.beat is not None:
        facts.append(("Process", f"{look.beat.pid}, started {_moment(look.beat.started_at)}"))
    return Message(
        id=f"{incident.id}-resolved",
        kind=Kind.RESOLVED,
        thread=incident.id,
        severity="info",
        title=f"nightdesk on {place.host}: {what}",
        facts=(*facts, ("Home", place.home)),
        link=place.app_url,
        created_at=now,
    )


def _facts_of(beat: Beat, verdict: Verdict) -> list[tuple[str, str]]:
    state = "is there, and its loop does not turn" if verdict is Verdict.HUNG else "no longer holds its home"
    facts = [
        ("Last sign of life", f"{_moment(beat.at)}, {beat.state}"),
        ("Process", f"{beat.pid}, started {_moment(beat.started_at)}; it {state}"),
    ]
    if beat.in_flight:
        facts.append(("Tasks in flight", f"{beat.in_flight}; they are owed again at the next start"))
    return facts


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    return format_duration(max(span, timedelta(0)))

"""One incident: what is said, when, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.watch.beat import Beat, BeatState
from daemon.watchdog.incident import TITLES, Incident, Place, Reason, decide, follow
from daemon.watchdog.judging import Look, Verdict
from daemon.watchdog.message import Kind, Message, plain_text

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
INCIDENT = Incident(id="w-1", verdict=Verdict.HUNG, since=NOW, said_at=NOW, messages=1)
PLACE = Place(host="desk7", home="/var/lib/nightdesk", app_url="https://desk.example")
BEAT = Beat(
    pid=4711,
    boot_id="ab12",
    at=NOW - timedelta(seconds=46),
    monotonic=1000.0,
    state=BeatState.RUNNING,
    started_at=NOW - timedelta(days=3),
    in_flight=2,
)
LOOK = Look(beat=BEAT, is_new=False, silence_s=46.0, looked_at_s=1046.0)
BAD = [Verdict.HUNG, Verdict.GONE, Verdict.STOPPED, Verdict.NEVER_STARTED]
GOOD = [Verdict.ALIVE, Verdict.QUIET, Verdict.RESTING]


@pytest.mark.parametrize("verdict", BAD)
def test_what_is_wrong_is_said_once_and_again_each_hour(verdict: Verdict) -> None:
    assert decide(None, verdict, NOW, HOUR) is Reason.FIRST
    assert decide(INCIDENT, verdict, NOW + HOUR * 0.99, HOUR) is Reason.NOTHING_TO_SAY
    assert decide(INCIDENT, verdict, NOW + HOUR, HOUR) is Reason.STILL


@pytest.mark.parametrize("verdict", GOOD)
def test_where_nothing_is_wrong_nothing_is_said(verdict: Verdict) -> None:
    assert decide(None, verdict, NOW, HOUR) is Reason.NOTHING_TO_SAY


def test_a_daemon_that_merely_is_quiet_again_has_not_recovered() -> None:
    assert decide(INCIDENT, Verdict.QUIET, NOW + 9 * HOUR, HOUR) is Reason.NOTHING_TO_SAY
    assert decide(INCIDENT, Verdict.ALIVE, NOW, HOUR) is Reason.RECOVERED


def test_a_stop_in_good_order_ends_an_incident_but_not_the_one_about_the_stop() -> None:
    stopped = replace(INCIDENT, verdict=Verdict.STOPPED)
    assert decide(INCIDENT, Verdict.RESTING, NOW, HOUR) is Reason.STOPPED_IN_ORDER
    assert decide(stopped, Verdict.RESTING, NOW, HOUR) is Reason.NOTHING_TO_SAY


def step(
    incident: Incident | None, reason: Reason, verdict: Verdict, look: Look = LOOK, now: datetime = NOW
) -> tuple[Incident | None, Message]:
    after, message = follow(incident, reason, verdict, look, now, PLACE, lambda: "w-9")
    assert message is not None
    return after, message


def test_the_first_alert_says_what_since_when_what_it_touches_and_what_to_do() -> None:
    incident, message = step(None, Reason.FIRST, Verdict.HUNG)

    assert incident == Incident(id="w-9", verdict=Verdict.HUNG, since=BEAT.at, said_at=NOW, messages=1)
    assert (message.id, message.thread, message.kind, message.severity) == (
        "w-9-1",
        "w-9",
        Kind.ALERT,
        "critical",
    )
    assert plain_text(message).splitlines() == [
        "CRITICAL: nightdesk on desk7: the daemon hangs",
        "Since: 2026-11-21 20:59:14 UTC",
        "For: 46s",
        "Last sign of life: 2026-11-21 20:59:14 UTC, running",
        "Process: 4711, started 2026-11-18 21:00:00 UTC; it is there, and its loop does not turn",
        "Tasks in flight: 2; they are owed again at the next start",
        "Home: /var/lib/nightdesk",
        "What to do: journalctl -u nightdesk -n 100; then systemctl restart nightdesk",
        "https://desk.example",
    ]


@pytest.mark.parametrize("verdict", BAD)
def test_every_verdict_has_its_words(verdict: Verdict) -> None:
    look = replace(LOOK, beat=None) if verdict is Verdict.NEVER_STARTED else LOOK
    _, message = step(None, Reason.FIRST, verdict, look)
    assert message.title.endswith(TITLES[verdict])
    assert message.advice
    assert message.severity == ("error" if verdict is Verdict.STOPPED else "critical")


def test_a_repeat_has_an_id_of_its_own_in_the_same_thread() -> None:
    incident, message = step(INCIDENT, Reason.STILL, Verdict.GONE, now=NOW + HOUR)
    assert incident == replace(INCIDENT, said_at=NOW + HOUR, messages=2)
    assert (message.id, message.thread) == ("w-1-2", "w-1")
    assert "still: the daemon is gone" in message.title


def test_the_end_says_how_long_it_lasted() -> None:
    back = replace(LOOK, beat=replace(BEAT, pid=4712, started_at=NOW + HOUR), is_new=True)
    incident, message = step(INCIDENT, Reason.RECOVERED, Verdict.ALIVE, back, now=NOW + HOUR)
    assert incident is None
    assert (message.id, message.thread, message.kind) == ("w-1-resolved", "w-1", Kind.RESOLVED)
    facts = dict(message.facts)
    assert facts["It lasted"] == "1h"
    assert facts["It was"] == "hung since 2026-11-21 21:00:00 UTC"
    assert facts["Process"].startswith("4712")
    assert plain_text(message).startswith("RESOLVED: nightdesk on desk7: the daemon is back")


def test_a_clock_that_was_put_back_makes_no_negative_time() -> None:
    _, message = step(INCIDENT, Reason.RECOVERED, Verdict.ALIVE, now=NOW - HOUR)
    assert dict(message.facts)["It lasted"] == "0ms"
    ahead = replace(LOOK, beat=replace(BEAT, at=NOW + HOUR))
    incident, _ = step(None, Reason.FIRST, Verdict.HUNG, ahead)
    assert incident is not None
    assert incident.since == NOW


def test_nothing_to_say_changes_nothing() -> None:
    assert follow(INCIDENT, Reason.NOTHING_TO_SAY, Verdict.QUIET, LOOK, NOW, PLACE, str) == (INCIDENT, None)

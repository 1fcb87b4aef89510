"""What a person says of an alert: not now, I am on it, nothing; and what then becomes of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import Way
from tests.journeys.three_stand_in import Three, fail, three_channels

JOBS = ("payroll", "invoices", "backup-copy")
TOLD_S = 30.0


@pytest.fixture
def channels() -> Iterator[Three]:
    with three_channels() as made:
        yield made


def write_config(desk: Desk, channels: Three) -> None:
    """Every failure is critical, and goes from the room to the boss's mail unless somebody takes it on."""
    people = {f"{job}-team": ["room"] for job in JOBS}
    routes: list[dict[str, Any]] = [
        {"match": {"handler": job}, "receiver": f"{job}-team", "escalateAfter": "12s", "escalateTo": "boss"}
        for job in JOBS
    ]
    alerts = {"consecutiveFailures": 1, "receivers": {**people, "boss": ["post"]}, "routes": routes}
    channels.write_config(desk, jobs=JOBS, alerts=alerts)


@pytest.mark.waits
def test_a_silence_mutes_an_acknowledgement_holds_and_nothing_said_goes_further(
    desk: Desk, channels: Three
) -> None:
    write_config(desk, channels)
    desk.start()
    asked = ("handler=backup-copy", "--for", "1h", "--reason", "the disk is changed")
    silence = desk.does("alerts", "silence", *asked, "--json").json
    for job in JOBS:
        fail(desk, job)
    for job in ("payroll", "invoices"):
        desk.wait_for(job, lambda job=job: in_room(channels, job), patience_s=TOLD_S)  # type: ignore[misc]
    taken = desk.does("alerts", "ack", alert_of(desk, "invoices")["id"], "--by", "Ada", "--json").json
    assert taken["acknowledgedBy"] == "Ada"
    desk.wait_for("the boss", lambda: channels.post.line.copies, patience_s=TOLD_S)
    muted = alert_of(desk, "backup-copy")["told"]
    assert (muted["state"], "the disk is changed" in muted["reason"]) == ("muted", True)
    assert not channels.about("backup-copy")

    desk.does("alerts", "unsilence", silence["id"])
    desk.wait_for("what was muted", lambda: in_room(channels, "backup-copy"), patience_s=TOLD_S)
    desk.does("alerts", "ack", alert_of(desk, "backup-copy")["id"])
    (further,) = channels.post.line.copies
    assert "Not acknowledged: payroll has failed" in further.text
    assert [len(channels.about(job)) for job in JOBS] == [2, 1, 1]
    assert channels.refused == []


def test_a_test_alert_says_whether_it_arrived_and_by_which_channel(desk: Desk, channels: Three) -> None:
    channels.write_config(desk)
    desk.start()
    channels.room.line.become(Way.REFUSED)
    outcome = desk.does("alerts", "test", "--severity", "info", "--json").json
    assert (outcome["delivered"], outcome["channel"]) == (True, "post")
    assert "4711" in outcome["proof"]
    (copy,) = channels.copies
    assert "A test of the way that alerts go" in copy.text
    assert not desk.rows("SELECT 1 FROM alert WHERE name = 'alert.test' AND resolved_at IS NULL")


def in_room(channels: Three, job: str) -> bool:
    return any(job in copy.text for copy in channels.room.line.copies)


def alert_of(desk: Desk, job: str) -> dict[str, Any]:
    """The critical alert of a job, as it is listed."""
    listed = desk.does("alerts", "list", "--json").json
    (found,) = [it for it in listed if (it["name"], it["labels"]["handler"]) == ("handler.failing", job)]
    return dict(found)

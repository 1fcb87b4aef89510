"""From leads to the team's room, by the real program: one message a night, whatever happens on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.daemon.notify.receivers import TOKEN, resetting, saying
from tests.journeys.desk import NEVER, ROOT, Desk, Ended, zone_at_noon
from tests.journeys.slack_stand_in import OK, Held, StandIn, slack_stand_in

LEADS: tuple[dict[str, Any], ...] = (
    {"id": "good", "title": "Which desk lamp do you use", "subreddit": "lamps", "score": 0.9},
    {"id": "edge", "title": "Exactly on the threshold", "score": 0.75},
    {"id": "poor", "title": "Nothing to see here", "score": 0.1},
)
OLD_LEAD = "What was news the day before"


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with slack_stand_in() as made:
        yield made


@pytest.fixture
def night(desk: Desk, slack: StandIn) -> Desk:
    """A desk where it is noon, whose digest goes to the stand-in; leads wait, and a daemon runs."""
    desk.environ["TEAM_HOOK"] = slack.url
    write_config(desk)
    desk.start()
    desk.does("items", "add", str(desk.write_leads(*LEADS)))
    return desk


def write_config(desk: Desk, **settings: Any) -> None:
    desk.write_config(
        timezone=zone_at_noon(),
        nightlyBatchSchedule="0 3 * * *",  # so that this night's slot is past, and today's
        morningNotificationSchedule=settings.pop("morning", NEVER),
        heartbeatSchedule=NEVER,
        digestNotificationChannel="team",
        channels={"team": {"type": "slack", "url": "env:TEAM_HOOK"}},
        network={"allowPrivate": True},
        **settings,
    )


def test_leads_become_one_message_that_is_known_as_sent_once_slack_has_said_so(
    night: Desk, slack: StandIn
) -> None:
    held = Held()
    slack.answers(held)
    made_batch(night)
    assert night.state()["lastDigestNotificationAt"] is None
    accepted = night.does("trigger", "send-digest", "--json").json
    night.wait_for("a post", lambda: slack.posts)
    assert [row["state"] for row in deliveries(night)] == ["intended"]
    assert last_sent(night) is None
    held.let_go()
    night.wait_for("the note that it was sent", lambda: last_sent(night))
    task = night.client.get(f"/api/tasks/{accepted['id']}", {"wait": 5}, wait_s=5)
    assert (task["state"], task["summary"]["outcome"]) == ("completed", "delivered")
    again = sent(night)
    assert (again["state"], "was already sent" in again["error"]) == ("cancelled", True)
    assert (len(slack.posts), slack.refused) == (1, [])
    shown = json.dumps(slack.posts[0])
    assert (LEADS[0]["title"] in shown, LEADS[1]["title"] in shown) == (True, False)
    digest = json.loads(digest_path(night).read_text())
    assert digest["summary"] == {"docsProcessed": 3, "queueTotal": 3, "markedForDraft": 1}
    night.wait_for("the outbox to be empty", lambda: night.state()["outbox"] == [])
    night.stop()
    assert [str(path) for path in files_with(night, TOKEN)] == []


def test_a_lost_answer_stays_unknown_until_somebody_asks_for_it_again(night: Desk, slack: StandIn) -> None:
    slack.answers(resetting, OK)
    made_batch(night)
    assert sent(night)["summary"]["outcome"] == "unknown"
    assert_unknown(night)
    sent(night)
    night.does("digest", "send", today().isoformat())
    night.kill()
    night.start()
    sent(night)
    assert len(slack.posts) == 1
    assert last_sent(night) is None
    night.does("digest", "send", today().isoformat(), "--again")
    assert (len(slack.posts), slack.posts[0], slack.refused) == (2, slack.posts[1], [])
    assert last_sent(night) is not None
    assert [alert["resolved_at"] is None for alert in night.alerts("digest.unknown")] == [False]


def test_a_kill_between_the_post_and_its_answer_is_unknown_and_not_posted_blindly(
    night: Desk, slack: StandIn
) -> None:
    held = Held()
    slack.answers(held, OK)
    made_batch(night)
    task = night.does("trigger", "send-digest", "--json").json
    night.wait_for("a post", lambda: slack.posts)
    night.kill()
    held.let_go()
    night.start()
    done = night.client.get(f"/api/tasks/{task['id']}", {"wait": 10}, wait_s=10)
    assert (done["state"], done["attempt"], done["summary"]["outcome"]) == ("completed", 2, "unknown")
    assert_unknown(night)
    assert (len(slack.posts), last_sent(night)) == (1, None)
    night.does("digest", "send", today().isoformat(), "--again")
    assert (len(slack.posts), last_sent(night) is not None) == (2, True)


def test_a_server_error_is_tried_again_and_then_sent_once(night: Desk, slack: StandIn) -> None:
    slack.answers(saying(500, "internal error"), OK)
    made_batch(night)
    assert (sent(night)["attempt"], len(slack.posts)) == (2, 2)
    sent(night)
    assert len(slack.posts) == 2
    assert [(row["state"], row["attempts"]) for row in deliveries(night)] == [("delivered", 2)]
    assert night.alerts("digest.unsent") == []


def test_slack_is_left_alone_for_as_long_as_it_asks(night: Desk, slack: StandIn) -> None:
    slack.answers(saying(429, "rate_limited", retry_after="7"), OK)
    made_batch(night)
    assert sent(night)["attempt"] == 2
    first_s, second_s = slack.posted_s
    assert 7.0 <= second_s - first_s < 12.0
    assert last_sent(night) is not None


def test_a_room_that_is_gone_is_given_up_at_once_and_alerted(night: Desk, slack: StandIn) -> None:
    slack.answers(saying(404, "no_service"))
    made_batch(night)
    ended = night.run("trigger", "send-digest", "--wait", "--json")
    assert (ended.code, ended.json["state"], ended.json["attempt"]) == (1, "discarded", 1)
    assert "make a new one" in ended.json["error"]
    (alert,) = night.wait_for("the alert in the state", lambda: open_alerts(night, "digest.unsent"))
    assert (alert["severity"], alert["labels"]) == ("error", {"date": today().isoformat()})
    assert (len(slack.posts), last_sent(night)) == (1, None)
    slack.answers(OK)
    night.does("digest", "send")
    assert last_sent(night) is not None
    night.wait_for("the end of the alert", lambda: not open_alerts(night, "digest.unsent"))


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: path.write_text(""),
    ],
    ids=["deleted", "full of NULs", "empty"],
)
def test_tonights_digest_is_made_anew_where_its_file_is_lost_and_yesterdays_is_not_sent(
    night: Desk, slack: StandIn, spoil: Callable[[Path], object]
) -> None:
    yesterdays = leave_yesterdays(night)
    made_batch(night)
    whole = digest_path(night).read_bytes()
    spoil(digest_path(night))
    assert sent(night)["summary"]["outcome"] == "delivered"
    assert digest_path(night).read_bytes() == whole
    (post,) = slack.posts
    assert (LEADS[0]["title"] in json.dumps(post), OLD_LEAD in json.dumps(post)) == (True, False)
    assert f"Digest of {today().isoformat()}" in json.dumps(post)
    assert digest_path(night, today() - timedelta(days=1)).read_bytes() == yesterdays


def test_yesterdays_digest_alone_is_never_sent_as_new(desk: Desk, slack: StandIn) -> None:
    desk.environ["TEAM_HOOK"] = slack.url
    write_config(desk)
    yesterdays = leave_yesterdays(desk)
    desk.start()
    assert sent(desk)["summary"]["date"] == today().isoformat()
    (post,) = slack.posts
    assert OLD_LEAD not in json.dumps(post)
    assert f"Digest of {today().isoformat()}: nothing above the threshold" in json.dumps(post)
    assert digest_path(desk, today() - timedelta(days=1)).read_bytes() == yesterdays
    desk.wait_for("the warning of an empty batch", lambda: open_alerts(desk, "batch.empty"))


def test_a_morning_that_was_missed_is_made_up_once_after_a_kill(night: Desk, slack: StandIn) -> None:
    desk = night
    made_batch(desk)
    at = datetime.now(ZoneInfo(zone_at_noon())) + timedelta(seconds=5)
    line = f"{at.second} {at.minute} {at.hour} * * *"
    write_config(desk, morning=line)
    desk.reload()
    desk.wait_for("the new line", lambda: desk.state()["schedules"]["send-digest"]["cron"] == line)
    desk.kill()
    assert datetime.now(UTC) < at, "the machine is too slow for this test: the morning has come already"
    desk.wait_for("the morning", lambda: datetime.now(UTC) > at + timedelta(seconds=1))
    for _ in range(3):
        desk.start()
        desk.wait_for("the note that it was sent", lambda: last_sent(desk))
        desk.kill()
    assert len(slack.posts) == 1
    slots = desk.rows("SELECT slot, state FROM slot WHERE schedule = 'send-digest'")
    assert [tuple(row) for row in slots] == [(f"{at:%Y-%m-%dT%H:%M:%S}", "fired")]
    runs = desk.rows("SELECT state FROM run WHERE schedule = 'send-digest' AND state = 'completed'")
    assert len(runs) == 1


def test_the_commands_of_the_tour_answer_as_they_are_typed(desk: Desk) -> None:
    program = desk.folder / "bin" / "nightdesk"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m daemon "$@"\n')
    program.chmod(0o755)
    leads = json.dumps(str(desk.write_leads(*LEADS)))
    assert "3 leads" in typed(desk, f"nightdesk items add {leads}").out
    assert "nightly-batch: completed" in typed(desk, "nightdesk run-once nightly-batch").out
    assert "1 of 3 leads marked" in typed(desk, "nightdesk digest show").out
    assert typed(desk, "jq .lastDigestNotificationAt var/orchestrator_state.json").out == "null\n"
    typed(desk, "nightdesk digest send")
    shown = typed(desk, "jq -r .lastDigestNotificationAt var/orchestrator_state.json").out
    assert datetime.fromisoformat(shown.strip()) <= datetime.now(UTC)
    for line in typed(desk, "tail -50 var/logs/orchestrator.log | grep cron").out.splitlines():
        assert "cron" in json.loads(line)
    (name,) = typed(desk, "ls var/logs/digests/").out.split()
    assert name.startswith("digest-") and name.endswith(".json")


def typed(desk: Desk, line: str) -> Ended:
    """A line as it is typed into a shell, in the folder of the desk."""
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=desk.folder,
        env={"PATH": f"{desk.folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, desk.told(f"{line} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return Ended(done.returncode, done.stdout, done.stderr)


def made_batch(desk: Desk) -> None:
    desk.does("trigger", "nightly-batch", "--wait")


def sent(desk: Desk) -> dict[str, Any]:
    """What came of `send-digest` when it was triggered and waited for."""
    task: dict[str, Any] = desk.does("trigger", "send-digest", "--wait", "--json").json
    return task


def today() -> date:
    return datetime.now(ZoneInfo(zone_at_noon())).date()


def digest_path(desk: Desk, day: date | None = None) -> Path:
    return desk.home.digests / f"digest-{day or today()}.json"


def leave_yesterdays(desk: Desk) -> bytes:
    """Leave a digest of the day before in the folder, as an earlier installation would have."""
    made_at = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    counts = {"docsProcessed": 1, "queueTotal": 1, "markedForDraft": 1}
    lead = {"id": "old", "title": OLD_LEAD, "score": 0.99, "selectedForDraft": True}
    digest = {
        "date": (today() - timedelta(days=1)).isoformat(),
        "generatedAt": made_at,
        "batchId": "yesterdays",
        "summary": counts,
        "batches": [{"batchId": "yesterdays", "generatedAt": made_at, **counts}],
        "redditQueue": [{**lead, "reasons": {}, "batchId": "yesterdays"}],
    }
    path = digest_path(desk, today() - timedelta(days=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(digest))
    return path.read_bytes()


def deliveries(desk: Desk) -> list[Any]:
    return desk.rows("SELECT * FROM delivery WHERE kind = 'digest'")


def last_sent(desk: Desk) -> str | None:
    """When a digest was last proved to have arrived, by the state that jq reads and by the database."""
    kept = desk.rows("SELECT value FROM note WHERE name = 'lastDigestNotificationAt'")
    if not kept:
        assert desk.state()["lastDigestNotificationAt"] is None
        return None
    desk.wait_for(
        "the state file to follow", lambda: desk.state()["lastDigestNotificationAt"] == kept[0]["value"]
    )
    return str(kept[0]["value"])


def open_alerts(desk: Desk, name: str) -> list[dict[str, Any]]:
    """The open alerts of a name, as the state that jq reads shows them."""
    return [it for it in desk.state()["alerts"] if it["name"] == name and it["resolvedAt"] is None]


def assert_unknown(desk: Desk) -> None:
    """The state says that nobody knows, and whom to ask."""
    (alert,) = desk.wait_for("the alert", lambda: open_alerts(desk, "digest.unknown"))
    assert f"digest send {today().isoformat()} --again" in alert["advice"]
    assert [row["state"] for row in deliveries(desk)] == ["unknown"]
    (waiting,) = desk.state()["outbox"]
    assert (waiting["state"], waiting["channel"]) == ("unknown", "team")


def files_with(desk: Desk, secret: str) -> list[Path]:
    return [
        path
        for path in desk.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and secret.encode() in path.read_bytes()
    ]

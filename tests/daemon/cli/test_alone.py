"""The commands where no daemon runs: what they do alone, what they read from the files, what they refuse."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from state.home import locked

Nightdesk = Callable[..., Any]
LEAD = {"id": "t3_a", "title": "Looking for a tool", "score": 0.9}
TASK_FIELDS = {
    "id", "handler", "args", "state", "trigger", "slot", "key", "attempt",
    "maxAttempts", "scheduledAt", "startedAt", "finishedAt", "error", "summary",
}  # fmt: skip


def test_a_night_without_a_daemon(desk: Any, nightdesk: Nightdesk) -> None:
    added = nightdesk("items", "add", str(desk.write_leads(LEAD)))
    assert (added.code, added.out) == (0, "1 leads added\n")
    ran = nightdesk("run-once", "nightly-batch")
    assert ran.code == 0
    assert ran.out.startswith("nightly-batch: completed: docsProcessed 1, markedForDraft 1, digest digest-")
    shown = nightdesk("digest", "show", "--json")
    assert [entry["id"] for entry in shown.json["redditQueue"]] == ["t3_a"]
    sent = nightdesk("digest", "send")
    assert sent.code == 0
    assert "send-digest: completed" in sent.out
    again = nightdesk("digest", "send", "--json")
    assert again.code == 0
    assert again.json["state"] == "cancelled"
    assert "already sent" in again.json["error"]
    assert nightdesk("state", "verify").code == 0


def test_run_once_answers_with_the_finished_task(nightdesk: Nightdesk) -> None:
    task = nightdesk("run-once", "nightly-batch", "--key", "k", "--json").json
    assert set(task) >= TASK_FIELDS | {"duplicate"}
    assert (task["state"], task["duplicate"], task["key"], task["trigger"]) == (
        "completed",
        False,
        "k",
        "manual",
    )
    again = nightdesk("run-once", "nightly-batch", "--key", "k", "--json").json
    assert (again["id"], again["duplicate"]) == (task["id"], True)


def test_a_job_that_fails_ends_in_1(nightdesk: Nightdesk) -> None:
    ended = nightdesk("run-once", "command", "--arg", 'argv=["false"]')
    assert ended.code == 1
    assert ended.out.startswith("command: discarded: ")


def test_a_handler_that_does_not_exist_is_told_with_the_nearest(nightdesk: Nightdesk) -> None:
    ended = nightdesk("run-once", "nigthly-batch")
    assert ended.code == 2
    assert ended.err == 'nightdesk: there is no handler "nigthly-batch"; did you mean "nightly-batch"?\n'


@pytest.mark.parametrize(
    "argv", [("run-once", "heartbeat"), ("schedules", "resume", "hello"), ("digest", "send")]
)
def test_a_home_that_is_held_by_somebody_who_does_not_answer_ends_in_75(
    argv: tuple[str, ...], desk: Any, nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.client.START_S", 0.2)
    with locked(desk.home):
        ended = nightdesk(*argv)
    assert ended.code == 75
    assert str(desk.home.folder) in ended.err


def test_trigger_needs_a_daemon(nightdesk: Nightdesk) -> None:
    ended = nightdesk("trigger", "hello")
    assert ended.code == 69
    assert "no daemon is running" in ended.err
    assert "nightdesk run-once hello" in ended.err


@pytest.mark.parametrize("argv", [("status",), ("tasks",), ("history",), ("schedules",), ("digest", "list")])
def test_where_nothing_was_ever_saved_reading_ends_in_69(argv: tuple[str, ...], nightdesk: Nightdesk) -> None:
    ended = nightdesk(*argv)
    assert ended.code == 69
    assert "start it: nightdesk run" in ended.err
    assert ended.out == ""


def test_reading_answers_from_the_files_and_says_how_old_they_are(desk: Any, nightdesk: Nightdesk) -> None:
    nightdesk("items", "add", str(desk.write_leads(LEAD, {"id": "t3_b", "title": "B"})))
    nightdesk("run-once", "heartbeat")
    ended = nightdesk("status", "--json")
    assert ended.code == 0
    assert "no daemon is running" in ended.err
    assert "this is from" in ended.err
    assert set(ended.json) == {
        "pid", "httpPort", "ready", "version", "lastHeartbeatAt",
        "queueDepth", "openAlerts", "schedules", "coverageToday",
    }  # fmt: skip
    assert (ended.json["pid"], ended.json["ready"]) == (None, False)
    assert [item["id"] for item in nightdesk("items", "list", "--json", "--offset", "1").json] == ["t3_b"]
    assert nightdesk("tasks", "--json").json == []
    nightdesk("run-once", "nightly-batch")
    (run,) = nightdesk("history", "--json").json
    assert (run["handler"], run["state"]) == ("nightly-batch", "completed")
    (row,) = nightdesk("digest", "list", "--json").json
    assert row["summary"] == {"docsProcessed": 2, "queueTotal": 2, "markedForDraft": 1}
    assert "sentAt" not in row


def test_status_for_people_is_compact(desk: Any, nightdesk: Nightdesk) -> None:
    nightdesk("run-once", "heartbeat")
    lines = nightdesk("status").out.splitlines()
    assert lines[0] == "nightdesk  0.1.0, not running"
    assert lines[1] == f"home       {desk.home.folder}"
    assert lines[2].startswith("heartbeat  ")
    assert lines[3:5] == ["queue      0 unfinished", "alerts     0 open"]


def test_a_damaged_state_file_is_passed_over_for_the_one_before(desk: Any, nightdesk: Nightdesk) -> None:
    nightdesk("run-once", "nightly-batch")
    nightdesk("run-once", "nightly-batch")
    desk.home.state_file.write_bytes(desk.home.state_file.read_bytes()[:-10])
    assert nightdesk("history", "--json").code == 0
    desk.home.previous_state_file.write_bytes(b"")
    ended = nightdesk("history", "--json")
    assert ended.code == 65
    assert "checksum" in ended.err


def test_unreadable_state_ends_in_65_and_is_left_as_it_is(desk: Any, nightdesk: Nightdesk) -> None:
    desk.home.make_folders()
    desk.home.database.write_bytes(b"no database" * 1000)
    ended = nightdesk("run-once", "heartbeat")
    assert ended.code == 65
    assert "none of it can be read" in ended.err
    assert [path.name for path in desk.home.folder.glob("nightdesk.db.damaged-*")]


def test_a_config_with_mistakes_ends_in_78_with_all_of_them(desk: Any, nightdesk: Nightdesk) -> None:
    desk.config.write_text('{\n  "timezon": "UTC",\n  "nightlyBatchSchedule": "0 25 * * *"\n}\n')
    for argv in (("run-once", "heartbeat"), ("config", "check"), ("run",)):
        ended = nightdesk(*argv)
        assert ended.code == 78
        first, second = ended.err.splitlines()
        assert first.startswith(f'{desk.config}:2: timezon: unknown key; did you mean "timezone"?')
        assert second.startswith(f"{desk.config}:3: nightlyBatchSchedule: ")
    assert not desk.home.folder.exists()


def test_a_pause_without_a_daemon_is_kept(nightdesk: Nightdesk) -> None:
    paused = nightdesk("schedules", "pause", "hello", "--until", "2h", "--reason", "the printer is out")
    assert paused.code == 0
    assert paused.out.startswith("hello: paused until ")
    rows = {row["name"]: row for row in nightdesk("schedules", "--json").json}
    assert rows["hello"]["pauseReason"] == "the printer is out"
    assert rows["hello"]["pausedUntil"] is not None
    assert "the printer is out" in nightdesk("schedules").out
    resumed = nightdesk("schedules", "resume", "hello", "--json").json
    assert (resumed["name"], resumed["pausedUntil"]) == ("hello", None)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("helo", "--until", "2h", "--reason", "r"), 'there is no schedule "helo"; did you mean "hello"?'),
        (("hello", "--until", "soon", "--reason", "r"), 'until: "soon" is neither'),
        (("hello", "--until", "2020-01-01", "--reason", "r"), "is past"),
        (("hello", "--until", "2h", "--reason", "  "), "reason: say why"),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(
    argv: tuple[str, ...], told: str, nightdesk: Nightdesk
) -> None:
    ended = nightdesk("schedules", "pause", *argv)
    assert ended.code == 2
    assert told in ended.err


def test_a_channel_is_tested_without_a_daemon(nightdesk: Nightdesk) -> None:
    assert nightdesk("notify", "test", "log", "--json").json["state"] == "delivered"
    assert [row["channel"] for row in nightdesk("test", "channels", "--json").json] == ["log"]
    ended = nightdesk("notify", "test", "lgo")
    assert ended.code == 2
    assert 'did you mean "log"?' in ended.err


def test_a_test_message_that_does_not_arrive_ends_in_1(desk: Any, nightdesk: Nightdesk) -> None:
    secret = desk.folder / "webhook"
    secret.write_text("https://hooks.slack.invalid/services/T0/B0/canary")
    channels = {"team": {"type": "slack", "url": f"file:{secret}"}}
    desk.config.write_text(json.dumps({"channels": channels}))
    ended = nightdesk("notify", "test", "team")
    assert ended.code == 1
    assert "canary" not in ended.out + ended.err


def test_alerts_are_listed_with_what_helps(nightdesk: Nightdesk) -> None:
    nightdesk("run-once", "nightly-batch")
    listed = nightdesk("alerts", "list")
    assert "batch.empty" in listed.out
    assert "nightdesk items list" in listed.out
    (alert,) = nightdesk("alerts", "list", "--open", "--json").json
    assert (alert["severity"], alert["count"]) == ("warning", 1)

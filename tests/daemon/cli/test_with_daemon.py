"""The commands against a real daemon in a process of its own."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

Nightdesk = Callable[..., Any]


def test_what_is_triggered_is_accepted_once_for_a_key_and_waited_for(
    daemon: Any, nightdesk: Nightdesk
) -> None:
    accepted = nightdesk("trigger", "hello", "--key", "k", "--json")
    assert accepted.code == 0
    assert set(accepted.json) == {"id", "state", "duplicate"}
    assert accepted.json["duplicate"] is False
    done = nightdesk("trigger", "hello", "--key", "k", "--wait", "--json")
    assert done.code == 0
    assert (done.json["id"], done.json["duplicate"]) == (accepted.json["id"], True)
    assert (done.json["state"], done.json["schedule"]) == ("completed", "hello")
    (run,) = nightdesk("history", "--json").json
    assert run["id"] == done.json["id"]


def test_a_trigger_that_fails_ends_in_1_and_one_that_lasts_goes_on(daemon: Any, nightdesk: Nightdesk) -> None:
    failed = nightdesk("trigger", "fails", "--wait")
    assert failed.code == 1
    assert failed.out.startswith("command: discarded")
    lasting = nightdesk("trigger", "naps", "--wait", "--timeout", "1s")
    assert lasting.code == 1
    assert "is executing after 1s, and goes on" in lasting.err
    (task,) = nightdesk("tasks", "--state", "executing", "--json").json
    assert task["schedule"] == "naps"
    assert "executing" in nightdesk("tasks").out
    assert [run["state"] for run in nightdesk("history", "--failed", "--json").json] == ["discarded"]


def test_even_a_heartbeat_which_is_forgotten_at_once_is_seen_to_end(
    daemon: Any, nightdesk: Nightdesk
) -> None:
    done = nightdesk("trigger", "heartbeat", "--wait", "--json")
    assert (done.code, done.json["state"]) == (0, "completed")


def test_a_daemon_runs_for_run_once_what_it_may_not_run_itself(daemon: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("run-once", "nightly-batch", "--json")
    assert ended.code == 0
    assert "it runs nightly-batch for us" in ended.err
    assert (ended.json["state"], ended.json["duplicate"]) == ("completed", False)


def test_status_tells_of_the_daemon(daemon: Any, desk: Any, nightdesk: Nightdesk) -> None:
    ended = nightdesk("status", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert (ended.json["pid"], ended.json["ready"], ended.json["httpPort"]) == (daemon.pid, True, None)
    assert set(ended.json["schedules"]) >= {"hello", "nightly-batch", "send-digest", "heartbeat"}
    assert "nextFireAt" in ended.json["schedules"]["hello"]
    assert f"running, process {daemon.pid}" in nightdesk("status").out


def test_a_second_daemon_is_refused_and_the_first_unharmed(
    daemon: Any, desk: Any, nightdesk: Nightdesk
) -> None:
    second = nightdesk("run")
    assert second.code == 75
    assert f"process {daemon.pid}" in second.err
    assert nightdesk("status", "--json").json["pid"] == daemon.pid


def test_names_that_do_not_exist_are_refused_with_what_was_meant(daemon: Any, nightdesk: Nightdesk) -> None:
    for argv in (("trigger", "helo"), ("schedules", "pause", "helo", "--until", "1h", "--reason", "r")):
        ended = nightdesk(*argv)
        assert ended.code == 2
        assert ended.err == 'nightdesk: there is no schedule "helo"; did you mean "hello"?\n'
    ended = nightdesk("digest", "show", "2001-01-01")
    assert ended.code == 2
    assert "there is no digest of 2001-01-01" in ended.err


def test_a_pause_is_in_force_at_once(daemon: Any, nightdesk: Nightdesk) -> None:
    paused = nightdesk(
        "schedules", "pause", "hello", "--until", "2099-01-01T06:00", "--reason", "r", "--json"
    )
    assert paused.json["pausedUntil"] == "2099-01-01T06:00:00Z"
    rows = {row["name"]: row for row in nightdesk("schedules", "list", "--json").json}
    assert rows["hello"]["pauseReason"] == "r"
    assert nightdesk("schedules", "resume", "hello").out.startswith("hello: fires next ")


def test_a_digest_that_was_sent_is_known_as_sent(daemon: Any, desk: Any, nightdesk: Nightdesk) -> None:
    nightdesk("items", "add", str(desk.write_leads({"id": "a", "title": "A", "score": 1})))
    nightdesk("trigger", "nightly-batch", "--wait")
    (row,) = nightdesk("digest", "list", "--json").json
    assert row["sentAt"] is None
    assert nightdesk("digest", "send", row["date"]).code == 0
    (row,) = nightdesk("digest", "list", "--json").json
    assert row["sentAt"] is not None
    shown = nightdesk("digest", "show")
    assert shown.out.startswith(f"Digest of {row['date']}: 1 of 1 leads marked")
    listed = nightdesk("items", "list", "--all", "--json").json
    assert (listed[0]["selectedForDraft"], listed[0]["judgedScore"]) == (True, 1.0)


def test_channels_are_tested_by_the_daemon(daemon: Any, nightdesk: Nightdesk) -> None:
    assert nightdesk("test", "channels").code == 0
    assert nightdesk("notify", "test", "log").out.splitlines()[1].startswith("log      delivered")
    assert nightdesk("notify", "test", "nope").code == 2


def test_a_daemon_that_is_stopped_in_its_tracks_is_passed_over_for_the_files(
    daemon: Any, nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cli.client.ANSWER_S", 0.3)
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        read = nightdesk("status", "--json")
        asked = nightdesk("trigger", "hello")
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert read.code == 0
    assert "gives no answer" in read.err
    assert asked.code == 69
    assert "it may have done what was asked" in asked.err


def test_what_a_killed_daemon_left_behind_keeps_nobody_out(
    daemon: Any, desk: Any, nightdesk: Nightdesk, killed: Callable[[], None]
) -> None:
    killed()
    assert desk.home.control_socket.exists()
    assert nightdesk("trigger", "hello").code == 69
    assert nightdesk("status", "--json").json["pid"] is None
    assert nightdesk("run-once", "heartbeat").code == 0

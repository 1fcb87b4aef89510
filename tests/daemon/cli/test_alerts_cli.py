"""`nightdesk alerts`, `test smtp` and `config check --online`, against receivers that are really there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.cli.aside import aside
from tests.daemon.notify import mail_servers
from tests.daemon.notify.receivers import TOKEN, Receiver, receiver, saying

Nightdesk = Callable[..., Any]
NEVER = "0 0 29 2 *"


@pytest.fixture
def room() -> Iterator[Receiver]:
    with aside(receiver(saying(200, "ok"))) as made:
        yield made


def configure(desk: Any, channels: dict[str, Any], **more: Any) -> None:
    fails = {"command": ["false"], "cron": NEVER, "maxAttempts": 1}
    desk.config.write_text(
        json.dumps(
            {
                "schedules": {"fails": fails},
                "channels": channels,
                "network": {"allowPrivate": True},
                **more,
            }
        )
    )


@pytest.fixture
def reached(desk: Any, room: Receiver) -> Receiver:
    """A desk whose alerts go to a room, at once."""
    configure(desk, {"ops": {"type": "slack", "url": room.url}}, alerts={"groupWait": "0s"})
    return room


def test_a_test_alert_is_proved_without_a_daemon(reached: Receiver, nightdesk: Nightdesk) -> None:
    ended = nightdesk("alerts", "test", "--severity", "critical")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("delivered by ops to default in ")
    assert ": 200 ok; incident-" in ended.out
    assert nightdesk("alerts", "list", "--open", "--json").json == []
    found = nightdesk("alerts", "test", "--json").json
    assert (found["severity"], found["delivered"], found["channel"]) == ("error", True, "ops")
    assert any(b"A test of the way" in body for body in reached.bodies)


def test_a_test_alert_that_no_route_takes_ends_in_1(nightdesk: Nightdesk) -> None:
    ended = nightdesk("alerts", "test")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out == "not proved to have reached anybody: no route takes it\n"


def test_what_a_job_raises_without_a_daemon_is_told_and_the_files_say_so(
    reached: Receiver, desk: Any, nightdesk: Nightdesk
) -> None:
    nightdesk("run-once", "command", "--arg", 'argv=["false"]')
    assert [b"failed for good" in body for body in reached.bodies] == [True]
    (row,) = nightdesk("alerts", "list", "--json").json
    assert (row["name"], row["told"]["state"], row["told"]["channel"]) == ("task.failed", "delivered", "ops")
    listed = nightdesk("alerts", "list")
    assert "TOLD" in listed.out
    assert " by ops " in listed.out
    shown = nightdesk("alerts", "show", "task.failed")
    assert shown.code == 0
    facts = dict(line.split(maxsplit=1) for line in shown.out.split("\n\n")[0].splitlines())
    assert facts["alert"] == "task.failed, error, open"
    assert (facts["id"], facts["handler"]) == (row["id"], "command")
    assert " by ops" in facts["told"]
    assert "MESSAGE" in shown.out
    assert f"{row['id']}" in shown.out.split("incident-")[1]
    assert TOKEN not in shown.out + listed.out
    whole = nightdesk("alerts", "show", row["id"], "--json").json
    assert [it["state"] for it in whole["notices"]] == ["delivered"]
    assert whole["incidents"][0]["total"] == 1
    nothing = nightdesk("alerts", "show", "task.faild")
    assert nothing.code == 2
    assert 'no alerts are called "task.faild"' in nothing.err


def test_an_alert_is_taken_on_and_closed_without_a_daemon(reached: Receiver, nightdesk: Nightdesk) -> None:
    nightdesk("run-once", "command", "--arg", 'argv=["false"]')
    taken = nightdesk("alerts", "ack", "task.failed", "--by", "anna")
    assert (taken.code, taken.out.startswith("task.failed: acknowledged by anna at ")) == (0, True)
    assert "acknowledged  " in nightdesk("alerts", "show", "task.failed").out
    assert nightdesk("alerts", "ack", "task.faild").code == 2
    closed = nightdesk("alerts", "resolve", "task.failed", "--json").json
    assert (closed["acknowledgedBy"], closed["resolvedAt"] is not None) == ("anna", True)
    assert nightdesk("alerts", "resolve", "task.failed").code == 2
    assert [b"Over: " in body for body in reached.bodies] == [False, True]


def test_a_silence_is_kept_without_a_daemon_and_mutes(reached: Receiver, nightdesk: Nightdesk) -> None:
    made = nightdesk("alerts", "silence", "task.failed", "--for", "2h", "--reason", "a drill", "--json").json
    assert (made["match"], made["owner"], made["reason"]) == ("task.failed", "operator", "a drill")
    nightdesk("run-once", "command", "--arg", 'argv=["false"]')
    assert reached.bodies == []
    assert "silenced by operator: a drill" in nightdesk("alerts", "list").out
    listed = nightdesk("alerts", "silences")
    assert made["id"] in listed.out
    assert "a drill" in listed.out
    ended = nightdesk("alerts", "unsilence", made["id"])
    assert (ended.code, ended.out) == (0, "task.failed: told again from now on\n")
    assert nightdesk("alerts", "silences").out == "No silences.\n"
    assert len(reached.bodies) == 1


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("silence", "x", "--for", "25h", "--reason", "r"), "24 hours"),
        (("silence", "x", "--for", "soon", "--reason", "r"), '"soon" is neither'),
        (("silence", "coverage.missing", "--for", "1h", "--reason", "r"), "cannot be silenced"),
        (("silence", "x", "--for", "1h"), "--reason"),
        (("silence", "x", "--reason", "r"), "--for"),
        (("unsilence", "x"), "none is in force"),
        (("test", "--severity", "loud"), "loud"),
        (("show",), "ID"),
    ],
    ids=["long", "soon", "coverage", "no-reason", "no-end", "no-silence", "severity", "no-id"],
)
def test_what_makes_no_sense_ends_in_2(argv: tuple[str, ...], told: str, nightdesk: Nightdesk) -> None:
    ended = nightdesk("alerts", *argv)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_the_daemon_does_and_tells_the_same(
    reached: Receiver, desk: Any, daemon: Any, nightdesk: Nightdesk
) -> None:
    proved = nightdesk("alerts", "test")
    assert (proved.code, proved.err) == (0, "")
    assert proved.out.startswith("delivered by ops to default in ")
    silenced = nightdesk("alerts", "silence", "handler.*", "--for", "1h", "--reason", "r", "--owner", "anna")
    assert silenced.out.startswith("handler.*: silent until ")
    (silence,) = nightdesk("alerts", "silences", "--json").json
    assert silence["owner"] == "anna"
    assert nightdesk("alerts", "unsilence", silence["id"]).code == 0
    nightdesk("trigger", "fails", "--wait")
    assert nightdesk("alerts", "ack", "task.failed", "--by", "ben").code == 0
    rows = {row["name"]: row for row in nightdesk("alerts", "list", "--json").json}
    assert rows["task.failed"]["acknowledgedBy"] == "ben"
    assert rows["alert.test"]["told"]["state"] == "delivered"
    page = nightdesk("alerts", "show", "alert.test", "--json").json
    assert page["notices"][0]["deliveries"][0]["proof"] == "200 ok"
    assert nightdesk("alerts", "resolve", "task.failed").code == 0


def test_a_mail_server_is_gone_through_step_by_step_without_a_mail(desk: Any, nightdesk: Nightdesk) -> None:
    with aside(mail_servers.real()) as server:
        password = desk.folder / "password"
        password.write_text(TOKEN)
        entry = {"type": "smtp", **server.options, "password": f"file:{password}"}
        configure(desk, {"mail": entry, "other": {"type": "log"}})
        ended = nightdesk("test", "smtp")
        assert (ended.code, ended.err) == (0, "")
        steps = [line.split()[1] for line in ended.out.splitlines()[1:]]
        assert steps[0] == "connect"
        assert "login" in steps
        assert all(" yes " in line for line in ended.out.splitlines()[1:])
        assert server.bodies == []
        (trial,) = nightdesk("test", "smtp", "mail", "--json").json
        assert (trial["channel"], trial["ok"]) == ("mail", True)
        password.write_text("wrong")
        refused = nightdesk("test", "smtp")
        assert refused.code == 1
        assert " NO " in refused.out
        other = nightdesk("test", "smtp", "other")
        assert other.code == 2
        assert '"other" is of type log, not smtp' in other.err


def test_without_a_mail_server_there_is_nothing_to_test(nightdesk: Nightdesk) -> None:
    ended = nightdesk("test", "smtp")
    assert ended.code == 2
    assert "no channel of type smtp is configured" in ended.err


def test_a_config_is_checked_against_what_is_really_there(
    reached: Receiver, desk: Any, nightdesk: Nightdesk
) -> None:
    reached.scripts[:] = [saying(405)]
    ended = nightdesk("config", "check", "--online")
    assert ended.code == 0
    assert "CHANNEL" in ended.out
    assert [b"" for _ in reached.bodies] == reached.bodies
    found = nightdesk("config", "check", "--online", "--json").json
    assert {it["channel"]: it["ok"] for it in found["channels"]} == {"log": True, "ops": True}
    assert not desk.home.folder.exists()
    assert "channels" not in nightdesk("config", "check", "--json").json
    with aside(receiver(saying(200))) as gone:
        url = gone.url
    configure(desk, {"ops": {"type": "slack", "url": url}})
    ended = nightdesk("config", "check", "--online")
    assert ended.code == 1
    assert "ops" in ended.out
    assert " NO " in ended.out
    assert TOKEN not in ended.out + ended.err
    assert nightdesk("config", "check").code == 0


def test_a_channel_for_the_digests_target_is_shown(desk: Any, nightdesk: Nightdesk, tmp_path: Path) -> None:
    entry = {"type": "smtp", "host": "mail.example", "from": "a@example.org", "to": "b@example.org"}
    target = "team@example.org"
    configure(desk, {"mail": entry}, digestNotificationChannel="mail", digestNotificationTarget=target)
    shown = nightdesk("config", "show", "--json").json
    assert shown["digestNotificationChannel"] == "mail:digest"
    assert shown["channels"]["mail:digest"]["to"] == [target]


def test_a_digest_reaches_the_addresses_of_its_target_and_not_those_of_the_channel(
    desk: Any, nightdesk: Nightdesk
) -> None:
    with aside(mail_servers.real()) as server:
        password = desk.folder / "password"
        password.write_text(TOKEN)
        entry = {"type": "smtp", **server.options, "password": f"file:{password}"}
        target = "team@example.com, boss@example.com"
        configure(desk, {"mail": entry}, digestNotificationChannel="mail", digestNotificationTarget=target)
        nightdesk("items", "add", str(desk.write_leads({"id": "a", "title": "A", "score": 1})))
        nightdesk("run-once", "nightly-batch")
        sent = nightdesk("digest", "send", "--json").json
        assert (sent["state"], sent["summary"]["channel"]) == ("completed", "mail:digest")
        (envelope,) = server.heads
        assert b"team@example.com" in envelope
        assert b"boss@example.com" in envelope
        assert b"ops@example.com" not in envelope

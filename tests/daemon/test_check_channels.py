"""Where messages go is judged before anything is started."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.check import Prepared, prepare
from daemon.config import ConfigError
from daemon.secret import Secret

JOBS = """
from daemon.engine.handler import handler

@handler("on-demand")
async def on_demand(ctx): ...
"""
HOOK = {"HOOK": "https://hooks.slack.com/services/T/B/x"}
MAIL = {"SMTP_HOST": "mail.example", "SMTP_FROM_EMAIL": "desk@example.org", "ADMIN_EMAIL": "a@example.org"}
TOKEN = {"SLACK_BOT_TOKEN": "xoxb-0123456789-canary"}
ABOUT_ALERTS = ("nobody is told of alerts", "nothing stands in for it")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = list(sys.path)
    (tmp_path / "channel_jobs.py").write_text(JOBS)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("channel_jobs", None)


def prepared(folder: Path, written: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Prepared:
    path = folder / "desk.json"
    path.write_text(json.dumps({"handlers": ["channel_jobs"], **written}))
    return prepare(path, environ or {})


def mistakes(folder: Path, written: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        prepared(folder, written, environ)
    return [str(problem).removeprefix(f"{folder}/desk.json:") for problem in raised.value.problems]


def warnings(folder: Path, written: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[str]:
    """What is warned of, but for what concerns alerts."""
    found = prepared(folder, written, environ).warnings
    told = [str(problem).removeprefix(f"{folder}/desk.json:") for problem in found]
    return [line for line in told if not any(text in line for text in ABOUT_ALERTS)]


def test_the_entry_of_a_config_is_judged_by_the_channel_itself(folder: Path) -> None:
    found = prepared(folder, {"channels": {"ops": {"type": "slack", "url": "env:HOOK"}}}, HOOK)
    assert set(found.channels) == {"log", "ops"}
    assert found.channels["ops"].options == {"url": Secret(HOOK["HOOK"])}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            {"channels": {"ops": {"type": "slak"}}},
            '1: channels.ops.type: "slak" is no type of channel; did you mean "slack"?',
        ),
        (
            {"channels": {"ops": {"type": "slack", "url": "https://hooks.slack.com/services/T/B/x"}}},
            '1: channels.ops.url: a secret is never in the file; write "env:NAME" or "file:PATH"',
        ),
        (
            {"channels": {"ops": {"type": "slack"}}},
            "1: channels.ops.url: is needed: the address of an incoming webhook; or set token and target",
        ),
        (
            {"channels": {"ops": {"type": "slack", "url": "env:HOOK", "chanel": "x"}}},
            "1: channels.ops.chanel: unknown key; known: apiUrl, target, token, url",
        ),
        (
            {"channels": {"ops": {"type": "slack", "url": "env:PLAIN"}}},
            "1: channels.ops.url: this address begins with http://;"
            " https is needed unless network.allowPrivate is true",
        ),
        (
            {"digestNotificationChannel": "slack"},
            '1: digestNotificationChannel: there is no channel "slack";'
            " set SLACK_WEBHOOK_URL, or SLACK_BOT_TOKEN and digestNotificationTarget, in the environment,"
            " or add it under channels",
        ),
        (
            {"digestNotificationChannel": "slak"},
            '1: digestNotificationChannel: no channel is named "slak"; did you mean "slack"?',
        ),
        (
            {
                "channels": {"pager": {"type": "pagerduty", "routingKey": "env:ROUTING"}},
                "digestNotificationChannel": "pager",
            },
            "1: digestNotificationChannel: a pager is for alerts, and takes no digest; name another channel",
        ),
    ],
)
def test_a_mistake_about_channels_is_told_with_its_place(
    folder: Path, written: dict[str, Any], expected: str
) -> None:
    environ = {**HOOK, "PLAIN": "http://hooks.example", "ROUTING": "0" * 32}
    assert mistakes(folder, written, environ) == [expected]


def test_an_address_on_this_network_may_stand_in_the_file_where_that_is_allowed(folder: Path) -> None:
    written: dict[str, Any] = {"channels": {"ops": {"type": "slack", "url": "http://127.0.0.1:9/hook"}}}
    assert mistakes(folder, written) == [
        '1: channels.ops.url: a secret is never in the file; write "env:NAME" or "file:PATH"'
    ]
    written["network"] = {"allowPrivate": True}
    assert "ops" in prepared(folder, written).channels
    written["channels"]["ops"]["url"] = "https://hooks.slack.com/services/T/B/x"
    assert len(mistakes(folder, written)) == 1


def test_a_target_that_is_not_used_is_warned_of(folder: Path) -> None:
    written = {"digestNotificationChannel": "slack", "digestNotificationTarget": "C0123"}
    assert warnings(folder, written, {"SLACK_WEBHOOK_URL": HOOK["HOOK"]}) == [
        "1: digestNotificationTarget: an incoming webhook has a room of its own, so this target is not used;"
        " SLACK_BOT_TOKEN reaches any room"
    ]
    assert warnings(folder, {"digestNotificationTarget": "C0123"}) == [
        "1: digestNotificationTarget: the log has no rooms, so this target is not used"
    ]


def test_a_target_may_be_the_name_of_a_channel(folder: Path) -> None:
    written = {
        "channels": {"ops": {"type": "slack", "url": "env:HOOK"}},
        "digestNotificationChannel": "slack",
        "digestNotificationTarget": "ops",
    }
    assert warnings(folder, written, HOOK) == []


def test_channels_of_every_kind_come_of_the_environment(folder: Path) -> None:
    environ = MAIL | {
        "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/canary",
        "ALERT_WEBHOOK_URL": "https://hook.example/1",
        "SLACK_WEBHOOK_URL": HOOK["HOOK"],
        "SLACK_ERROR_WEBHOOK": HOOK["HOOK"],
        "EMAIL_API_KEY": "SG.canary",
    }
    found = prepared(folder, {"digestNotificationChannel": "discord"}, environ)
    assert set(found.channels) == {"log", "discord", "webhook", "slack", "slack-errors", "email", "smtp"}
    assert found.warnings == ()


def test_a_mistake_in_an_entry_under_two_names_is_told_once(folder: Path) -> None:
    assert mistakes(folder, {}, MAIL | {"ADMIN_EMAIL": "nobody"}) == [
        'environment: ADMIN_EMAIL: "nobody" is no mail address; one looks like ops@example.com'
    ]


def test_mail_variables_that_are_not_all_there_are_warned_of_and_left_out(folder: Path) -> None:
    environ = {"SMTP_HOST": "mail.example"}
    assert set(prepared(folder, {}, environ).channels) == {"log"}
    assert warnings(folder, {}, environ) == [
        "environment: SMTP_HOST: mail needs SMTP_FROM_EMAIL and ADMIN_EMAIL as well;"
        " the channel smtp is left out"
    ]
    assert mistakes(folder, {"digestNotificationChannel": "email"}, environ) == [
        '1: digestNotificationChannel: there is no channel "email"; set EMAIL_API_KEY or SMTP_HOST,'
        " with SMTP_FROM_EMAIL and ADMIN_EMAIL, in the environment, or add it under channels"
    ]


def test_a_digest_goes_to_the_addresses_of_its_target_by_a_channel_derived_for_them(folder: Path) -> None:
    written = {
        "digestNotificationChannel": "email",
        "digestNotificationTarget": "t@example.org, u@example.org",
    }
    found = prepared(folder, written, MAIL)
    assert found.config.digest.channel == "email:digest"
    assert found.channels["email:digest"].options["to"] == ["t@example.org", "u@example.org"]
    assert found.channels["email"].options["to"] == ["a@example.org"]
    assert found.config.alerts.receivers == {"default": ("email",)}


def test_a_digest_by_mail_needs_nobody_who_hears_of_alerts(folder: Path) -> None:
    written = {"digestNotificationChannel": "email", "digestNotificationTarget": "t@example.org"}
    environ = {name: text for name, text in MAIL.items() if name != "ADMIN_EMAIL"}
    assert set(prepared(folder, written, environ).channels) == {"log", "email:digest"}
    told = [str(it) for it in prepared(folder, written, environ).warnings]
    assert "nobody is told of alerts" in told[0]
    assert told[1].startswith("environment: SMTP_HOST: mail needs ADMIN_EMAIL as well")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a@example.org, b", '"b" is no mail address; one looks like ops@example.com'),
        (
            "smpt",
            '"smpt" is neither a mail address nor the name of a channel; did you mean the channel "smtp"?',
        ),
        ("C0123456789", '"C0123456789" is neither a mail address nor the name of a channel'),
    ],
)
def test_a_target_that_no_mail_can_go_to_is_told_at_the_target(
    folder: Path, target: str, expected: str
) -> None:
    written = {"digestNotificationChannel": "email", "digestNotificationTarget": target}
    assert mistakes(folder, written, MAIL) == [f"1: digestNotificationTarget: {expected}"]


def test_a_token_makes_slack_a_channel_to_the_room_that_the_digest_names(folder: Path) -> None:
    written = {"digestNotificationChannel": "slack", "digestNotificationTarget": "C0123456789"}
    found = prepared(folder, written, TOKEN)
    token = Secret(TOKEN["SLACK_BOT_TOKEN"])
    assert found.channels["slack"].options == {"token": token, "target": "C0123456789"}
    assert found.config.digest.channel == "slack"
    both = {**TOKEN, "SLACK_WEBHOOK_URL": HOOK["HOOK"]}
    assert prepared(folder, written, both).channels["slack"].options["token"] == token
    assert warnings(folder, written, both) == [
        'environment: SLACK_BOT_TOKEN: this goes to "C0123456789", so SLACK_WEBHOOK_URL is not used'
    ]


def test_a_token_without_a_room_reaches_nobody_and_says_so(folder: Path) -> None:
    told = "environment: SLACK_BOT_TOKEN: it needs a room: write the room's id into digestNotificationTarget"
    assert warnings(folder, {}, TOKEN) == [told]
    both = {**TOKEN, "SLACK_WEBHOOK_URL": HOOK["HOOK"]}
    assert warnings(folder, {"digestNotificationChannel": "slack"}, both) == [
        f"{told}; SLACK_WEBHOOK_URL is used"
    ]
    written = {"channels": {"ops": {"type": "slack", "token": "env:SLACK_BOT_TOKEN", "target": "#ops"}}}
    assert warnings(folder, written, TOKEN) == []


def test_a_target_that_is_no_room_is_told_at_the_target_and_never_with_the_token(folder: Path) -> None:
    written = {"digestNotificationChannel": "slack", "digestNotificationTarget": "two words"}
    (told,) = mistakes(folder, written, TOKEN)
    assert told.startswith("1: digestNotificationTarget: ")
    assert "canary" not in told


def test_another_room_of_a_configured_slack_is_reached_by_a_derived_channel(folder: Path) -> None:
    ops = {"type": "slack", "token": "env:SLACK_BOT_TOKEN", "target": "#ops"}
    written = {
        "channels": {"ops": ops},
        "digestNotificationChannel": "ops",
        "digestNotificationTarget": "#leads",
    }
    found = prepared(folder, written, TOKEN)
    assert found.config.digest.channel == "ops:digest"
    assert found.channels["ops:digest"].options["target"] == "#leads"
    assert found.channels["ops"].options["target"] == "#ops"
    written["digestNotificationTarget"] = "#ops"
    assert prepared(folder, written, TOKEN).config.digest.channel == "ops"


def test_what_is_wrong_with_a_channel_is_not_told_again_of_the_one_derived_from_it(folder: Path) -> None:
    written = {
        "channels": {"ops": {"type": "slack", "token": "env:SLACK_BOT_TOKEN", "target": "#ops", "chanel": 1}},
        "digestNotificationChannel": "ops",
        "digestNotificationTarget": "#leads",
    }
    (told,) = mistakes(folder, written, TOKEN)
    assert told.startswith("1: channels.ops.chanel: unknown key")


def test_a_target_of_a_channel_with_one_destination_is_warned_of(folder: Path) -> None:
    written = {"digestNotificationChannel": "discord", "digestNotificationTarget": "general"}
    environ = {"DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/canary"}
    assert warnings(folder, written, environ) == [
        "1: digestNotificationTarget: a channel of type discord has one destination, so this target is not"
        " used"
    ]


def test_a_bad_address_in_a_variable_is_told_by_the_name_of_the_variable(folder: Path) -> None:
    told = mistakes(folder, {}, {"SLACK_WEBHOOK_URL": "hooks.slack.com/services/hunter2"})
    assert len(told) == 1
    assert told[0].startswith("environment: SLACK_WEBHOOK_URL: ")
    assert "hunter2" not in told[0]

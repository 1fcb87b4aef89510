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
    found = prepared(folder, written, environ).warnings
    return [str(problem).removeprefix(f"{folder}/desk.json:") for problem in found]


def test_the_entry_of_a_config_is_judged_by_the_channel_itself(folder: Path) -> None:
    found = prepared(folder, {"channels": {"ops": {"type": "slack", "url": "env:HOOK"}}}, HOOK)
    assert set(found.channels) == {"log", "ops"}
    assert found.channels["ops"].options == {"url": Secret(HOOK["HOOK"])}
    assert found.warnings == ()


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
            "1: channels.ops.url: this key is missing, and nothing can stand in for it",
        ),
        (
            {"channels": {"ops": {"type": "slack", "url": "env:HOOK", "chanel": "x"}}},
            "1: channels.ops.chanel: unknown key; known: url",
        ),
        (
            {"channels": {"ops": {"type": "slack", "url": "env:PLAIN"}}},
            "1: channels.ops.url: this address begins with http://;"
            " https is needed unless network.allowPrivate is true",
        ),
        (
            {"digestNotificationChannel": "slack"},
            '1: digestNotificationChannel: there is no channel "slack";'
            " set SLACK_WEBHOOK_URL in the environment, or add it under channels",
        ),
        (
            {"digestNotificationChannel": "slak"},
            '1: digestNotificationChannel: no channel is named "slak"; did you mean "slack"?',
        ),
        (
            {"alerts": {"receivers": {"oncall": ["lgo"]}}},
            '1: alerts.receivers.oncall[0]: no channel is named "lgo"; did you mean "log"?',
        ),
        (
            {"alerts": {"receivers": {"oncall": ["log"]}, "routes": [{"receiver": "oncal"}]}},
            '1: alerts.routes[0].receiver: no receiver is named "oncal"; did you mean "oncall"?',
        ),
        (
            {"alerts": {"receivers": {"a": ["log"]}, "routes": [{"receiver": "a", "escalateTo": "b"}]}},
            '1: alerts.routes[0].escalateTo: no receiver is named "b"; known: a',
        ),
    ],
)
def test_a_mistake_about_channels_is_told_with_its_place(
    folder: Path, written: dict[str, Any], expected: str
) -> None:
    assert mistakes(folder, written, {**HOOK, "PLAIN": "http://hooks.example"}) == [expected]


def test_mistakes_in_one_list_keep_nothing_else_of_the_section_from_being_judged(folder: Path) -> None:
    routes = [{"receiver": 1}, {"receiver": "a", "repeatInterval": 2}]
    written = {"alerts": {"receivers": {"a": ["lgo"]}, "routes": routes}}
    assert [line.split(": ")[1] for line in mistakes(folder, written)] == [
        "alerts.routes[0].receiver",
        "alerts.routes[1].repeatInterval",
        "alerts.receivers.a[0]",
    ]


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
        "1: digestNotificationTarget: an incoming webhook has a room of its own, so this target is not used"
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


def test_a_digest_by_a_channel_that_cannot_be_opened_yet_is_refused(folder: Path) -> None:
    environ = {"DISCORD_WEBHOOK_URL": "https://discord.example"}
    assert mistakes(folder, {"digestNotificationChannel": "discord"}, environ) == [
        "1: digestNotificationChannel: channels of type discord cannot be opened yet; use slack or log"
    ]


def test_a_bad_address_in_a_variable_is_told_by_the_name_of_the_variable(folder: Path) -> None:
    told = mistakes(folder, {}, {"SLACK_WEBHOOK_URL": "hooks.slack.com/services/hunter2"})
    assert len(told) == 1
    assert told[0].startswith("environment: SLACK_WEBHOOK_URL: ")
    assert "hunter2" not in told[0]

"""Whether somebody would hear of an alert is judged before anything is started."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.check import Prepared, prepare
from daemon.config import ConfigError

JOBS = """
from daemon.engine.handler import handler

@handler("on-demand")
async def on_demand(ctx): ...
"""
CHANNELS = {
    "ops": {"type": "slack", "url": "env:HOOK"},
    "team": {"type": "slack", "url": "env:OTHER"},
    "sms": {"type": "apprise", "urls": ["env:SMS"]},
    "record": {"type": "log"},
}
ENVIRON = {
    "HOOK": "https://hooks.slack.com/services/T/B/x",
    "OTHER": "https://hooks.slack.com/services/T/B/y",
    "SMS": "json://localhost/canary",
}
TWO = {"oncall": ["ops", "team"]}
SOUND: dict[str, Any] = {"receivers": TWO, "routes": [{"receiver": "oncall"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = list(sys.path)
    (tmp_path / "alert_jobs.py").write_text(JOBS)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("alert_jobs", None)


def prepared(folder: Path, alerts: Mapping[str, Any], channels: Mapping[str, Any] = CHANNELS) -> Prepared:
    path = folder / "desk.json"
    path.write_text(json.dumps({"handlers": ["alert_jobs"], "channels": channels, "alerts": alerts}))
    return prepare(path, ENVIRON)


def mistakes(folder: Path, alerts: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        prepared(folder, alerts)
    return [str(problem).removeprefix(f"{folder}/desk.json:1: ") for problem in raised.value.problems]


def warnings(folder: Path, alerts: Mapping[str, Any], channels: Mapping[str, Any] = CHANNELS) -> list[str]:
    found = prepared(folder, alerts, channels).warnings
    return [str(problem).removeprefix(f"{folder}/desk.json:1: ") for problem in found]


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        (
            {"receivers": {"oncall": ["lgo"]}},
            'alerts.receivers.oncall[0]: no channel is named "lgo"; did you mean "log"?',
        ),
        (
            {"receivers": TWO, "routes": [{"receiver": "oncal"}]},
            'alerts.routes[0].receiver: no receiver is named "oncal"; did you mean "oncall"?',
        ),
        (
            {"receivers": TWO, "routes": [{"receiver": "oncall", "escalateTo": "b"}]},
            'alerts.routes[0].escalateTo: no receiver is named "b"; known: oncall',
        ),
        (
            {"receivers": {"a": ["log", "record"]}, "routes": [{"receiver": "a"}]},
            "alerts.receivers.a: nobody is told by the log, and all alerts stand in it anyway;"
            " add a channel to people",
        ),
        (
            {"receivers": {"a": []}, "routes": [{"receiver": "a"}]},
            "alerts.receivers.a: nobody is told by the log, and all alerts stand in it anyway;"
            " add a channel to people",
        ),
        (
            {
                "receivers": TWO,
                "routes": [{"receiver": "oncall"}],
                "inhibitions": [{"source": "x", "targets": []}],
            },
            "alerts.inhibitions[0].targets: this list is empty; write at least one",
        ),
    ],
    ids=["channel", "receiver", "escalation", "records", "empty", "inhibition"],
)
def test_a_way_that_leads_nowhere_is_a_mistake(folder: Path, alerts: dict[str, Any], expected: str) -> None:
    assert mistakes(folder, alerts) == [expected]


def test_mistakes_in_one_list_keep_nothing_else_of_the_section_from_being_judged(folder: Path) -> None:
    routes = [{"receiver": 1}, {"receiver": "a", "repeatInterval": 2}]
    told = mistakes(folder, {"receivers": {"a": ["lgo"]}, "routes": routes})
    assert [line.split(": ")[0] for line in told] == [
        "alerts.routes[0].receiver",
        "alerts.routes[1].repeatInterval",
        "alerts.receivers.a[0]",
    ]


@pytest.mark.parametrize(
    "alerts",
    [
        {"receivers": TWO, "routes": [{"receiver": "oncall"}]},
        {"receivers": TWO, "routes": [{"receiver": "oncall", "match": {"name": "*"}}]},
        {"receivers": {"a": ["ops", "sms"]}, "routes": [{"receiver": "a"}]},
        {
            "receivers": {**TWO, "b": ["team", "ops", "log"]},
            "routes": [
                {
                    "receiver": "oncall",
                    "match": {"name": "batch.*"},
                    "escalateAfter": "5m",
                    "escalateTo": "b",
                },
                {"receiver": "oncall", "severities": ["critical"]},
                {"receiver": "b"},
            ],
        },
        {"enabled": False, "receivers": {"a": ["log"]}, "routes": [{"receiver": "a"}]},
    ],
    ids=["one-route", "all-names", "apprise-second", "several", "turned-off"],
)
def test_alerts_that_reach_somebody_by_two_ways_give_nothing_to_warn_of(
    folder: Path, alerts: dict[str, Any]
) -> None:
    assert warnings(folder, alerts) == []


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        (
            {"receivers": {"a": ["ops"]}, "routes": [{"receiver": "a"}]},
            'alerts.receivers.a: alerts go by "ops" alone, and nothing stands in for it; add another',
        ),
        (
            {"receivers": {"a": ["sms", "log"]}, "routes": [{"receiver": "a"}]},
            "alerts.receivers.a: apprise proves no delivery, so it must not be the only way of critical"
            " alerts; add another",
        ),
        (
            {"receivers": {**TWO, "b": ["ops", "team"]}, "routes": [{"receiver": "oncall"}]},
            "alerts.receivers.b: no route leads to this receiver",
        ),
        (
            {"receivers": TWO},
            "alerts.receivers: no route leads to a receiver, so nobody is told of alerts;"
            " add one under alerts.routes",
        ),
        (
            {"receivers": TWO, "routes": [{"receiver": "oncall", "severities": ["error"]}]},
            "alerts.routes: no route takes every critical alert, so some are told to nobody;"
            " add one without match",
        ),
        (
            {"receivers": TWO, "routes": [{"receiver": "oncall", "match": {"handler": "x"}}]},
            "alerts.routes: no route takes every critical alert, so some are told to nobody;"
            " add one without match",
        ),
        (
            {**SOUND, "routes": [{"receiver": "oncall"}, {"receiver": "oncall", "match": {"a": "b"}}]},
            "alerts.routes[1]: nothing reaches this route: alerts.routes[0] takes all of it first",
        ),
        (
            {
                "receivers": TWO,
                "routes": [
                    {"receiver": "oncall", "severities": ["critical"]},
                    {"receiver": "oncall", "severities": ["error", "warning"]},
                    {"receiver": "oncall", "severities": ["critical", "error"]},
                ],
            },
            "alerts.routes[2]: nothing reaches this route: alerts.routes[1] takes all of it first",
        ),
        (
            {
                "receivers": TWO,
                "routes": [{"receiver": "oncall", "severities": ["info"]}, {"receiver": "oncall"}],
            },
            "alerts.routes[0].severities: alerts.severityThreshold is error,"
            " so nothing this route takes is ever told",
        ),
        (
            {"receivers": TWO, "routes": [{"receiver": "oncall", "escalateTo": "oncall"}]},
            "alerts.routes[0].escalateTo: this is never used: escalateAfter does not say when",
        ),
    ],
    ids=["alone", "apprise", "unused", "no-route", "no-critical", "critical-by-match", "behind", "behind-two",
         "below", "never"],
)  # fmt: skip
def test_what_would_leave_somebody_in_the_dark_is_warned_of(
    folder: Path, alerts: dict[str, Any], expected: str
) -> None:
    assert warnings(folder, alerts) == [expected]


def test_with_the_log_as_the_only_channel_it_is_said_that_nobody_hears_of_alerts(folder: Path) -> None:
    assert warnings(folder, {}, {"record": {"type": "log"}}) == [
        "channels: no channel but the log is set up, so nobody is told of alerts; set SLACK_WEBHOOK_URL,"
        " SMTP_HOST or another in the environment, or add one under channels"
    ]
    assert warnings(folder, {"enabled": False}, {}) == []


def test_one_mailbox_under_two_names_stands_in_for_nothing(folder: Path) -> None:
    environ = {"SMTP_HOST": "m.example", "SMTP_FROM_EMAIL": "a@example.org", "ADMIN_EMAIL": "b@example.org"}
    path = folder / "desk.json"
    alerts = {"receivers": {"a": ["smtp", "email"]}, "routes": [{"receiver": "a"}]}
    path.write_text(json.dumps({"handlers": ["alert_jobs"], "alerts": alerts}))
    (told,) = prepare(path, environ).warnings
    assert told.text == 'alerts go by "smtp" alone, and nothing stands in for it; add another'

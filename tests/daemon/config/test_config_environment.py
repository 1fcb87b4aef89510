"""What the environment stands in for."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.config import Config, ConfigError, load_config
from daemon.config.load import draft_config
from daemon.secret import Secret
from state.records import Severity


def loaded(folder: Path, environ: dict[str, str], written: dict[str, Any] | None = None) -> Config:
    path = folder / "orchestrator_config.json"
    path.write_text(json.dumps(written or {}))
    return load_config(path, environ)


MAIL = {
    "SMTP_HOST": "mail.example",
    "SMTP_PORT": "587",
    "SMTP_USER": "desk",
    "SMTP_PASSWORD": "pw",
    "SMTP_FROM_EMAIL": "desk@example.org",
    "ADMIN_EMAIL": "a@example.org, b@example.org",
}


def test_each_variable_stands_in_for_its_entry(tmp_path: Path) -> None:
    environ = {
        "ALERTS_ENABLED": "False",
        "ALERT_SEVERITY_THRESHOLD": "WARNING",
        "APP_URL": "https://desk.example.org",
        "DATABASE_URL": "postgresql://u:p@h/d",
        "REDIS_URL": "redis://:p@h/0",
        "NIGHTDESK_TOKEN": "t",
    }
    config = loaded(tmp_path, environ)
    assert config.alerts.enabled is False
    assert config.alerts.severity_threshold is Severity.WARNING
    assert config.digest.app_url == "https://desk.example.org"
    assert config.ledger.url == Secret("postgresql://u:p@h/d")
    assert config.redis is not None
    assert config.redis.url == Secret("redis://:p@h/0")
    assert config.http.token == Secret("t")


def test_a_variable_joins_what_the_file_says_of_the_same_section(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"REDIS_URL": "redis://h"}, {"redis": {"checkInterval": "5s"}})
    assert config.redis is not None
    assert (config.redis.url, config.redis.check_interval.seconds) == (Secret("redis://h"), 5)


def test_what_the_file_says_wins_and_the_variable_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "orchestrator_config.json"
    path.write_text('{"alerts":\n{"enabled": true}, "http": {"token": "env:NIGHTDESK_TOKEN"}}')
    draft = draft_config(path, {"ALERTS_ENABLED": "false", "NIGHTDESK_TOKEN": "t"})
    assert draft.config.alerts.enabled is True
    assert [str(warning) for warning in draft.findings.warnings] == [
        f"{path}:2: alerts.enabled: this is said here, so the environment's ALERTS_ENABLED is not used"
    ]


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, dict.fromkeys(["REDIS_URL", "ALERTS_ENABLED", "SLACK_WEBHOOK_URL", "SMTP_HOST"], " ")
    )
    assert config.redis is None
    assert set(config.channels) == {"log"}


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("ALERTS_ENABLED", "maybe", '"maybe" is neither true nor false; write true or false'),
        (
            "ALERT_SEVERITY_THRESHOLD",
            "loud",
            '"loud" is no severity; known: info, warning, error, critical',
        ),
        ("APP_URL", "desk", '"desk" is no web address; write one as in https://desk.example.org'),
        ("DATABASE_URL", "hunter2", "this is no address; write one as in scheme://host:port/name"),
        ("REDIS_URL", "http://hunter2", "a Redis address begins with redis://, rediss:// or unix://"),
        ("SMTP_PORT", "99999", "99999 is no port; write a number from 1 to 65535"),
    ],
)
def test_a_bad_variable_is_told_by_its_name(tmp_path: Path, variable: str, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, MAIL | {variable: text})
    assert str(raised.value) == f"environment: {variable}: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("1", True), ("YES", True), ("off", False), ("0", False)]
)
def test_flags_are_read_as_people_write_them(tmp_path: Path, text: str, expected: bool) -> None:
    assert loaded(tmp_path, {"ALERTS_ENABLED": text}).alerts.enabled is expected


def test_channels_come_with_their_variables(tmp_path: Path) -> None:
    environ = MAIL | {
        "SLACK_WEBHOOK_URL": "https://hooks.example/team",
        "SLACK_ERROR_WEBHOOK": "https://hooks.example/errors",
        "DISCORD_WEBHOOK_URL": "https://discord.example/1",
        "ALERT_WEBHOOK_URL": "https://hook.example/1",
        "EMAIL_API_KEY": "key",
        "EMAIL_API_URL": "https://api.example/mail",
    }
    channels = loaded(tmp_path, environ).channels
    assert {name: entry.type for name, entry in channels.items()} == {
        "log": "log",
        "slack": "slack",
        "slack-errors": "slack",
        "discord": "discord",
        "webhook": "webhook",
        "email": "email",
        "smtp": "smtp",
    }
    assert channels["slack"].options == {"url": Secret("https://hooks.example/team")}
    assert channels["slack-errors"].options == {"url": Secret("https://hooks.example/errors")}
    assert channels["email"].options == {
        "apiKey": Secret("key"),
        "apiUrl": "https://api.example/mail",
        "from": "desk@example.org",
        "to": ["a@example.org", "b@example.org"],
    }
    assert channels["smtp"].options == {
        "host": "mail.example",
        "port": 587,
        "user": "desk",
        "password": Secret("pw"),
        "from": "desk@example.org",
        "to": ["a@example.org", "b@example.org"],
    }


def test_email_goes_by_smtp_where_no_mail_api_is_set(tmp_path: Path) -> None:
    channels = loaded(tmp_path, MAIL).channels
    assert channels["email"] == channels["smtp"]


def test_a_channel_of_the_file_takes_the_place_of_one_of_the_environment(tmp_path: Path) -> None:
    written = {"channels": {"slack": {"type": "slack", "url": "env:MINE"}}}
    environ = {"SLACK_WEBHOOK_URL": "https://hooks.example/team", "MINE": "https://hooks.example/mine"}
    entry = loaded(tmp_path, environ, written).channels["slack"]
    assert entry.options == {"url": Secret("https://hooks.example/mine")}
    assert not entry.is_from_environment


def test_alerts_find_a_way_by_themselves_the_channels_meant_for_them_first(tmp_path: Path) -> None:
    environ = MAIL | {"SLACK_WEBHOOK_URL": "https://a.example", "SLACK_ERROR_WEBHOOK": "https://b.example"}
    written = {
        "channels": {"pager": {"type": "pagerduty", "routingKey": "env:KEY"}, "keep": {"type": "file"}}
    }
    alerts = loaded(tmp_path, environ | {"KEY": "k"}, written).alerts
    assert alerts.receivers == {"default": ("slack-errors", "email", "pager", "slack")}
    (route,) = alerts.routes
    assert (route.receiver, route.severities) == ("default", ())


def test_alerts_that_have_a_route_keep_it(tmp_path: Path) -> None:
    written = {"alerts": {"receivers": {"mine": ["log"]}, "routes": [{"receiver": "mine"}]}}
    alerts = loaded(tmp_path, {"SLACK_WEBHOOK_URL": "https://a.example"}, written).alerts
    assert alerts.receivers == {"mine": ("log",)}


def test_with_the_log_alone_no_alert_has_a_route(tmp_path: Path) -> None:
    assert loaded(tmp_path, {}).alerts.routes == ()

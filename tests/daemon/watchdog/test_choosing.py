"""The second process reads the config by itself: held side by side with the daemon's own reading."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config
from daemon.config.load import Config
from daemon.dispatch.routing import Routing
from daemon.secret import Secret
from daemon.watchdog import choosing
from daemon.watchdog.choosing import ALERT, channels_for_alerts, is_enabled
from daemon.watchdog.references import resolved
from daemon.watchdog.senders import LEFT_TO_THE_DAEMON, SENDERS
from daemon.watchdog.settings import ConfigRefused, read_settings
from state.records import Alert, Severity
from tests.state.sample import NOW

HOOK = "https://hooks.slack.com/services/T0/B0/x"
SLACK = {"type": "slack", "url": "env:HOOK"}
MAIL = {
    "type": "smtp",
    "host": "mail.example.com",
    "from": "desk@example.com",
    "to": ["ops@example.com"],
    "password": "file:password",
    "user": "desk",
}
PAGER = {"type": "pagerduty", "routingKey": "env:PAGER"}
LOG = {"type": "log"}
APPRISE = {"type": "apprise", "urls": ["env:HOOK"]}
KEYS = {"HOOK": HOOK, "PAGER": "a" * 32}
SMTP = {
    "SMTP_HOST": "mail.example.com",
    "SMTP_FROM_EMAIL": "desk@example.com",
    "ADMIN_EMAIL": "ops@example.com, two@example.com",
    "SMTP_PORT": "2525",
    "SMTP_USER": "desk",
    "SMTP_PASSWORD": "hunter2",
}
EVERYTHING = {
    **SMTP,
    "SLACK_ERROR_WEBHOOK": HOOK,
    "ALERT_WEBHOOK_URL": "https://example.com/hook",
    "EMAIL_API_KEY": "SG.key",
    "SLACK_WEBHOOK_URL": HOOK,
    "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/x",
}
ROUTES: list[dict[str, Any]] = [
    {"severities": ["error", "warning"], "receiver": "team"},
    {"severities": ["Critical"], "match": {"handler": "send-digest"}, "receiver": "team"},
    {"severities": ["critical", "error"], "receiver": "oncall", "repeatInterval": "20m"},
    {"receiver": "team"},
]
RECEIVERS = {"team": ["room"], "oncall": ["logged", "pager", "post", "room"]}
CHANNELS = {"room": SLACK, "post": MAIL, "pager": PAGER, "logged": LOG}


def routed(*routes: dict[str, Any], **receivers: list[str]) -> dict[str, Any]:
    return {"channels": CHANNELS, "alerts": {"routes": list(routes), "receivers": receivers}}


TABLE: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {}),
    "one channel of the file": ({"channels": {"room": SLACK}}, KEYS),
    "all of the file": ({"channels": CHANNELS}, KEYS),
    "all of the environment": ({}, EVERYTHING),
    "file and environment": ({"channels": CHANNELS}, {**KEYS, **EVERYTHING}),
    "mail by SMTP only": ({}, SMTP),
    "mail that lacks an address": ({}, {"SMTP_HOST": "mail.example.com", "ADMIN_EMAIL": "a@example.com"}),
    "a mail API that lacks an address": ({}, {"EMAIL_API_KEY": "SG.key", "SMTP_FROM_EMAIL": "a@example.com"}),
    "empty variables": ({}, {"SLACK_ERROR_WEBHOOK": " ", "ALERT_WEBHOOK_URL": ""}),
    "a name that the file takes": ({"channels": {"slack-errors": MAIL, "email": SLACK}}, {**KEYS, **SMTP}),
    "smtp taken by the file": ({"channels": {"smtp": SLACK}}, {**KEYS, **SMTP}),
    "records only": ({"channels": {"logged": LOG}}, {}),
    "apprise among others": ({"channels": {"phone": APPRISE, "room": SLACK}}, KEYS),
    "routes": (routed(*ROUTES, **RECEIVERS), KEYS),
    "a route for all": (routed({"receiver": "oncall"}, **RECEIVERS), KEYS),
    "a route by name": (
        routed({"match": {"name": "daemon.*"}, "receiver": "oncall"}, {"receiver": "team"}, **RECEIVERS),
        KEYS,
    ),
    "a route by another name": (
        routed({"match": {"name": "disk.*"}, "receiver": "oncall"}, {"receiver": "team"}, **RECEIVERS),
        KEYS,
    ),
    "routes beside the environment": (routed(*ROUTES, **RECEIVERS), {**KEYS, **EVERYTHING}),
    "routes over the environment's channels": (
        {"alerts": {"routes": [{"receiver": "all"}], "receivers": {"all": ["discord", "smtp", "slack"]}}},
        EVERYTHING,
    ),
    "a bot's token and a room": (
        {"digestNotificationChannel": "slack", "digestNotificationTarget": "C0123456789"},
        {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_WEBHOOK_URL": HOOK},
    ),
    "a bot's token and no room": ({}, {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_WEBHOOK_URL": HOOK}),
    "a bot's token that the file uses": (
        {
            "channels": {"mine": {"type": "slack", "token": "env:SLACK_BOT_TOKEN", "target": "#ops"}},
            "digestNotificationTarget": "#digest",
        },
        {"SLACK_BOT_TOKEN": "xoxb-1"},
    ),
    "a target that is a channel": (
        {
            "channels": {"room": SLACK},
            "digestNotificationChannel": "slack",
            "digestNotificationTarget": "room",
        },
        {**KEYS, "SLACK_BOT_TOKEN": "xoxb-1"},
    ),
}


@pytest.fixture(params=TABLE)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A config file of the table, and the environment beside it."""
    config, environ = TABLE[request.param]
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path / "config.json", environ


def alert() -> Alert:
    return Alert(
        id="down", fingerprint="down", name=ALERT, severity=Severity.CRITICAL, first_at=NOW, last_at=NOW,
        summary="the daemon is gone", labels={},
    )  # fmt: skip


def the_daemons_choice(config: Config) -> list[str]:
    routing = Routing(config.alerts)
    route = routing.route_of(alert())
    names = [] if isinstance(route, str) else routing.channels_of(route.receiver)
    return [name for name in names if config.channels[name].type not in LEFT_TO_THE_DAEMON]


def plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def comparable(options: dict[str, Any]) -> dict[str, Any]:
    """Options as both may write them: a port as a number, addresses as a list."""
    said = {name: plain(value) for name, value in options.items()}
    if isinstance(said.get("port"), str):
        said["port"] = int(said["port"])
    if isinstance(said.get("to"), str):
        said["to"] = [part.strip() for part in said["to"].split(",")]
    return said


def test_both_choose_the_same_channels_in_the_same_order(case: tuple[Path, dict[str, str]]) -> None:
    path, environ = case
    chosen = channels_for_alerts(json.loads(path.read_text()), environ)
    found = [entry.name for entry in chosen if entry.type not in LEFT_TO_THE_DAEMON]
    assert found == the_daemons_choice(load_config(path, environ))


def test_both_give_each_channel_the_same_options(case: tuple[Path, dict[str, str]]) -> None:
    path, environ = case
    config = load_config(path, environ)
    for entry in channels_for_alerts(json.loads(path.read_text()), environ):
        theirs = config.channels[entry.name]
        ours = resolved(dict(entry.options), path.parent, environ)
        assert (entry.type, comparable(ours)) == (theirs.type, comparable(dict(theirs.options)))


def test_all_that_is_chosen_can_be_opened(case: tuple[Path, dict[str, str]]) -> None:
    path, environ = case
    settings = read_settings(path, environ)
    assert [channel.name for channel in settings.channels] == the_daemons_choice(load_config(path, environ))


def test_the_table_has_every_variable_of_the_daemons_own() -> None:
    from daemon.config import environment

    assert choosing.CHANNELS == environment.CHANNELS
    assert choosing.NEEDED == environment.NEEDED
    assert environment.RECORDS == choosing.RECORDS
    assert (*choosing.SET_UP_FOR_ALERTS, *choosing.ROOMS) == environment.ALERT_ORDER


def test_every_type_of_channel_is_sent_by_or_left_out_on_purpose() -> None:
    from daemon.notify import CHANNELS as TYPES

    assert set(TYPES) - set(SENDERS) <= LEFT_TO_THE_DAEMON
    assert set(SENDERS) <= set(TYPES)


@pytest.mark.parametrize("said", ["false", "0", "No", "OFF", "true", "1", "yes", "on"])
@pytest.mark.parametrize("written", [None, True, False])
def test_both_know_whether_anybody_is_told(said: str, written: bool | None, tmp_path: Path) -> None:
    config: dict[str, Any] = {} if written is None else {"alerts": {"enabled": written}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    environ = {"ALERTS_ENABLED": said}
    theirs = load_config(tmp_path / "config.json", environ).alerts.enabled
    assert is_enabled(config, environ) is theirs


def test_where_no_route_takes_it_the_first_is_taken_all_the_same() -> None:
    config = routed({"severities": ["warning"], "receiver": "team"}, **RECEIVERS)
    assert [entry.name for entry in channels_for_alerts(config, KEYS)] == ["room"]


def test_receivers_without_a_route_are_better_than_nobody() -> None:
    assert [entry.name for entry in channels_for_alerts(routed(**RECEIVERS), KEYS)] == ["room"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"alerts": []}, "alerts: an object in braces is wanted"),
        ({"channels": "room"}, "channels: an object in braces is wanted"),
        ({"alerts": {"routes": {}, "receivers": {"a": "b"}}}, "alerts: a: a list in brackets is wanted"),
        ({"alerts": {"routes": "all"}}, "alerts: routes: a list in brackets is wanted"),
    ],
    ids=["alerts", "channels", "receivers", "routes"],
)
def test_what_has_another_shape_is_named(config: dict[str, Any], told: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigRefused) as refused:
        read_settings(tmp_path / "config.json", {})
    assert str(refused.value) == f"{tmp_path / 'config.json'}: {told}"

"""What the second process takes from the config, and what it can do without."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config
from daemon.watchdog.settings import ConfigRefused, Limits, Settings, read_settings

SLACK = {"type": "slack", "url": "env:HOOK"}
MAIL = {"type": "smtp", "host": "mail", "from": "a@b.example", "to": "c@d.example"}
HOOK = "https://hooks.slack.com/services/T0/B0/CANARY"


def written(folder: Path, **config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def read(folder: Path, environ: dict[str, str] | None = None, **config: Any) -> Settings:
    return read_settings(written(folder, **config), {"HOOK": HOOK} if environ is None else environ)


def test_the_defaults_are_the_daemons() -> None:
    theirs = load_config(None, {}).watchdog
    assert Limits() == Limits(hung_after=theirs.hung_after, stopped_after=theirs.stopped_after)


def test_limits_and_the_pause_between_repeats_are_taken_from_the_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        channels={"room": SLACK},
        watchdog={"hungAfter": "3s", "stoppedAfter": "1h30m"},
        alerts={
            "receivers": {"all": ["room"]},
            "routes": [
                {"severities": ["info"], "receiver": "all", "repeatInterval": "5m"},
                {"receiver": "all", "repeatInterval": "2h"},
            ],
        },
    )
    assert settings.limits == Limits(hung_after=timedelta(seconds=3), stopped_after=timedelta(minutes=90))
    assert settings.repeat_after == timedelta(hours=2)


def test_a_silence_of_fewer_than_three_beats_is_never_too_long(tmp_path: Path) -> None:
    settings = read(tmp_path, watchdog={"beatInterval": "1m", "hungAfter": "45s"})
    assert settings.limits.hung_after == timedelta(minutes=3)
    assert "3m is taken, three times watchdog.beatInterval" in settings.warnings[0]


@pytest.mark.parametrize("value", ["5x", "", 45, True, "0s", "99999d", []])
def test_a_duration_that_is_none_is_named(tmp_path: Path, value: object) -> None:
    with pytest.raises(ConfigRefused, match=r"config\.json: watchdog\.hungAfter: "):
        read(tmp_path, watchdog={"hungAfter": value})


def test_the_link_comes_from_the_file_or_the_environment(tmp_path: Path) -> None:
    assert read(tmp_path, appUrl="https://desk.example").app_url == "https://desk.example"
    assert read(tmp_path, {"APP_URL": "https://other.example"}).app_url == "https://other.example"
    assert read(tmp_path, {"APP_URL": "javascript:alert(1)"}).app_url is None


def test_mistakes_elsewhere_in_the_file_do_not_stop_it(tmp_path: Path) -> None:
    settings = read(tmp_path, timezoen="UTC", schedules=7, channels={"room": SLACK})
    assert [channel.name for channel in settings.channels] == ["room"]


def test_a_channel_that_cannot_be_opened_is_named_and_the_others_stay(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        channels={
            "room": SLACK,
            "broken": {"type": "slack", "url": "env:NOT_SET"},
            "clear": {"type": "discord", "url": "http://example.com/CANARY"},
            "odd": {"type": "carrier-pigeon"},
            "nobody": {**MAIL, "to": []},
            "open": {**MAIL, "tls": "none", "user": "a", "password": "env:HOOK"},
        },
    )
    assert [channel.name for channel in settings.channels] == ["room"]
    assert settings.warnings == (
        "channels.broken: the environment variable NOT_SET is not set; set it where the watchdog is started",
        "channels.clear: url: begins with http://; https is needed unless network.allowPrivate is true",
        'channels.odd: "carrier-pigeon" is no type that the watchdog can send by',
        "channels.nobody: to: is no text or list of texts",
        "channels.open: tls: none would send the password in clear; take starttls or implicit",
    )


def test_where_no_channel_can_be_opened_the_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused) as refused:
        read(tmp_path, {}, channels={"room": SLACK})
    assert str(refused.value) == (
        f"{tmp_path / 'config.json'}: channels.room: the environment variable HOOK is not set; "
        "set it where the watchdog is started"
    )


def test_where_there_is_no_channel_at_all_it_says_so_and_watches(tmp_path: Path) -> None:
    settings = read(tmp_path, channels={"logged": {"type": "log"}})
    assert settings.channels == ()
    assert "there is no channel" in settings.warnings[0]
    assert read(tmp_path, channels={"room": SLACK}, alerts={"enabled": False}).channels == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "line 1: it is no JSON here"),
        (b'{"a": 1,\n}', "line 2: it is no JSON here"),
        (b"\xff", "it is not UTF-8 text"),
        (b"[1]", "an object in braces is wanted"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b" " * 2_000_000, "is larger than 1,048,576 bytes, which no config is"),
    ],
    ids=["empty", "comma", "bytes", "list", "deep", "large"],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigRefused, match=r"config\.json") as refused:
        read_settings(tmp_path / "config.json", {})
    assert told in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match="No such file or directory; name the file with --config"):
        read_settings(tmp_path / "config.json", {})


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_settings(tmp_path / "config.json", {}).channels == ()


def test_secrets_are_fetched_from_files_of_systemd_or_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"{HOOK}\n")
    handed = tmp_path / "handed"
    handed.mkdir()
    channels = {"room": {"type": "slack", "url": "file:hook"}}
    assert len(read(tmp_path, {}, channels=channels).channels) == 1
    with pytest.raises(ConfigRefused, match="No such file"):
        read(tmp_path, {"CREDENTIALS_DIRECTORY": str(handed)}, channels=channels)
    (handed / "hook").write_text("")
    with pytest.raises(ConfigRefused, match="is empty"):
        read(tmp_path, {"CREDENTIALS_DIRECTORY": str(handed)}, channels=channels)


def test_nothing_that_is_read_shows_a_secret(tmp_path: Path) -> None:
    environ = {
        "HOOK": HOOK,
        "SMTP_HOST": "mail",
        "SMTP_USER": "desk",
        "SMTP_PASSWORD": "CANARY",
        "SMTP_FROM_EMAIL": "a@b.example",
        "ADMIN_EMAIL": "c@d.example",
        "SLACK_ERROR_WEBHOOK": HOOK,
    }
    settings = read(tmp_path, environ, channels={"room": SLACK})
    assert len(settings.channels) == 3
    assert "CANARY" not in repr(settings)

"""`nightdesk config` and `nightdesk init`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.exits import run

Nightdesk = Callable[..., Any]


def test_a_sound_config_is_told_with_the_next_five_fires_of_each_schedule(
    desk: Any, nightdesk: Nightdesk
) -> None:
    desk.config.write_text(
        '{"timezone": "Europe/Berlin", "schedules": {"tick": {"command": ["true"], "cron": "@every 2h"}}}'
    )
    ended = nightdesk("config", "check", "--json")
    assert ended.code == 0
    assert (ended.json["ok"], ended.json["problems"]) == (True, [])
    rows = {row["name"]: row for row in ended.json["schedules"]}
    assert set(rows) == {"nightly-batch", "send-digest", "heartbeat", "tick"}
    assert all(len(row["next"]) == 5 and row["next"] == sorted(row["next"]) for row in rows.values())
    shown = nightdesk("config", "check").out
    assert "no mistakes" in shown
    assert "NEXT FIVE (CET)" in shown or "NEXT FIVE (CEST)" in shown
    assert not desk.home.folder.exists()


def test_all_mistakes_are_told_at_once_for_scripts_too(desk: Any, nightdesk: Nightdesk) -> None:
    desk.config.write_text('{\n"timezon": "UTC",\n"draftScoreThreshold": 2\n}')
    ended = nightdesk("config", "check", "--json")
    assert ended.code == 78
    assert ended.json["ok"] is False
    assert [(it["line"], it["key"]) for it in ended.json["problems"]] == [
        (2, "timezon"),
        (3, "draftScoreThreshold"),
    ]


def test_a_config_that_is_not_there_is_told_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "check", "--config", str(tmp_path / "nope.json")], {}) == 78
    assert "nightdesk init" in capsys.readouterr().err


def test_what_is_in_force_is_shown_without_its_secrets(
    desk: Any, nightdesk: Nightdesk, tmp_path: Path
) -> None:
    secret = tmp_path / "webhook"
    secret.write_text("https://hooks.slack.com/services/T0/B0/canary")
    desk.config.write_text(
        json.dumps(
            {"channels": {"team": {"type": "slack", "url": f"file:{secret}"}}, "timezone": "Asia/Tokyo"}
        )
    )
    ended = nightdesk("config", "show")
    shown = json.loads(ended.out)
    assert shown["timezone"] == "Asia/Tokyo"
    assert shown["channels"]["team"]["url"] == "***"
    assert "canary" not in ended.out + ended.err


def test_the_schema_knows_the_keys(nightdesk: Nightdesk) -> None:
    schema = json.loads(nightdesk("config", "schema").out)
    assert "nightlyBatchSchedule" in schema["properties"]


def test_init_writes_a_config_that_is_sound_and_never_writes_over_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "desk"
    assert run(["init", str(folder)], {}) == 0
    config = folder / "orchestrator_config.json"
    assert str(config) in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == [
        "orchestrator_config.json",
        "orchestrator_config.schema.json",
    ]
    assert run(["config", "check", "--config", str(config)], {}) == 0
    config.write_text("mine")
    assert run(["init", str(folder), "--json"], {}) == 1
    assert "is there already; nothing was written" in capsys.readouterr().err
    assert config.read_text() == "mine"

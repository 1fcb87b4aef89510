"""Whatever stands in the config: it is read or refused in words, and no secret is repeated."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config import ConfigError, load_config

# Everything the config may hold, as the documentation shows it.
WHOLE: dict[str, Any] = {
    "$schema": "./orchestrator_config.schema.json",
    "timezone": "UTC",
    "handlers": ["handlers"],
    "nightlyBatchSchedule": "0 23 * * *",
    "morningNotificationSchedule": "0 6 * * *",
    "dailyReportSchedule": "0 5 * * *",
    "backupReportSchedule": "0 6 * * *",
    "dailyHealthSchedule": "0 8 * * *",
    "heartbeatSchedule": "*/5 * * * *",
    "digestNotificationChannel": "log",
    "digestNotificationTarget": "",
    "draftScoreThreshold": 0.75,
    "slowBatchAfter": "30s",
    "appUrl": "https://desk.example.org/",
    "scoring": {
        "topics": {"python": 1.0},
        "intentPhrases": ["looking for"],
        "weights": {"relevance": 1, "engagement": 0.5, "freshness": 0, "intent": 2},
        "freshnessHalfLife": "2d",
    },
    "schedules": {
        "nightly-dump": {
            "command": ["pg_dump", "-Fc", "app"],
            "cron": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "timeout": "20m",
            "maxAttempts": 3,
            "overlap": "skip",
            "catchUp": "all",
            "catchUpWindow": "24h",
            "lane": "normal",
            "enabled": False,
        }
    },
    "channels": {"ops": {"type": "slack", "url": "env:HOOK"}},
    "alerts": {
        "enabled": True,
        "severityThreshold": "error",
        "consecutiveFailures": 3,
        "retention": "48h",
        "receivers": {"oncall": ["ops"]},
        "routes": [
            {
                "severities": ["critical", "error"],
                "receiver": "oncall",
                "repeatInterval": "1h",
                "escalateAfter": "5m",
            }
        ],
    },
    "queue": {
        "concurrency": 32,
        "catchUpConcurrency": 4,
        "alertConcurrency": 8,
        "maxWaiting": 9,
        "historyDays": 4,
    },
    "reports": {
        "companies": "companies.json",
        "source": {"type": "files", "facts": "SELECT 1", "tables": {"Sales": "SELECT 2"}},
        "fanout": "local",
        "concurrency": 8,
        "deadline": "07:00",
        "stuckAfter": "2h",
    },
    "llm": {
        "providers": [
            {
                "name": "main",
                "type": "openai",
                "baseUrl": "https://a.example/v1",
                "model": "m",
                "apiKey": "env:KEY",
            }
        ]
    },
    "ledger": {"url": "sqlite"},
    "redis": {"url": "redis://127.0.0.1:6379/0", "checkInterval": "30s"},
    "http": {"host": "127.0.0.1", "port": 8780, "token": "env:TOKEN", "readToken": "env:TOKEN"},
    "watchdog": {"beatInterval": "1s", "hungAfter": "45s", "pingUrl": "env:PING"},
    "network": {"allowPrivate": False},
}
ENVIRON = {"HOOK": "https://hooks.example/1", "KEY": "k", "TOKEN": "t", "PING": "https://ping.example/1"}


def mistakes(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """Load a config of this text and give what it is told, without the name of the file."""
    path = folder / "orchestrator_config.json"
    path.write_text(text, encoding="utf-8")
    try:
        load_config(path, environ or {})
    except ConfigError as error:
        return [str(problem).removeprefix(f"{path}:") for problem in error.problems]
    return []


def test_a_config_with_everything_in_it_is_taken(tmp_path: Path) -> None:
    assert mistakes(tmp_path, json.dumps(WHOLE), ENVIRON) == []


@pytest.mark.parametrize(
    "canary", ["hunter2canary", "https://hooks.example/services/T0/B0/hunter2canary", "xoxb-1-hunter2canary"]
)
def test_no_message_repeats_what_may_be_a_secret(tmp_path: Path, canary: str) -> None:
    whole = copy.deepcopy(WHOLE)
    whole["channels"]["ops"]["url"] = [canary]
    whole["channels"]["mail"] = {"password": canary, "type": [canary]}
    whole["http"] = {"token": canary, "readToken": [canary], "tokn": canary}
    whole["llm"]["providers"][0]["apiKey"] = {"key": canary}
    whole["watchdog"]["pingUrl"] = canary
    whole["redis"]["url"] = f"redis://:{canary}@h"
    whole["ledger"]["url"] = f"postgresql://u:{canary}@h/d"
    told = mistakes(tmp_path, json.dumps(whole), ENVIRON)
    places = [line.split(": ")[1] for line in told]
    assert {"http.token", "http.readToken", "watchdog.pingUrl", "redis.url", "ledger.url"} < set(places)
    assert "hunter2canary" not in "\n".join(told)
    assert "hunter2canary" not in "\n".join(mistakes(tmp_path, f'{{"http": {{"token": {canary} }}}}'))


@pytest.mark.parametrize("key", ["digestNotificationTarget", "timezone", "appUrl"])
def test_an_address_or_a_token_in_the_wrong_place_is_not_repeated(tmp_path: Path, key: str) -> None:
    for secret in ("xoxb-12345678901-abcdef", "postgresql://u:hunter2@h"):
        told = "\n".join(mistakes(tmp_path, json.dumps({key: secret})))
        assert "abcdef" not in told
        assert "hunter2" not in told


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["env:HOOK", "env:", "file:", "file:/dev/zero", "UTC", "1h", "sqlite", "slack", 10**400]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=8)
            | st.sampled_from([*WHOLE, "type", "url", "cron", "[key]", "receiver", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, part in inner for found in places(part, (*place, key)))]


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_arbitrary_json_raises_nothing_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    folder = tmp_path_factory.mktemp("config")
    for told in mistakes(folder, json.dumps(value), ENVIRON):
        assert "\n" not in told
        assert "Traceback" not in told


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(places(WHOLE)[1:]), JSON), min_size=1, max_size=3))
def test_a_whole_config_with_anything_in_any_place_raises_nothing_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    changed = copy.deepcopy(WHOLE)
    for place, value in changes:
        holder: Any = changed
        for part in place[:-1]:
            holder = holder[part] if isinstance(holder, dict) and part in holder else None
        if isinstance(holder, dict):
            holder[place[-1]] = value
    for told in mistakes(tmp_path_factory.mktemp("config"), json.dumps(changed), ENVIRON):
        assert "\n" not in told
        assert len(told) < 1000

"""The config as the rest of the house sees it."""

import dataclasses
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pydantic
import pytest

from daemon.config import ConfigError, load_config
from daemon.config.sections import Section
from daemon.secret import Secret
from state.records import Lane, Severity

ROOT = Path(__file__).parents[3]

DOCUMENTED = """{
  "timezone": "Europe/Berlin",
  "handlers": ["handlers", "mine"],
  "nightlyBatchSchedule": "0 23 * * *",
  "dailyHealthSchedule": "0 8 * * *",
  "digestNotificationChannel": "ops",
  "digestNotificationTarget": "C0123",
  "draftScoreThreshold": 1,
  "slowBatchAfter": "1m30s",
  "appUrl": "https://desk.example.org/",
  "scoring": {"topics": {"python": 2}, "weights": {"intent": 0.5}, "freshnessHalfLife": "12h"},
  "schedules": {"nightly-dump": {"command": ["pg_dump", "-Fc", "app"], "cron": "30 2 * * *",
    "timezone": "Europe/Berlin", "timeout": "20m", "maxAttempts": 3.0, "overlap": "queue",
    "catchUpWindow": "1d", "lane": "catch-up"}},
  "channels": {"ops": {"type": "slack", "url": "env:HOOK"},
    "all": {"type": "apprise", "urls": ["env:HOOK", "file:t"]}},
  "alerts": {"severityThreshold": "WARNING", "receivers": {"oncall": ["ops"]},
    "routes": [{"severities": ["critical"], "receiver": "oncall", "repeatInterval": "1h",
      "escalateAfter": "5m"}]},
  "queue": {"concurrency": 5},
  "reports": {"source": {"type": "files", "facts": "SELECT 1"}, "deadline": "07:30"},
  "llm": {"providers": [{"name": "main", "type": "openai", "baseUrl": "https://a.example/v1", "model": "m",
    "apiKey": "env:KEY"}]},
  "ledger": {"url": "env:DB"},
  "redis": {"url": "redis://127.0.0.1:6379/0", "checkInterval": "5s"},
  "http": {"port": 0, "token": "env:KEY"},
  "watchdog": {"hungAfter": "20s"},
  "network": {"allowPrivate": true}
}"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "t").write_text("from a file\n")
    path = tmp_path / "desk.json"
    path.write_text(DOCUMENTED)
    return path


ENVIRON = {"HOOK": "https://hooks.example/1", "KEY": "k", "DB": "postgresql://u:p@h/d"}


def test_every_section_of_the_documented_file_is_read(path: Path) -> None:
    config = load_config(path, ENVIRON)
    assert (config.path, config.folder) == (path, path.parent)
    assert config.timezone == "Europe/Berlin"
    assert config.handler_packages == ("handlers", "mine")
    assert config.builtin_crons == {"nightly-batch": "0 23 * * *", "daily-health": "0 8 * * *"}
    assert config.alerts.severity_threshold is Severity.WARNING
    assert config.alerts.receivers == {"oncall": ("ops",)}
    assert config.alerts.routes[0].escalate_after == timedelta(minutes=5)
    assert (config.queue.concurrency, config.queue.catch_up_concurrency) == (5, 4)
    assert config.reports is not None
    assert config.reports.deadline == "07:30"
    assert config.llm.providers[0].api_key == Secret("k")
    assert config.ledger.url == Secret("postgresql://u:p@h/d")
    assert config.redis is not None
    assert config.redis.check_interval == timedelta(seconds=5)
    assert (config.http.port, config.http.token) == (0, Secret("k"))
    assert config.watchdog.hung_after == timedelta(seconds=20)
    assert config.network.allow_private is True
    assert "ledger" in config.written
    assert "heartbeatSchedule" not in config.written


def test_a_file_that_a_channel_names_starts_at_the_configs_folder(tmp_path: Path) -> None:
    path = tmp_path / "desk.json"
    path.write_text(
        """{"channels": {"a": {"type": "smtp", "caFile": "ca.pem"},
                         "b": {"type": "smtp", "caFile": "/ca.pem"}}}"""
    )
    channels = load_config(path, {}).channels
    assert channels["a"].options == {"caFile": str(tmp_path / "ca.pem")}
    assert channels["b"].options == {"caFile": "/ca.pem"}


def test_alerts_are_grouped_and_explained_as_configured(tmp_path: Path) -> None:
    path = tmp_path / "desk.json"
    path.write_text(
        """{"alerts": {"groupWait": "10s", "receivers": {"a": ["log"]},
          "routes": [{"receiver": "a", "groupWait": "0s", "match": {"name": "task.*"}}, {"receiver": "a"}],
          "inhibitions": [{"source": "power.*", "targets": ["disk.*", "task.failed"], "equal": ["rack"]}]}}"""
    )
    alerts = load_config(path, {}).alerts
    assert (alerts.group_wait, load_config(None, {}).alerts.group_wait) == (
        timedelta(seconds=10),
        timedelta(seconds=5),
    )
    assert [it.group_wait for it in alerts.routes] == [timedelta(0), None]
    assert alerts.routes[0].match == {"name": "task.*"}
    (rule,) = alerts.inhibitions
    assert (rule.source, rule.targets, rule.equal) == ("power.*", ("disk.*", "task.failed"), ("rack",))


def test_a_schedule_entry_keeps_what_was_written_and_leaves_the_rest_open(path: Path) -> None:
    entry = load_config(path, ENVIRON).schedules["nightly-dump"]
    assert (entry.command, entry.handler) == (("pg_dump", "-Fc", "app"), None)
    assert (entry.timeout, entry.max_attempts) == (timedelta(minutes=20), 3)
    assert (entry.overlap, entry.catch_up, entry.catch_up_window) == ("queue", "newest", timedelta(days=1))
    assert (entry.lane, entry.enabled) == (Lane.CATCH_UP, True)


def test_the_digest_has_all_it_needs_in_one_section(path: Path) -> None:
    digest = load_config(path, ENVIRON).digest
    assert (digest.timezone, digest.channel, digest.target) == ("Europe/Berlin", "ops", "C0123")
    assert (digest.threshold, digest.slow_after) == (1.0, timedelta(seconds=90))
    assert digest.app_url == "https://desk.example.org"
    assert digest.scoring.topics == {"python": 2.0}
    assert (digest.scoring.weights.intent, digest.scoring.weights.relevance) == (0.5, 0.4)
    assert digest.scoring.freshness_half_life == timedelta(hours=12)
    assert "looking for" in digest.scoring.intent_phrases


def test_a_channel_has_its_secrets_fetched_wherever_they_stand(path: Path) -> None:
    channels = load_config(path, ENVIRON).channels
    assert channels["ops"].type == "slack"
    assert channels["ops"].options == {"url": Secret("https://hooks.example/1")}
    assert channels["all"].options == {"urls": [Secret("https://hooks.example/1"), Secret("from a file")]}
    assert channels["log"].type == "log"


def test_no_secret_shows_in_a_config_that_is_printed(path: Path) -> None:
    printed = repr(load_config(path, ENVIRON | {"KEY": "hunter2", "DB": "postgresql://u:hunter2@h/d"}))
    assert "hunter2" not in printed
    assert "hooks.example" not in printed


def test_a_config_cannot_be_changed(path: Path) -> None:
    config = load_config(path, ENVIRON)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.timezone = "UTC"  # type: ignore[misc]
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.queue.concurrency = 1


def test_without_a_file_everything_is_as_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(None, {})
    assert (config.path, config.folder, config.timezone) == (None, tmp_path, "UTC")
    assert config.handler_packages == ("handlers",)
    assert set(config.channels) == {"log"}
    assert (config.digest.channel, config.digest.threshold) == ("log", 0.75)
    assert config.ledger.url == "sqlite"
    assert config.written == frozenset()


def test_the_file_in_the_working_folder_is_taken_when_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orchestrator_config.json").write_text('{"timezone": "Asia/Tokyo"}')
    config = load_config(None, {})
    assert (config.path, config.folder, config.timezone) == (
        Path("orchestrator_config.json"),
        tmp_path,
        "Asia/Tokyo",
    )


def test_a_file_that_cannot_be_read_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "none.json", {})
    assert str(raised.value) == f'{tmp_path}/none.json: there is no such file; "nightdesk init" writes one'
    with pytest.raises(
        ConfigError, match=r"this is a folder; name the file in it, as in .*/orchestrator_config\.json"
    ):
        load_config(tmp_path, {})
    with pytest.raises(ConfigError, match="cannot be read: no possible path"):
        load_config(Path("a\0b"), {})


def test_the_shipped_file_loads_with_nothing_in_the_environment() -> None:
    config = load_config(ROOT / "orchestrator_config.json", {})
    assert config.builtin_crons == {
        "nightly-batch": "0 23 * * *",
        "send-digest": "0 6 * * *",
        "heartbeat": "*/5 * * * *",
    }


def test_reading_a_config_loads_no_library_it_does_not_need() -> None:
    program = (
        "import sys; from pathlib import Path; from daemon.config import load_config\n"
        "load_config(Path('orchestrator_config.json'), {})\n"
        "unwanted = {'aiohttp', 'asyncio', 'asyncpg', 'croniter', 'redis', 'jinja2'}\n"
        "print(*sorted(sys.modules.keys() & unwanted))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_whole_config_is_built_once_and_not_part_by_part() -> None:
    program = (
        "from daemon.config import load_config; from daemon.config.sections import Section\n"
        "load_config(None, {})\n"
        "print(*(part.__name__ for part in Section.__subclasses__() if part.__pydantic_complete__))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["ConfigFile"]


def test_every_key_has_a_description() -> None:
    bare = [
        f"{part.__name__}.{name}"
        for part in Section.__subclasses__()
        for name, field in part.model_fields.items()
        if not (field.description or "").endswith(".")
    ]
    assert bare == []

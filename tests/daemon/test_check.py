"""All that can be found wrong before anything is started, in one pass."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.check import Prepared, prepare
from daemon.config import ConfigError
from daemon.config.load import load_config
from daemon.engine.spec import CatchUp, Overlap, ScheduleSpec
from state.records import Lane

ROOT = Path(__file__).parents[2]

JOBS = """
from daemon.engine.handler import Done, handler
from state.records import Lane

@handler("nightly-batch", cron="0 23 * * *", section="digest", timeout="30m")
async def nightly_batch(ctx):
    return Done()

@handler("tidy-up", cron="30 3 * * *", lane=Lane.ALERTS, timeout="5m", max_attempts=7)
async def tidy_up(ctx):
    return Done()

@handler("on-demand")
async def on_demand(ctx):
    return Done()

@handler("command", max_attempts=1)
async def command(ctx):
    return Done()
"""
HOOK = {"HOOK": "https://hooks.slack.com/services/T/B/x"}


UNHEARD = "nobody is told of alerts"  # with the log as the only channel


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = list(sys.path)
    (tmp_path / "checked_jobs.py").write_text(JOBS)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("checked_jobs", None)


def prepared(
    folder: Path, written: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None
) -> Prepared:
    path = folder / "desk.json"
    if isinstance(written, str):
        path.write_text(written)
    else:
        path.write_text(json.dumps({"handlers": ["checked_jobs"], **written}))
    return prepare(path, environ or {})


def mistakes(
    folder: Path, written: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        prepared(folder, written, environ)
    return [str(problem).removeprefix(f"{folder}/desk.json:") for problem in raised.value.problems]


def warnings(folder: Path, written: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[str]:
    """What is warned of, but that nobody hears of alerts: most of these configs have no channel."""
    found = prepared(folder, written, environ).warnings
    told = [str(problem).removeprefix(f"{folder}/desk.json:") for problem in found]
    return [line for line in told if UNHEARD not in line]


def schedules(folder: Path, written: Mapping[str, Any]) -> dict[str, ScheduleSpec]:
    return {spec.name: spec for spec in prepared(folder, written).schedules}


def test_handlers_bring_their_own_schedules(folder: Path) -> None:
    specs = schedules(folder, {"timezone": "Europe/Berlin"})
    assert set(specs) == {"nightly-batch", "tidy-up"}
    spec = specs["tidy-up"]
    assert (spec.handler, spec.line.text, spec.line.timezone) == ("tidy-up", "30 3 * * *", "Europe/Berlin")
    assert (spec.lane, spec.timeout, spec.max_attempts) == (Lane.ALERTS, timedelta(minutes=5), 7)
    assert (spec.overlap, spec.catch_up, spec.catch_up_window) == (
        Overlap.SKIP,
        CatchUp.NEWEST,
        timedelta(hours=24),
    )


def test_a_key_at_the_top_sets_a_builtin_schedule_and_an_entry_overrides_it(folder: Path) -> None:
    written: dict[str, Any] = {"nightlyBatchSchedule": "0 21 * * *"}
    assert schedules(folder, written)["nightly-batch"].line.text == "0 21 * * *"
    written["schedules"] = {"nightly-batch": {"timeout": "1h"}}
    spec = schedules(folder, written)["nightly-batch"]
    assert (spec.line.text, spec.timeout) == ("0 21 * * *", timedelta(hours=1))
    written["schedules"] = {"nightly-batch": {"cron": "0 22 * * *"}}
    assert schedules(folder, written)["nightly-batch"].line.text == "0 22 * * *"


def test_an_entry_adds_a_schedule_of_a_handler(folder: Path) -> None:
    entry = {
        "handler": "on-demand",
        "args": {"folder": "x"},
        "cron": "@every 2s",
        "timezone": "Asia/Kolkata",
        "maxAttempts": 2,
        "overlap": "queue",
        "catchUp": "all",
        "catchUpWindow": "0s",
        "lane": "catch-up",
    }
    spec = schedules(folder, {"schedules": {"often": entry}})["often"]
    assert (spec.handler, spec.args, spec.line.timezone) == ("on-demand", {"folder": "x"}, "Asia/Kolkata")
    assert (spec.max_attempts, spec.overlap, spec.catch_up) == (2, Overlap.QUEUE, CatchUp.ALL)
    assert (spec.catch_up_window, spec.lane) == (timedelta(0), Lane.CATCH_UP)


def test_a_command_is_run_by_the_command_handler(folder: Path) -> None:
    entry = {"command": ["pg_dump", "-Fc", "app"], "cron": "30 2 * * *", "timeout": "20m"}
    spec = schedules(folder, {"schedules": {"nightly-dump": entry}})["nightly-dump"]
    assert (spec.handler, spec.args) == ("command", {"argv": ["pg_dump", "-Fc", "app"]})
    assert (spec.timeout, spec.max_attempts) == (timedelta(minutes=20), 1)
    assert spec.line.first_after(datetime(2026, 1, 1, tzinfo=UTC)).text == "2026-01-01T02:30:00"


def test_an_entry_that_is_not_enabled_fires_nothing(folder: Path) -> None:
    assert "tidy-up" not in schedules(folder, {"schedules": {"tidy-up": {"enabled": False}}})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            {"nightlyBatchSchedule": "0 25 * * *"},
            '1: nightlyBatchSchedule: "0 25 * * *" has hour 25; hours are 0-23',
        ),
        (
            {"schedules": {"a": {"handler": "tidy-upp", "cron": "@daily"}}},
            '1: schedules.a.handler: no handler is named "tidy-upp"; did you mean "tidy-up"?',
        ),
        (
            {"schedules": {"a": {"cron": "@daily"}}},
            "1: schedules.a: nothing to run: write a handler or a command;"
            " known: command, nightly-batch, on-demand, tidy-up",
        ),
        (
            {"schedules": {"a": {"handler": "on-demand"}}},
            '1: schedules.a.cron: no cron line says when; write one, as in "0 23 * * *"',
        ),
        (
            {"schedules": {"a": {"handler": "on-demand", "command": ["ls"], "cron": "@daily"}}},
            "1: schedules.a.command: a schedule has a handler or a command, not both; take one out",
        ),
        (
            {"schedules": {"a": {"command": ["ls"], "args": {"b": 1}, "cron": "@daily"}}},
            "1: schedules.a.args: args are for a handler; write a command's into its own list",
        ),
        (
            {"http": {"host": "0.0.0.0"}},
            '1: http.host: "0.0.0.0" is reached from the network, so http.token is needed;'
            " or listen on 127.0.0.1",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(folder: Path, written: dict[str, Any], expected: str) -> None:
    assert mistakes(folder, written, {**HOOK, "PLAIN": "http://hooks.example"}) == [expected]


def test_the_mistakes_of_every_part_are_told_together(folder: Path) -> None:
    text = """{
      "handlers": ["checked_jobs",
                   "no_such_jobs"],
      "timezon": "UTC",
      "nightlyBatchSchedule": "61 23 * * *",
      "schedules": {
        "dump": {"command": ["pg_dump"], "crn": "30 2 * * *"},
        "often": {"handler": "on-demnd",
                  "cron": "0 0 31 2 *",
                  "timeout": "20"}
      },
      "channels": {"ops": {"type": "slack",
                           "url": "env:NOT_THERE"},
                   "odd": {"type": "pigeon"}},
      "digestNotificationChannel": "opps",
      "draftScoreThreshold": 2
    }"""
    told = mistakes(folder, text, {"ALERTS_ENABLED": "maybe"})
    assert [line.split(": ")[:2] for line in told] == [
        ["3", "handlers[1]"],
        ["4", "timezon"],
        ["5", "nightlyBatchSchedule"],
        ["7", "schedules.dump.crn"],
        ["8", "schedules.often.handler"],
        ["9", "schedules.often.cron"],
        ["10", "schedules.often.timeout"],
        ["13", "channels.ops.url"],
        ["14", "channels.odd.type"],
        ["15", "digestNotificationChannel"],
        ["16", "draftScoreThreshold"],
        ["environment", "ALERTS_ENABLED"],
    ]


def test_what_follows_from_a_mistake_is_not_told_as_another(folder: Path) -> None:
    written = {
        "channels": {"ops": {"type": "slack", "url": "env:NOT_THERE"}},
        "digestNotificationChannel": "ops",
        "alerts": {"receivers": {"a": ["ops"]}, "routes": [{"receiver": "a"}]},
        "schedules": {"a": {"handler": 5, "cron": 6}},
        "http": {"host": "0.0.0.0", "token": "env:NOT_THERE"},
    }
    assert [line.split(": ")[1] for line in mistakes(folder, written)] == [
        "schedules.a.handler",
        "schedules.a.cron",
        "http.token",
        "channels.ops.url",
    ]


def test_a_bad_line_that_a_handler_brings_is_told_by_the_handler(folder: Path) -> None:
    (folder / "checked_jobs.py").write_text(JOBS.replace("30 3 * * *", "30 30 * * *"))
    assert mistakes(folder, {}) == [
        '1: handlers: the handler "tidy-up": "30 30 * * *" has hour 30; hours are 0-23'
    ]


def test_a_handler_cannot_ask_for_a_section_that_is_not_there(folder: Path) -> None:
    (folder / "checked_jobs.py").write_text(JOBS.replace('section="digest"', 'section="digests"'))
    assert mistakes(folder, {}) == [
        '1: handlers: the handler "nightly-batch" asks for the section "digests"; did you mean "digest"?'
    ]


def test_every_section_a_handler_may_ask_for_is_part_of_the_config(folder: Path) -> None:
    from daemon.check import SECTIONS

    (folder / "empty.json").write_text("{}")
    config = load_config(folder / "empty.json", {})
    assert all(hasattr(config, section) for section in SECTIONS)


def test_a_command_without_its_handler_says_which_package_has_it(folder: Path) -> None:
    (folder / "checked_jobs.py").write_text(JOBS.split('@handler("command"')[0])
    assert mistakes(folder, {"schedules": {"a": {"command": ["ls"], "cron": "@daily"}}}) == [
        '1: schedules.a.command: commands are run by the handler "command";'
        ' add "handlers" to the key handlers'
    ]


def test_the_shipped_config_is_fit_to_start_and_says_only_that_nobody_hears_of_alerts_yet() -> None:
    found = prepare(ROOT / "orchestrator_config.json", {})
    assert [UNHEARD in warning.text for warning in found.warnings] == [True]
    assert {spec.name for spec in found.schedules} == {"nightly-batch", "send-digest", "heartbeat"}
    assert set(found.channels) == {"log"}


def test_an_unknown_handler_is_not_told_of_when_the_packages_could_not_be_read(folder: Path) -> None:
    written = {"schedules": {"a": {"handler": "mine", "cron": "@daily"}}}
    assert mistakes(folder, {**written, "handlers": "mine"}) == [
        "1: handlers: this is text; a list in brackets is wanted"
    ]


def test_a_schedule_without_its_handler_is_warned_of(folder: Path) -> None:
    assert warnings(folder, {"dailyReportSchedule": "0 5 * * *"}) == [
        '1: dailyReportSchedule: no package brings the handler "daily-reports", so this never fires'
    ]


def test_what_this_version_does_not_serve_is_never_passed_over_in_silence(folder: Path) -> None:
    written = {
        "reports": {},
        "llm": {"providers": []},
        "redis": {"url": "redis://h"},
        "http": {"port": 0},
        "ledger": {"url": "postgresql://h/d"},
    }
    told = warnings(folder, written)
    unserved = [line for line in told if "not served by this version" in line]
    assert unserved == []
    assert warnings(folder, {"ledger": {"url": "sqlite"}}) == []
    [told] = warnings(folder, {"watchdog": {"pingUrl": "env:DEADMAN"}}, {"DEADMAN": "https://ping.example/x"})
    assert "watchdog.pingUrl: not served by this version" in told
    assert any("reports.fanout" in line for line in warnings(folder, {"reports": {"fanout": "docket"}}))
    assert not any("fanout" in line for line in warnings(folder, {"reports": {"fanout": "local"}}))


def test_a_deadline_comes_from_the_entry_or_else_from_the_handler(folder: Path) -> None:
    jobs = JOBS.replace('timeout="30m"', 'timeout="30m", deadline="90m"')
    (folder / "checked_jobs.py").write_text(jobs)
    specs = schedules(folder, {"schedules": {"tidy-up": {"deadline": "15m"}}})
    assert specs["nightly-batch"].deadline == timedelta(minutes=90)
    assert specs["tidy-up"].deadline == timedelta(minutes=15)
    specs = schedules(folder, {"schedules": {"nightly-batch": {"deadline": "3h"}}})
    assert (specs["nightly-batch"].deadline, specs["tidy-up"].deadline) == (timedelta(hours=3), None)


def test_a_deadline_of_no_time_at_all_is_refused(folder: Path) -> None:
    assert mistakes(folder, {"schedules": {"tidy-up": {"deadline": "0s"}}}) == [
        '1: schedules.tidy-up.deadline: "0s" is no time at all; write a longer duration'
    ]


def test_our_own_jobs_of_the_night_have_an_hour() -> None:
    specs = {it.name: it.deadline for it in prepare(ROOT / "orchestrator_config.json", {}).schedules}
    an_hour = timedelta(hours=1)
    assert specs == {"nightly-batch": an_hour, "send-digest": an_hour, "heartbeat": None}


def test_variables_of_later_versions_are_warned_of_by_name(folder: Path) -> None:
    environ = {
        "DATABASE_URL": "postgresql://h/d",
        "REDIS_URL": "redis://h",
        "NIGHTDESK_TOKEN": "t",
    }
    told = warnings(folder, {}, environ)
    assert {line.split(": ")[1] for line in told} == {"NIGHTDESK_TOKEN"}
    assert {line.split(": ")[0] for line in told} == {"environment"}


def test_nothing_is_written_and_no_channel_library_loaded_by_a_check_of_the_default(folder: Path) -> None:
    (folder / "desk.json").write_text('{"handlers": ["checked_jobs"]}')
    before = sorted(path.name for path in folder.iterdir())
    program = (
        "import sys; from pathlib import Path; from daemon.check import prepare\n"
        "prepare(Path(sys.argv[1]), {})\n"
        "print(*sorted(sys.modules.keys() & {'aiohttp', 'asyncpg', 'redis'}))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(folder / "desk.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
    assert sorted(path.name for path in folder.iterdir()) == before


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["env:HOOK", "0 1 * * *", "@every 1s", "slack", "log", "tidy-up", "UTC", "1h"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=8)
            | st.sampled_from(["type", "url", "cron", "handler", "command", "receiver", "tidy-up"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KEYS = [
    "schedules",
    "channels",
    "alerts",
    "nightlyBatchSchedule",
    "digestNotificationChannel",
    "http",
    "network",
]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*KEYS, "digestNotificationTarget", "timezone"]), JSON, max_size=5))
def test_a_config_of_anything_is_prepared_or_refused_with_every_reason(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("config")
    path = folder / "desk.json"
    path.write_text(json.dumps({**written, "handlers": ["json"]}))
    import_path = list(sys.path)
    with pytest.raises(ConfigError) as raised:  # the standard library brings no handlers
        prepare(path, HOOK)
    sys.path[:] = import_path
    assert any('"json" has no handlers' in problem.text for problem in raised.value.problems)

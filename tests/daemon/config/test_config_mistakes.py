"""What an operator can get wrong in the config, and the very words he is told."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config import ConfigError, load_config

A_SPAN = 'write a number and a unit, as in "30s", "10m", "2h", "1d"'
A_NAME = (
    "cannot be a name; a name has up to 100 letters, digits, dots, dashes and underscores,"
    " and begins with a letter or digit"
)
A_SECRET = 'a secret is never in the file; write "env:NAME" or "file:PATH"'
MISSING = "this key is missing, and nothing can stand in for it"

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"timezon": "UTC"}', '1: timezon: unknown key; did you mean "timezone"?'),
        ('{"draft_score_threshold": 1}', '1: draft_score_threshold: unknown key; did you mean "draftScoreThreshold"?'),
        ('{"NIGHTLYBATCHSCHEDULE": "x"}', '1: NIGHTLYBATCHSCHEDULE: unknown key; did you mean "nightlyBatchSchedule"?'),
        ('{"network": {"qqq": 1}}', "1: network.qqq: unknown key; known: allowPrivate"),
        (
            '{"alerts": {"routes": [{"receiver": "a"},\n{"receiver": "a", "repeat": "1h"}]}}',
            '2: alerts.routes[1].repeat: unknown key; did you mean "repeatInterval"?',
        ),
        (
            '{"scoring": {"weights": {"fresh": 1}}}',
            '1: scoring.weights.fresh: unknown key; did you mean "freshness"?',
        ),
        ('{"schedules": {"a": {"crn": "x"}}}', '1: schedules.a.crn: unknown key; did you mean "cron"?'),
        ('{"x\\u001b[2J": 1}', None),
        ("[]", "1: the file holds a list; an object in braces is wanted"),
        ("null", "1: the file holds null; an object in braces is wanted"),
        ('{"timezone": "Berlin"}', '1: timezone: "Berlin" is no time zone; did you mean "Europe/Berlin"?'),
        ('{"timezone": "europe/berlin"}', '1: timezone: "europe/berlin" is no time zone; did you mean "Europe/Berlin"?'),
        (
            '{"timezone": "Nowhere"}',
            '1: timezone: "Nowhere" is no time zone; write one as in "Europe/Berlin", or "UTC"',
        ),
        (
            '{"timezone": "../../etc/passwd"}',
            '1: timezone: "../../etc/passwd" is no time zone; write one as in "Europe/Berlin", or "UTC"',
        ),
        ('{"timezone": 1}', "1: timezone: 1 is a number; text in quotes is wanted"),
        ('{"timezone": null}', "1: timezone: this is null; text in quotes is wanted"),
        ('{"handlers": "handlers"}', "1: handlers: this is text; a list in brackets is wanted"),
        ('{"handlers": [\n1]}', "2: handlers[0]: 1 is a number; text in quotes is wanted"),
        ('{"handlers": [" "]}', "1: handlers[0]: this text is empty; write something, or leave the key out"),
        (
            '{"draftScoreThreshold": "0.75"}',
            '1: draftScoreThreshold: "0.75" is text; a number is wanted, without quotes',
        ),
        ('{"draftScoreThreshold": true}', "1: draftScoreThreshold: this is true; a number is wanted"),
        ('{"draftScoreThreshold": 75}', "1: draftScoreThreshold: 75 is out of range; a number from 0 to 1 is wanted"),
        ('{"draftScoreThreshold": []}', "1: draftScoreThreshold: this is a list; a number is wanted"),
        ('{"slowBatchAfter": 30}', f"1: slowBatchAfter: 30 has no unit; {A_SPAN}"),
        ('{"slowBatchAfter": "half an hour"}', f'1: slowBatchAfter: "half an hour" is no duration; {A_SPAN}'),
        ('{"slowBatchAfter": "4000d"}', '1: slowBatchAfter: "4000d" is too long; 3660 days are the most'),
        ('{"appUrl": "desk"}', '1: appUrl: "desk" is no web address; write one as in https://desk.example.org'),
        ('{"appUrl": "https://me:pw@desk"}', "1: appUrl: this address holds a name or password; take it out"),
        ('{"nightlyBatchSchedule": 23}', "1: nightlyBatchSchedule: 23 is a number; text in quotes is wanted"),
        ('{"schedules": []}', "1: schedules: this is a list; an object in braces is wanted"),
        ('{"schedules": {"a b": {}}}', f'1: schedules."a b": "a b" {A_NAME}'),
        ('{"schedules": {"a": "0 1 * * *"}}', "1: schedules.a: this is text; an object in braces is wanted"),
        ('{"schedules": {"a": {"command": "ls -l"}}}', "1: schedules.a.command: this is text; a list in brackets is wanted"),
        ('{"schedules": {"a": {"command": []}}}', "1: schedules.a.command: this list is empty; write at least one"),
        ('{"schedules": {"a": {"timeout": "0s"}}}', '1: schedules.a.timeout: "0s" is no time at all; write a longer duration'),
        (
            '{"schedules": {"a": {"maxAttempts": 2.5}}}',
            "1: schedules.a.maxAttempts: 2.5 is a number; a whole number is wanted",
        ),
        (
            '{"schedules": {"a": {"maxAttempts": 0}}}',
            "1: schedules.a.maxAttempts: 0 is out of range; a whole number from 1 to 100 is wanted",
        ),
        (
            '{"schedules": {"a": {"overlap": "wait"}}}',
            '1: schedules.a.overlap: "wait" is not known here; write one of skip, queue, allow, cancel',
        ),
        (
            '{"schedules": {"a": {"lane": "fast"}}}',
            '1: schedules.a.lane: "fast" is not known here; write one of alerts, catch-up, normal',
        ),
        (
            '{"schedules": {"a": {"enabled": "no"}}}',
            '1: schedules.a.enabled: "no" is text; true or false is wanted, without quotes',
        ),
        (
            '{"queue": {"concurrency": 2000}}',
            "1: queue.concurrency: 2000 is out of range; a whole number from 1 to 1,000 is wanted",
        ),
        (
            '{"queue": {"maxWaiting": 1e30}}',
            "1: queue.maxWaiting: a number that large is out of range; a whole number from 1 to 100,000,000 is wanted",
        ),
        (
            '{"scoring": {"weights": {"intent": -1}}}',
            "1: scoring.weights.intent: -1 is out of range; a number from 0 to 1,000,000 is wanted",
        ),
        ('{"channels": {"a": {"url": "env:HOOK"}}}', '1: channels.a.type: a channel needs a type; write as in "type": "slack"'),
        (
            '{"channels": {"a": {"type": 5}}}',
            '1: channels.a.type: this is a number, not the name of a type; write as in "type": "slack"',
        ),
        ('{"channels": {"a": "slack"}}', "1: channels.a: this is text; an object in braces is wanted"),
        (
            '{"channels": {"a": {"type": "slack",\n"url": "env:HOOK"}}}',
            "2: channels.a.url: the environment variable HOOK is not set; set it where the daemon is started",
        ),
        (
            '{"channels": {"a": {"type": "apprise", "urls": ["env:a b"]}}}',
            '1: channels.a.urls[0]: "a b" cannot be the name of an environment variable; write env:NAME',
        ),
        (
            '{"alerts": {"severityThreshold": "loud"}}',
            '1: alerts.severityThreshold: "loud" is no severity; known: info, warning, error, critical',
        ),
        ('{"alerts": {"routes": [{}]}}', f"1: alerts.routes[0].receiver: {MISSING}"),
        ('{"http": {"port": 65536}}', "1: http.port: 65536 is out of range; a whole number from 0 to 65,535 is wanted"),
        ('{"http": {"token": "hunter2"}}', f"1: http.token: {A_SECRET}"),
        ('{"http": {"token": 12345}}', f"1: http.token: {A_SECRET}"),
        ('{"watchdog": {"pingUrl": "https://ping/hunter2"}}', f"1: watchdog.pingUrl: {A_SECRET}"),
        ('{"redis": {}}', f"1: redis.url: {MISSING}"),
        (
            '{"redis": {"url": "redis://:hunter2@h/0"}}',
            f"1: redis.url: this address holds a password; {A_SECRET}",
        ),
        ('{"redis": {"url": "localhost"}}', "1: redis.url: this is no address; write one as in scheme://host:port/name"),
        ('{"redis": {"url": "http://h"}}', "1: redis.url: a Redis address begins with redis://, rediss:// or unix://"),
        (
            '{"ledger": {"url": "mysql://h"}}',
            '1: ledger.url: a ledger is "sqlite", or an address that begins with postgresql://',
        ),
        ('{"ledger": {"url": 5}}', '1: ledger.url: an address is wanted, as text in quotes, or "env:NAME"'),
        ('{"llm": {"providers": [{"name": "a", "type": "openai", "baseUrl": "https://a"}]}}', f"1: llm.providers[0].model: {MISSING}"),
        (
            '{"reports": {"source": {"type": "excel", "facts": "x"}}}',
            '1: reports.source.type: "excel" is not known here; write one of files, sqlite, postgres, http',
        ),
        ('{"reports": {"deadline": "7:00"}}', '1: reports.deadline: "7:00" is no time of day; write hours and minutes, as in "07:00"'),
        ('{"network": {"allowPrivate": 1}}', "1: network.allowPrivate: 1 is a number; true or false is wanted"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_key_and_what_was_meant(
    tmp_path: Path, text: str, expected: str | None
) -> None:
    if expected is None:  # an escape sequence in a key reaches no terminal
        (told,) = mistakes(tmp_path, text)
        assert told.startswith('1: "x\N{REPLACEMENT CHARACTER}[2J": unknown key; known: ')
    else:
        assert mistakes(tmp_path, text) == [expected]


def test_all_mistakes_are_told_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """{
      "timezone": "UTC+1",
      "nightlyBatchSchedul": "0 23 * * *",
      // when the team wakes up
      "schedules": {
        "dump": {"command": ["pg_dump"], "timeout": 20,
                 "retries": 3}
      },
      "draftScoreThreshold": "high",
      "http": {"token": "env:NOT_THERE"},
    }"""
    told = mistakes(tmp_path, text, {"ALERTS_ENABLED": "perhaps", "REDIS_URL": "nowhere"})
    assert [line.split(": ")[:2] for line in told] == [
        ["2", "timezone"],
        ["3", "nightlyBatchSchedul"],
        ["4", "JSON has no comments; take this one out"],
        ["6", "schedules.dump.timeout"],
        ["7", "schedules.dump.retries"],
        ["9", "draftScoreThreshold"],
        ["10", 'the comma before "}" is one too many'],
        ["10", "http.token"],
        ["environment", "ALERTS_ENABLED"],
        ["environment", "REDIS_URL"],
    ]


def test_a_misspelt_key_is_not_missing_as_well(tmp_path: Path) -> None:
    told = mistakes(tmp_path, '{"alerts": {"routes": [{"reciever": "a"}]}}')
    assert told == ['1: alerts.routes[0].reciever: unknown key; did you mean "receiver"?']


def test_a_mistake_takes_its_file_name_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text('{\n"a": 1}')
    with pytest.raises(ConfigError, match=r"^mine\.json:2: a: unknown key; known: ") as raised:
        load_config(Path("mine.json"), {})
    problem = raised.value.problems[0]
    assert (problem.file, problem.line, problem.key) == ("mine.json", 2, "a")


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
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["env:HOOK", "env:", "file:", "file:/dev/zero", "UTC", "1h", "sqlite", "slack", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=8) | st.sampled_from([*WHOLE, "type", "url", "cron", "[key]", "receiver", "name"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


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

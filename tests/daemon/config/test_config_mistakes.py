"""What an operator can get wrong in the config, and the very words he is told."""

from pathlib import Path

import pytest

from daemon.config import ConfigError, load_config

A_SPAN = 'write a number and a unit, as in "30s", "10m", "2h", "1d"'
A_NAME = (
    "cannot be a name; a name has up to 100 letters, digits, dots, dashes and underscores,"
    " and begins with a letter or digit"
)
A_SECRET = 'a secret is never in the file; write "env:NAME" or "file:PATH"'
MISSING = "this key is missing, and nothing can stand in for it"


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
        (
            '{"draft_score_threshold": 1}',
            '1: draft_score_threshold: unknown key; did you mean "draftScoreThreshold"?',
        ),
        (
            '{"NIGHTLYBATCHSCHEDULE": "x"}',
            '1: NIGHTLYBATCHSCHEDULE: unknown key; did you mean "nightlyBatchSchedule"?',
        ),
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
        (
            '{"timezone": "europe/berlin"}',
            '1: timezone: "europe/berlin" is no time zone; did you mean "Europe/Berlin"?',
        ),
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
        (
            '{"draftScoreThreshold": 75}',
            "1: draftScoreThreshold: 75 is out of range; a number from 0 to 1 is wanted",
        ),
        ('{"draftScoreThreshold": []}', "1: draftScoreThreshold: this is a list; a number is wanted"),
        ('{"slowBatchAfter": 30}', f"1: slowBatchAfter: 30 has no unit; {A_SPAN}"),
        ('{"slowBatchAfter": "half an hour"}', f'1: slowBatchAfter: "half an hour" is no duration; {A_SPAN}'),
        ('{"slowBatchAfter": "4000d"}', '1: slowBatchAfter: "4000d" is too long; 3660 days are the most'),
        (
            '{"appUrl": "desk"}',
            '1: appUrl: "desk" is no web address; write one as in https://desk.example.org',
        ),
        ('{"appUrl": "https://me:pw@desk"}', "1: appUrl: this address holds a name or password; take it out"),
        ('{"nightlyBatchSchedule": 23}', "1: nightlyBatchSchedule: 23 is a number; text in quotes is wanted"),
        ('{"schedules": []}', "1: schedules: this is a list; an object in braces is wanted"),
        ('{"schedules": {"a b": {}}}', f'1: schedules."a b": "a b" {A_NAME}'),
        ('{"schedules": {"a": "0 1 * * *"}}', "1: schedules.a: this is text; an object in braces is wanted"),
        (
            '{"schedules": {"a": {"command": "ls -l"}}}',
            "1: schedules.a.command: this is text; a list in brackets is wanted",
        ),
        (
            '{"schedules": {"a": {"command": []}}}',
            "1: schedules.a.command: this list is empty; write at least one",
        ),
        (
            '{"schedules": {"a": {"timeout": "0s"}}}',
            '1: schedules.a.timeout: "0s" is no time at all; write a longer duration',
        ),
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
            "1: queue.maxWaiting: a number that large is out of range;"
            " a whole number from 1 to 100,000,000 is wanted",
        ),
        (
            '{"scoring": {"weights": {"intent": -1}}}',
            "1: scoring.weights.intent: -1 is out of range; a number from 0 to 1,000,000 is wanted",
        ),
        (
            '{"channels": {"a": {"url": "env:HOOK"}}}',
            '1: channels.a.type: a channel needs a type; write as in "type": "slack"',
        ),
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
        (
            '{"http": {"port": 65536}}',
            "1: http.port: 65536 is out of range; a whole number from 0 to 65,535 is wanted",
        ),
        ('{"http": {"token": "hunter2"}}', f"1: http.token: {A_SECRET}"),
        ('{"http": {"token": 12345}}', f"1: http.token: {A_SECRET}"),
        ('{"watchdog": {"pingUrl": "https://ping/hunter2"}}', f"1: watchdog.pingUrl: {A_SECRET}"),
        ('{"redis": {}}', f"1: redis.url: {MISSING}"),
        (
            '{"redis": {"url": "redis://:hunter2@h/0"}}',
            f"1: redis.url: this address holds a password; {A_SECRET}",
        ),
        (
            '{"redis": {"url": "localhost"}}',
            "1: redis.url: this is no address; write one as in scheme://host:port/name",
        ),
        (
            '{"redis": {"url": "http://h"}}',
            "1: redis.url: a Redis address begins with redis://, rediss:// or unix://",
        ),
        (
            '{"ledger": {"url": "mysql://h"}}',
            '1: ledger.url: a ledger is "sqlite", or an address that begins with postgresql://',
        ),
        ('{"ledger": {"url": 5}}', '1: ledger.url: an address is wanted, as text in quotes, or "env:NAME"'),
        (
            '{"llm": {"providers": [{"name": "a", "type": "openai", "baseUrl": "https://a"}]}}',
            f"1: llm.providers[0].model: {MISSING}",
        ),
        (
            '{"reports": {"source": {"type": "excel", "facts": "x"}}}',
            '1: reports.source.type: "excel" is not known here; write one of files, sqlite, postgres, http',
        ),
        (
            '{"reports": {"deadline": "7:00"}}',
            '1: reports.deadline: "7:00" is no time of day; write hours and minutes, as in "07:00"',
        ),
        (
            '{"network": {"allowPrivate": 1}}',
            "1: network.allowPrivate: 1 is a number; true or false is wanted",
        ),
    ],
)
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

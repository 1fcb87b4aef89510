"""What is said of the section `http` before anything is served by it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.check import prepare
from daemon.config import ConfigError

HASH = "sha256:" + "ab" * 32
LONG = "a-token-that-is-long-enough"
ENTRY = {"name": "grafana", "hash": HASH}


def checked(folder: Path, http: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The mistakes and the warnings."""
    path = folder / "orchestrator_config.json"
    path.write_text(json.dumps({"http": http}))
    try:
        prepared = prepare(path, environ)
    except ConfigError as error:
        return [str(it).partition(": ")[2] for it in error.problems], []
    said = [str(it).partition(": ")[2] for it in prepared.warnings]
    return [], [it for it in said if it.startswith("http")]


@pytest.mark.parametrize(
    "http",
    [
        {},
        {"host": "localhost"},
        {"host": "::1"},
        {"host": "0.0.0.0", "token": "env:LONG"},
        {"host": "0.0.0.0", "readToken": "env:LONG"},
        {"host": "desk.example.org", "tokens": [ENTRY]},
        {"tokens": [ENTRY, {"name": "deploy", "scope": "operate", "token": "env:LONG"}]},
        {"hosts": ["Desk.example.org"], "maxConnections": 10, "maxStreams": 10},
    ],
    ids=str,
)
def test_what_can_be_served_is_let_pass(tmp_path: Path, http: dict[str, Any]) -> None:
    assert checked(tmp_path, http, {"LONG": LONG}) == ([], [])


@pytest.mark.parametrize(
    ("http", "told"),
    [
        ({"host": "0.0.0.0"}, "is reached from the network, so http.token is needed"),
        ({"host": "::"}, "is reached from the network"),
        ({"tokens": [{"name": "a"}]}, "a token has either a hash or a token, and neither is here"),
        ({"tokens": [{**ENTRY, "token": "env:LONG"}]}, "both are here"),
        ({"tokens": [ENTRY, ENTRY]}, 'http.tokens[1].name: "grafana" names two tokens'),
        ({"tokens": [{"name": "a b", "hash": HASH}]}, '"a b" cannot be a name'),
        ({"tokens": [{"name": "a", "hash": "hunter2hunter2"}]}, "this is no hash of a token"),
        ({"tokens": [{"name": "a", "token": "hunter2hunter2"}]}, "a secret is never in the file"),
        ({"tokens": [{**ENTRY, "scope": "admin"}]}, "scope"),
        ({"hosts": ["http://desk.example.org"]}, "is no name of a host"),
        ({"hosts": ["desk.example.org:8780"]}, "is no name of a host"),
        ({"maxConnections": 1}, "http.maxConnections"),
    ],
    ids=str,
)
def test_what_cannot_be_served_is_a_mistake(tmp_path: Path, http: dict[str, Any], told: str) -> None:
    mistakes, _ = checked(tmp_path, http, {"LONG": LONG})
    assert len(mistakes) == 1
    assert told in mistakes[0]
    assert "hunter2" not in mistakes[0]


@pytest.mark.parametrize(
    "http",
    [
        {"token": "env:SHORT"},
        {"readToken": "env:SHORT"},
        {"tokens": [{"name": "a", "token": "env:SHORT"}]},
    ],
    ids=str,
)
def test_a_token_that_can_be_guessed_is_warned_of(tmp_path: Path, http: dict[str, Any]) -> None:
    mistakes, (warned,) = checked(tmp_path, http, {"SHORT": "hunter2"})
    assert mistakes == []
    assert "can be guessed; `nightdesk token new` makes one" in warned
    assert "hunter2" not in warned

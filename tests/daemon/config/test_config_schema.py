"""The config written out for editors and for people."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import load_config
from daemon.config.schema import config_in_force, duration_text, json_schema, schema_text, starter_text
from daemon.durations import parse_duration

ROOT = Path(__file__).parents[3]


def test_the_schema_beside_the_shipped_config_is_the_one_the_code_makes() -> None:
    assert (ROOT / "orchestrator_config.schema.json").read_text() == schema_text()


def test_the_shipped_config_is_the_one_that_init_writes() -> None:
    assert (ROOT / "orchestrator_config.json").read_text() == starter_text()


def test_the_schema_knows_every_key_of_the_starter_and_refuses_others() -> None:
    schema = json_schema()
    assert set(json.loads(starter_text())) <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    parts = [part for part in schema["$defs"].values() if "properties" in part]
    assert all(part["additionalProperties"] is False for part in parts)


def test_the_schema_describes_every_key_and_writes_defaults_as_the_file_does() -> None:
    schema = json_schema()
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    bare = [
        name
        for part in parts
        for name, key in part["properties"].items()
        if "description" not in key and "description" not in schema["$defs"][key["$ref"].rsplit("/", 1)[-1]]
    ]
    assert bare == []
    assert schema["$defs"]["Route"]["properties"]["repeatInterval"]["default"] == "1h"
    assert "env:" in json.dumps(schema["$defs"]["HttpSection"]["properties"]["token"])


def test_what_is_in_force_hides_secrets_and_reads_like_the_file(tmp_path: Path) -> None:
    path = tmp_path / "desk.json"
    path.write_text(
        '{"heartbeatSchedule": "@every 5m", "schedules": {"a": {"command": ["ls"], "timeout": "90s"}},'
        ' "channels": {"ops": {"type": "slack", "url": "env:HOOK"}}, "http": {"token": "env:HOOK"}}'
    )
    shown = config_in_force(
        load_config(path, {"HOOK": "https://hunter2.example", "REDIS_URL": "redis://:hunter2@h"})
    )
    assert "hunter2" not in json.dumps(shown)
    assert shown["heartbeatSchedule"] == "@every 5m"
    assert "nightlyBatchSchedule" not in shown
    assert shown["schedules"]["a"]["timeout"] == "1m30s"
    assert shown["channels"]["ops"] == {"type": "slack", "url": "***"}
    assert (shown["http"]["token"], shown["redis"]["url"]) == ("***", "***")
    assert shown["queue"]["maxWaiting"] == 1_000_000


def test_what_is_in_force_without_secrets_can_be_loaded_again_and_is_the_same(tmp_path: Path) -> None:
    first = config_in_force(load_config(ROOT / "orchestrator_config.json", {}))
    again = tmp_path / "again.json"
    again.write_text(json.dumps(first))
    assert config_in_force(load_config(again, {})) == first


@given(st.integers(0, 10**10))
def test_a_duration_is_written_so_that_it_reads_back(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert parse_duration(duration_text(span)) == span


@pytest.mark.parametrize(
    ("text", "written"), [("48h", "2d"), ("90m", "1h30m"), ("1500ms", "1s500ms"), ("0s", "0s")]
)
def test_a_duration_is_written_in_its_largest_units(text: str, written: str) -> None:
    assert duration_text(parse_duration(text)) == written

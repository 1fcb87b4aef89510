"""The section of the ladder in the config: what is taken, and what is refused in the operator's words."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config
from daemon.config.problems import ConfigError
from daemon.config.reporting import LlmSection

PROVIDER = {
    "name": "main", "type": "openai", "baseUrl": "https://a.example/v1/", "model": "m", "apiKey": "env:KEY",
}  # fmt: skip


def loaded(folder: Path, *providers: dict[str, Any], **more: Any) -> LlmSection:
    path = folder / "orchestrator_config.json"
    path.write_text(json.dumps({"llm": {"providers": providers, **more}}))
    return load_config(path, {"KEY": "hunter2"}).llm


def test_every_option_has_a_default_and_can_be_set(tmp_path: Path) -> None:
    more = {
        "timeout": "90s",
        "maxOutput": 500,
        "maxInput": 9000,
        "concurrency": 2,
        "priceIn": 2.5,
        "priceOut": 10,
    }
    plain, full = loaded(
        tmp_path, PROVIDER, {**PROVIDER, "name": "b", **more}, deliveryReserve="2m", dailyBudget=20
    ).providers
    assert (plain.timeout, plain.max_output, plain.price_in) == (timedelta(seconds=60), 2048, 0)
    assert plain.base_url == "https://a.example/v1"
    assert (full.timeout, full.max_output, full.max_input) == (timedelta(seconds=90), 500, 9000)
    assert (full.concurrency, full.price_in, full.price_out) == (2, 2.5, 10.0)
    assert "hunter2" not in repr(plain)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "template"}, 'no provider may be named "template"'),
        ({"name": "main"}, 'two providers are named "main"'),
        ({"type": "llama"}, "is not known here; write one of openai, anthropic"),
        ({"apiKey": "sk-hunter2"}, 'a secret is never in the file; write "env:NAME" or "file:PATH"'),
        ({"priceIn": -1}, "-1 is out of range"),
        ({"priceOut": "cheap"}, "a number is wanted"),
        ({"concurrency": 21}, "21 is out of range; a whole number from 1 to 20 is wanted"),
        ({"maxOuput": 5}, 'unknown key; did you mean "maxOutput"?'),
        ({"timeout": 60}, "60 has no unit"),
    ],
    ids=lambda it: next(iter(it)) if isinstance(it, dict) else "",
)
def test_a_mistake_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, PROVIDER, {**PROVIDER, "name": "b", **change})
    (problem,) = caught.value.problems
    assert told in str(problem)
    assert "llm.providers" in str(problem)
    assert "hunter2" not in str(problem)

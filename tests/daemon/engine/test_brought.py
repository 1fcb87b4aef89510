"""Parts that handler packages bring along: found by their tables, and told of where a table is wrong."""

import sys
from types import ModuleType
from typing import Any

import pytest

from daemon.engine.brought import load_parts
from handlers.llm.probing import Probing


def test_our_own_package_brings_the_probing_of_providers() -> None:
    assert load_parts(["handlers"]) == ({"llm-probing": Probing}, [])


def test_a_package_without_a_table_brings_nothing() -> None:
    assert load_parts(["json", "nowhere"]) == ({}, [])


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (["a"], '"mine" has a list for PARTS; write PARTS = {"name": "module:maker"}'),
        (
            {"a": "nowhere.at_all:Part"},
            '"a" in PARTS of "mine" is "nowhere.at_all:Part", which cannot be had',
        ),
        ({"a": "json:Part"}, "AttributeError"),
        ({"a": 3}, '"a" in PARTS of "mine" is "3", which cannot be had'),
    ],
    ids=["no table", "no module", "no attribute", "no text"],
)
def test_a_wrong_table_is_told_with_its_package(
    table: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine: Any = ModuleType("mine")
    mine.PARTS = table
    monkeypatch.setitem(sys.modules, "mine", mine)
    makers, (problem,) = load_parts(["handlers", "mine"])
    assert list(makers) == ["llm-probing"]
    assert problem.position == 1
    assert told in problem.text

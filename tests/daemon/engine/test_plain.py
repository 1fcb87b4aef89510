"""What is handed over, as the store can keep it."""

from pathlib import Path
from typing import Any

import pytest

from daemon.engine.plain import MOST_BYTES, NotPlain, clean, plain, plain_or_why


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {}),
        ({"a": [1, "b", None, 0.5]}, {"a": [1, "b", None, 0.5]}),
        ({"path": Path("/tmp")}, {"path": "/tmp"}),
        ({"pair": (1, 2), "set": {3}}, {"pair": [1, 2], "set": [3]}),
        ({1: {2: 3}}, {"1": {"2": 3}}),
        ({"nan": float("nan")}, {"nan": None}),
    ],
)
def test_values_become_plain_json(given: dict[Any, Any], kept: dict[str, Any]) -> None:
    assert plain(given) == kept


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_what_has_no_form_in_json_is_refused_or_says_why_it_is_missing(value: Any) -> None:
    with pytest.raises(NotPlain):
        plain({"a": value})
    assert plain_or_why({"a": value})["leftOut"].startswith("it cannot be written as JSON: ")


def test_a_copy_does_not_change_with_what_it_was_made_of() -> None:
    inner = [1]
    copy = plain({"a": inner})
    inner.append(2)

    assert copy == {"a": [1]}


def test_what_is_too_large_is_left_out_and_counted() -> None:
    assert plain_or_why({"a": "x" * MOST_BYTES}) == {
        "leftOut": f"it has {MOST_BYTES + 8:,} bytes, and {MOST_BYTES:,} are kept"
    }


def test_a_text_is_cut_and_can_be_written() -> None:
    assert clean("a\ud800b") == "a?b"
    assert clean("x" * 5, length=3) == "xxx"
    assert clean(None) == "None"

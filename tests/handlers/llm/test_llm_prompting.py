"""What a model is shown of a day: plain, cut to size, and between fences."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.material import LONGEST_TEXT, gather
from handlers.llm.prompting import ROWS, make_prompt, tokens_of
from handlers.reporting.base import Table
from state.codec import from_json
from tests.handlers.llm.briefs import brief

FENCE = "data-0"


def data_of(made: Any) -> Any:
    return from_json(made[0].user.split("\n")[1])


def test_a_day_is_shown_with_its_changes_worked_out() -> None:
    made = make_prompt(brief(), 16_000, FENCE)
    data = data_of(made)
    assert (data["company"], data["date"]) == ("Acme Air 24", "2026-11-21")
    assert data["facts"]["flights"] == 1234
    assert data["changesAgainstTheWeekBefore"] == {
        "flights": {"difference": 63, "percent": 5.4},
        "cancelled": {"difference": -9, "percent": -75},
    }
    assert data["tables"]["Worst routes"]["rowCount"] == 3
    assert data["tables"]["Worst routes"]["rows"][0] == ["EWR-LAX", 41, 55.55]
    assert "whatIsMissing" not in data


def test_a_problem_is_shown_and_what_there_is_not_is_left_out() -> None:
    made = make_prompt(brief({}, tables={}, problem="no file of that day"), 16_000, FENCE)
    assert data_of(made) == {
        "company": "Acme Air 24",
        "date": "2026-11-21",
        "facts": {},
        "whatIsMissing": "no file of that day",
    }


def test_long_tables_lose_their_ends_until_the_prompt_fits() -> None:
    table = Table(columns=("route", "flights"), rows=tuple((f"route {n}", n) for n in range(5000)))
    seen = []
    for room in (100_000, 1000, 750, 700):
        made = make_prompt(brief({"x": 1}, tables={"Routes": table}), room, FENCE)
        assert made is not None
        assert tokens_of(made[0]) <= room
        seen.append(len(data_of(made).get("tables", {}).get("Routes", {}).get("rows", [])))
    assert seen[0] == ROWS[0]
    assert sorted(seen, reverse=True) == seen
    assert make_prompt(brief(), 10, FENCE) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (2**70, None),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("12.30"), 12.3),
        (Decimal("NaN"), None),
        (Decimal(7), 7),
        (datetime(2026, 11, 21, 5, tzinfo=UTC), "2026-11-21T05:00:00+00:00"),
        ("x" * 10_000, "x" * (LONGEST_TEXT - 1) + "…"),
        ("a\u202e\x00b\ud800", "ab\ufffd"),
        ((1, (2, (3, (4,)))), [1, [2, [3, "(4,)"]]]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (b"\xff", "b'\\xff'"),
    ],
    ids=str,
)
def test_a_value_is_shown_plainly(value: Any, shown: Any) -> None:
    assert gather(brief({"x": value}), 0).values == {"x": shown}


@given(
    st.dictionaries(st.text(max_size=8), st.floats() | st.integers() | st.decimals() | st.text(max_size=9))
)
def test_any_facts_make_a_prompt(values: dict[str, Any]) -> None:
    both = values | {f"{name}_week_before": value for name, value in values.items()}
    made = make_prompt(brief(both, tables={}), 10_000_000, FENCE)
    assert isinstance(data_of(made), dict)

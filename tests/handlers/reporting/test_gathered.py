"""What is taken of an answer, and what of it is a problem of whom."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.reporting.base import SourceError
from handlers.reporting.plain import plain
from handlers.reporting.sources.gathered import LONGEST_COMPANY, LONGEST_ROW, MOST_ROWS, Gathered
from handlers.reporting.sources.questions import questions
from state.codec import to_json

DAY = date(2026, 11, 21)
FACTS, GOODS = questions("SELECT", {"Goods": "SELECT"})


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (Decimal("12.00"), 12),
        (Decimal("12.5"), 12.5),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("NaN"), None),
        (math.nan, None),
        (-math.inf, None),
        (2**70, str(2**70)),
        (datetime(2026, 11, 21, 5, tzinfo=timezone(timedelta(hours=2))), "2026-11-21T03:00:00Z"),
        (datetime(2026, 11, 21, 5), "2026-11-21T05:00:00"),  # noqa: DTZ001 a database's own, without a zone
        (DAY, "2026-11-21"),
        (time(5, 30), "05:30:00"),
        (timedelta(minutes=2), 120.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", "00ff"),
        ([1, {"a": Decimal("2")}], (1, {"a": 2})),
        ({3, 1, 2}, (1, 2, 3)),
        ("half \ud83d", "half ?"),
        ({"\ud83d": 1}, {"?": 1}),
        (True, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_made_plain(value: Any, made: Any) -> None:
    assert plain(value) == made
    assert type(plain(value)) is type(made)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals()
    | st.datetimes()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(ANYTHING)
def test_whatever_comes_can_be_written_as_json_and_stays_the_same(value: Any) -> None:
    made = plain(value)
    assert plain(made) == made
    json.loads(to_json({"value": made}).decode(errors="strict"))


def test_rows_of_others_are_passed_over() -> None:
    gathered = Gathered(DAY, ("a",))
    gathered.take(FACTS, ("company", "n"), [("a", 1), ("b", 2), (None, 3)])
    assert gathered.facts()["a"].values == {"n": 1}


def test_a_table_is_cut_and_says_so() -> None:
    gathered = Gathered(DAY, ("a",))
    gathered.take(FACTS, ("company", "n"), [("a", 1)])
    gathered.take(GOODS, ("company", "n"), [("a", number) for number in range(MOST_ROWS + 5)])
    facts = gathered.facts()["a"]
    assert len(facts.tables["Goods"].rows) == MOST_ROWS
    assert facts.problem == 'Only the first 1,000 rows of source.tables["Goods"] are kept.'


def test_a_company_has_so_much_room_and_no_more() -> None:
    gathered = Gathered(DAY, ("a", "b"))
    row = ("a", "x" * (LONGEST_ROW - 10))
    gathered.take(GOODS, ("company", "text"), [row] * 10)
    gathered.take(FACTS, ("company", "n"), [("a", 1), ("b", 1)])
    facts = gathered.facts()
    assert len(facts["a"].tables["Goods"].rows) == LONGEST_COMPANY // LONGEST_ROW
    assert "are left out: a company's facts may take 1 MiB" in (facts["a"].problem or "")
    assert facts["b"].problem is None


def test_a_batch_has_so_much_room_and_no_more() -> None:
    companies = [f"c{number}" for number in range(80)]
    gathered = Gathered(DAY, companies)
    rows = [(company, "x" * (LONGEST_ROW - 10)) for company in companies for _ in range(4)]
    with pytest.raises(SourceError, match="a batch takes more than 64 MiB"):
        gathered.take(GOODS, ("company", "text"), rows)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((), "it gives no columns"),
        (("n",), 'has no column "company", only n'),
        (("company", "n", "n"), 'two columns are named "n"'),
        (("company", " "), "cannot name a column"),
        (("company", "x" * 300), "cannot name a column"),
        (("company", *(f"c{number}" for number in range(100))), "gives 101 columns; at most 100"),
    ],
    ids=["none", "nobody's", "twice", "blank", "long", "many"],
)
def test_columns_that_cannot_be_are_refused(columns: tuple[str, ...], said: str) -> None:
    with pytest.raises(SourceError, match=r"^source\.facts: ") as caught:
        Gathered(DAY, ("a",)).take(FACTS, columns, [])
    assert said in str(caught.value)
    assert caught.value.is_permanent


def test_asked_for_one_the_row_of_another_is_refused() -> None:
    with pytest.raises(SourceError, match="asked for a, it gives a row of b"):
        Gathered(DAY, ("a", "b")).take(FACTS, ("company", "n"), [("b", 1)], "a")


def test_asked_for_one_no_column_has_to_say_so() -> None:
    gathered = Gathered(DAY, ("a", "b"))
    gathered.take(FACTS, ("n",), [(1,)], "a")
    gathered.take(FACTS, ("n",), [], "b")
    assert gathered.facts()["a"].values == {"n": 1}
    assert "gives no row for b" in (gathered.facts()["b"].problem or "")


def test_times_with_a_zone_keep_their_instant() -> None:
    assert plain(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"

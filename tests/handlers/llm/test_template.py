"""The last rung: it says what the facts say, and always says something."""

from datetime import date
from time import perf_counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.base import Brief
from handlers.llm.template import template_prose
from handlers.reporting.base import Facts, Table
from tests.daemon.notify.hostile import BARBS

DAY = date(2026, 11, 21)


def prose(values: dict[str, Any], tables: dict[str, Table] | None = None, name: str = "Acme") -> str:
    facts = Facts(company_id="acme", date=DAY, values=values, tables=tables or {})
    return template_prose(Brief(company_id="acme", company_name=name, date=DAY, facts=facts))


def test_figures_are_told_beside_those_of_the_week_before() -> None:
    values = {
        "flights": 1234,
        "flights_week_before": 1000,
        "cancelled": 0,
        "cancelled_week_before": 3,
        "delay": 2.5,
        "delay_week_before": 2.5,
        "seats": 7,
        "seats_week_before": None,
        "busiest": "JFK",
        "rate": None,
    }
    tables = {"Worst routes": Table(columns=("route", "flights"), rows=(("A – B", 3), ("C – D", 2)))}
    assert prose(values, tables) == (
        "This is the report of Acme for Saturday, 21 November 2026. "
        "Flights: 1,234, up from 1,000 a week before (+23.4 %). "
        "Cancelled: 0, down from 3 a week before (-100.0 %). "
        "Delay: 2.5, the same as a week before. "
        "Seats: 7; there is no figure of the week before. "
        "Busiest: JFK. "
        "Rate: no figure.\n\n"
        "Of 3 figures with a week before, 1 rose and 1 fell. "
        "The largest change is that of “Cancelled” (-100.0 %).\n\n"
        "“Worst routes” has 2 rows, the first of them: A – B, flights 3."
    )


def test_without_figures_it_says_so() -> None:
    tables = {"Routes": Table(columns=("a",), rows=())}
    assert (
        prose({}, tables)
        == "For Acme there are no figures for Saturday, 21 November 2026.\n\n“Routes” has no rows."
    )


def test_a_change_of_sign_has_no_per_cent() -> None:
    assert "down from 4.3 a week before." in prose({"delay": -0.2, "delay_week_before": 4.3})


def test_the_same_facts_are_the_same_words() -> None:
    assert len({prose({"a": 1, "a_week_before": 2}) for _ in range(5)}) == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.text(max_size=20) | st.sampled_from(["x", "x_week_before", "_week_before", ""])


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.lists(st.tuples(VALUES, VALUES), max_size=3), st.text())
def test_whatever_the_facts_hold_there_is_prose(values: dict[str, Any], rows: Any, name: str) -> None:
    said = prose(values, {name: Table(columns=("a", name), rows=tuple(rows))}, name)
    assert said.strip()
    assert len(said) < 20_000


def test_hostile_names_are_cleaned_and_short() -> None:
    hostile = "".join(BARBS) * 50
    said = prose({hostile: hostile}, {hostile: Table(columns=(hostile,), rows=((hostile,),))}, hostile)
    assert len(said) < 3_000
    assert not any(sign in said for sign in "\x00\x1b\u202e\u200b\ud83d")


def test_it_takes_less_than_a_second_by_far() -> None:
    rows = tuple((f"route {number}", number) for number in range(1_000))
    values = {f"figure_{number}": number for number in range(100)}
    began = perf_counter()
    prose(values, {f"Table {number}": Table(columns=("r", "n"), rows=rows) for number in range(20)})
    assert perf_counter() - began < 0.5

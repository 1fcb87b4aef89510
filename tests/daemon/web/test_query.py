"""What may stand in a query, and what is said of the rest."""

from datetime import date

import pytest
from multidict import MultiDict

from daemon.operations import Unfit
from daemon.web.query import choice, day, day_of, flag, read_query, text, wait, whole
from state.records import Lane

PARAMS = (
    whole("limit", "Rows.", 100, 1000, least=1),
    flag("all", "All."),
    text("by", "Who.", "operator"),
    day("date", "When."),
    choice("lane", "Which.", Lane),
    wait(),
)


def test_what_is_left_out_has_its_default() -> None:
    given = {"limit": 100, "all": False, "by": "operator", "date": None, "lane": None, "wait": 0}
    assert read_query(PARAMS, {}) == given


def test_what_is_given_is_read() -> None:
    given = {"limit": "7", "all": "1", "by": "anna", "date": "2026-11-21", "lane": "alerts", "wait": "60"}
    found = {"limit": 7, "all": True, "by": "anna", "date": date(2026, 11, 21), "lane": "alerts", "wait": 60}
    assert read_query(PARAMS, given) == found


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("limit", "0", 'limit: "0" is no whole number from 1 to 1000'),
        ("limit", "1001", "limit"),
        ("limit", "21.0", "limit"),
        ("limit", "false", "limit"),
        ("limit", "٧", "limit"),
        ("limit", "9" * 5000, "limit"),
        ("limit", "", "limit"),
        ("all", "true", 'all: "true" is neither 0 nor 1'),
        ("by", "", "by"),
        ("by", "x" * 201, "by"),
        ("date", "20261121", 'date: "20261121" is no date; write it as 2026-11-21'),
        ("date", "2026-W47-6", "date"),
        ("date", "2026-02-30", "date"),
        ("date", "../../etc", "date"),
        ("lane", "slow", "known: alerts, catch-up, normal"),
        ("wait", "61", "wait"),
        ("limmit", "5", '"limmit" is no part of this query; did you mean "limit"?'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_makes_no_sense_is_named(name: str, value: str, told: str) -> None:
    with pytest.raises(Unfit) as refused:
        read_query(PARAMS, {name: value})
    assert told in str(refused.value)


def test_what_is_said_twice_is_refused() -> None:
    with pytest.raises(Unfit, match="limit: it stands here twice"):
        read_query(PARAMS, MultiDict([("limit", "1"), ("limit", "2")]))


def test_a_route_that_asks_for_nothing_takes_nothing() -> None:
    assert read_query((), {}) == {}
    with pytest.raises(Unfit, match="there is none"):
        read_query((), {"limit": "5"})


def test_a_date_has_ten_characters() -> None:
    assert day_of("date", "0001-01-01") == date(1, 1, 1)
    for wrong in ("1-1-1", "2026-11-2", "2026-11-211", "２０２６-11-21", "2026-11-21T00:00"):
        with pytest.raises(Unfit):
            day_of("date", wrong)

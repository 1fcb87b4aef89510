"""Lists page by page, and the address of the next one."""

import pytest

from daemon.operations import Unfit
from daemon.web.paging import page, page_at, within

ROWS = [{"id": name} for name in "abcde"]


def test_a_full_page_may_be_followed_by_another() -> None:
    assert page(ROWS[:2], 2, "id", 5).next == "b"
    assert page(ROWS[:1], 2, "id").next is None
    assert page([], 2, "id").next is None
    assert page([], 0, "id").next is None


def test_a_list_at_hand_goes_on_behind_its_cursor() -> None:
    first = within(ROWS, 2, None, "id")
    assert (first.value, first.next, first.total) == (ROWS[:2], "b", 5)
    last = within(ROWS, 3, first.next, "id")
    assert (last.value, last.next) == (ROWS[2:], "e")
    assert within(ROWS, 3, last.next, "id").value == []


def test_a_cursor_that_is_gone_is_said_to_be() -> None:
    with pytest.raises(Unfit, match='cursor: "x" is not in this list'):
        within(ROWS, 2, "x", "id")


def test_a_list_of_the_database_goes_on_by_its_count() -> None:
    assert page_at(ROWS[:2], 2, 0, 5).next == "2"
    assert page_at(ROWS[4:], 2, 4, 5).next is None

"""Tables, as they are to look."""

import pytest

from daemon.cli.tables import Column, clean, cut, display_width, render

COLUMNS = (
    Column(title="NAME"),
    Column(title="COUNT", is_right=True),
    Column(title="SUMMARY", may_be_cut=True),
)


def test_columns_are_aligned_and_numbers_stand_at_the_right() -> None:
    rows = [["nightly-batch", 900, "all is well"], ["heartbeat", 3, None]]
    assert render(COLUMNS, rows) == (
        "NAME           COUNT  SUMMARY\nnightly-batch    900  all is well\nheartbeat          3  -"
    )


def test_a_table_is_no_wider_than_the_terminal() -> None:
    rows = [["nightly-batch", 900, "the disk is full: nothing was stored; free some space"]]
    table = render(COLUMNS, rows, width=40)
    assert table.splitlines()[1] == "nightly-batch    900  the disk is full:…"
    assert max(map(display_width, table.splitlines())) <= 40


def test_a_column_that_may_not_be_cut_is_kept_whole_on_a_narrow_terminal() -> None:
    rows = [["nightly-batch", 900, "the disk is full"]]
    assert render(COLUMNS, rows, width=10).splitlines()[1] == "nightly-batch    900  the dis…"


def test_wide_and_combining_characters_take_the_places_that_they_take() -> None:
    rows = [["日本語", 1, "x"], ["e\u0301tude", 2, "y"], ["plain", 3, "z"]]
    table = render(COLUMNS, rows).splitlines()
    assert [line.index(mark) for line, mark in zip(table[1:], "xyz", strict=True)] == [12, 16, 15]
    assert [display_width(line) for line in table[1:]] == [16, 16, 16]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("turned \u202eround", "turned \ufffdround"),
        (None, "-"),
        (0, "0"),
    ],
)
def test_nothing_in_a_cell_can_move_the_terminal(given: object, shown: str) -> None:
    assert clean(given) == shown


def test_a_cell_of_a_bounded_column_is_cut_even_where_no_terminal_is() -> None:
    columns = (Column(title="TITLE", most=5), Column(title="WHY"))
    assert render(columns, [["a long title", "because"]]) == "TITLE  WHY\na lo…  because"


def test_a_style_changes_no_width() -> None:
    columns = (Column(title="STATE", style=lambda cell: f"<{cell}>"), Column(title="NAME"))
    assert render(columns, [["ok", "x"]]).splitlines() == ["STATE  NAME", "<ok>     x"]


@pytest.mark.parametrize("width", range(1, 8))
def test_what_is_cut_fits(width: int) -> None:
    assert display_width(cut("日本語 text", width)) <= width


def test_a_table_without_rows_is_its_titles() -> None:
    assert render(COLUMNS, []) == "NAME  COUNT  SUMMARY"

"""A roster read row by row: the good rows come, the bad ones are told by their line."""

import io
import json

import pytest

from daemon.reports import roster_file
from daemon.reports.roster_file import LONGEST_ROW, RosterUnreadable, Row, read_rows


def rows(text: str | bytes) -> list[Row]:
    return list(read_rows(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def told(text: str | bytes) -> list[tuple[int, object]]:
    """Line, and the id of a good row or what is said of a bad one."""
    return [(it.line, it.problem if it.fields is None else it.fields.get("id")) for it in rows(text)]


GOOD = '[\n  {"id": "a", "name": "A, [or] {so} \\"x\\\\"},\n  {"id": "b"},\n\n  {"id":\n "c"}\n]\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 65536])
def test_a_json_list_is_read_the_same_wherever_its_pieces_end(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_file, "PIECE", size)
    assert told(" \n" * (size == 64) + GOOD)[0][1] == "a"
    assert [(it.line, it.fields) for it in rows(GOOD)] == [
        (2, {"id": "a", "name": 'A, [or] {so} "x\\'}),
        (3, {"id": "b"}),
        (5, {"id": "c"}),
    ]


@pytest.mark.parametrize("text", ["[]", " [ ]\n", "\ufeff[]"])
def test_an_empty_list_has_no_rows(text: str) -> None:
    assert rows(text) == []


def test_a_bad_element_spoils_no_other() -> None:
    text = '[{"id": "a"},\n {"id" "b"},\n 7,\n {"id": "no end},\n {"id": "d"}]\n trailing'
    found = told(text)
    assert [(line, said) for line, said in found if said in ("a", "d")] == [(1, "a"), (5, "d")]
    assert found[1][0] == 2
    assert str(found[1][1]).startswith("not JSON: ")
    assert found[2] == (3, 'a company is an object: {"id": …, "timezone": …}')
    assert found[3] == (4, "a quote is missing on this line")
    assert found[-1] == (6, "this stands after the end of the list and was not read")


def test_a_missing_quote_in_an_object_of_several_lines_spoils_no_other() -> None:
    text = '[{"id": "a",\n"name": "no end,\n"channel": "log"},\n{"id": "b"}]'
    found = told(text)
    assert found[0] == (1, "a quote is missing on this line")
    assert found[-1] == (4, "b")


def test_a_list_that_was_cut_off_keeps_its_beginning_and_says_so() -> None:
    cut = '[{"id": "a"},\n{"id": "b"},\n{"id": "c", "na'
    found = told(cut)
    assert found[:2] == [(1, "a"), (2, "b")]
    assert found[2] == (3, "the list does not end: it was cut off, or a quote or bracket is missing")
    assert told('[{"id": "a"}')[-1][1] == found[2][1]


def test_a_row_of_ten_megabytes_is_refused_and_not_held() -> None:
    huge = json.dumps([{"id": "a"}, {"id": "b", "name": "x" * 10_000_000}, {"id": "c"}])
    assert told(huge) == [(1, "a"), (1, f"longer than {LONGEST_ROW:,} bytes"), (1, "c")]


CSV = 'id,Name,timezone,recipients\na,"A, Inc.\n of two lines",UTC,x@x.org\n\nb,B,UTC\nc,C,UTC,\n'


def test_csv_rows_are_numbered_by_the_line_they_begin_on() -> None:
    assert rows("\ufeff" + CSV) == [
        Row(2, {"id": "a", "name": "A, Inc.\n of two lines", "timezone": "UTC", "recipients": "x@x.org"}),
        Row(5, None, "3 columns where the header has 4"),
        Row(6, {"id": "c", "name": "C", "timezone": "UTC"}),
    ]


def test_csv_that_is_no_utf_8_or_has_an_open_quote_is_refused_by_its_row() -> None:
    assert told(b"id,timezone\nM\xfcller,UTC\nb,UTC\n") == [
        (2, "not UTF-8; save the file as UTF-8"),
        (3, "b"),
    ]
    found = told('id,timezone\na,UTC\nb,"UTC\n' + "c,UTC\n" * 50_000)
    assert found[0] == (2, "a")
    assert found[1] == (3, "not CSV: a row of more than 50 lines; is a quote missing?")
    assert found[2:4] == [(4, "c"), (5, "c")]
    assert len(found) == 50_002


@pytest.mark.parametrize("rest", ["c,UTC\n", 'c,"UTC"\n', 'c,UTC\nd,"UTC\n', "c,UTC"], ids=repr)
def test_an_open_quote_spoils_its_own_line_only(rest: str) -> None:
    found = told('id,timezone\nb,"UTC\n' + rest)
    assert found[:2] == [(2, "a quote is missing on this line"), (3, "c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ('{"companies": []}', "it is a JSON object"),
        ("id,timezon\n", 'line 1: no column is called "timezon"; did you mean "timezone"?'),
        ("id;timezone\n", 'line 1: no column is called "id;timezone"'),
        ("\nid,name\n", 'line 2: the header has no column "timezone"'),
        ("id,timezone,id\n", 'line 1: two columns are called "id"'),
        ("x" * 200_000, "line 1: field larger than field limit"),
    ],
    ids=["nothing", "blanks", "an object", "misspelt", "semicolons", "lacking", "twice", "no roster"],
)
def test_what_is_no_roster_is_refused_as_a_whole(text: str, said: str) -> None:
    with pytest.raises(RosterUnreadable, match=said.replace("?", r"\?")):
        rows(text)


def test_there_is_an_end_to_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_file, "MOST_ROWS", 2)
    assert told("id,timezone\na,\nb,\nc,\nd,\n") == [
        (2, "a"),
        (3, "b"),
        (4, "more than 2 rows; from here on nothing was read"),
    ]

"""Leads as people bring them: good ones are kept whatever stands beside them."""

import io
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import intake
from state.intake import Refusal, problem_of, read_items

LEAD = b'{"id": "t3_a", "title": "Which database for a small shop?"}'
OTHER = b'{"id": "t3_b", "title": "x", "upvote_ratio": 0.9, "flair": {"text": "Help"}}'


def ids(data: bytes) -> list[str]:
    return [body["id"] for body in read_items(data).bodies]


@pytest.mark.parametrize(
    "data",
    [
        LEAD + b"\n" + OTHER,
        LEAD + b"\r\n\r\n  " + OTHER + b"\r\n",
        b"[" + LEAD + b"," + OTHER + b"]",
        b"[\n  " + LEAD + b",\n  " + OTHER + b"\n]\n",
        b'{"items": [' + LEAD + b"," + OTHER + b"]}",
        b'{\n "source": {"name": "items"},\n "items": [\n' + LEAD + b",\n" + OTHER + b'],\n "next": null\n}',
        b"\xef\xbb\xbf" + LEAD + b"\n" + OTHER,
    ],
)
def test_every_form_gives_the_same_leads(data: bytes) -> None:
    assert ids(data) == ["t3_a", "t3_b"]
    assert read_items(data).refusals == []


@pytest.mark.parametrize("data", [LEAD, b'{\n"id": "t3_a",\n"title": "x",\n"items": [1]\n}'])
def test_a_single_object_is_one_lead(data: bytes) -> None:
    assert ids(data) == ["t3_a"]


@pytest.mark.parametrize("data", [b"", b" \n\n", b"[]", b"[ \n ]", b'{"items": []}'])
def test_nothing_is_no_mistake(data: bytes) -> None:
    assert read_items(data).bodies == []
    assert read_items(data).refusals == []


def test_unknown_fields_are_kept() -> None:
    assert read_items(OTHER).bodies[0]["flair"] == {"text": "Help"}


def test_bad_lines_are_named_and_the_good_ones_kept() -> None:
    read = read_items(LEAD + b"\n\nnot json\n" + b'{"id": 7, "title": "x"}\n' + OTHER)
    assert [body["id"] for body in read.bodies] == ["t3_a", "t3_b"]
    assert [refusal.line for refusal in read.refusals] == [3, 4]
    assert read.refusals[0].reason.startswith("not JSON: ")
    assert read.refusals[1] == Refusal(4, "id: 7 is no id; it must be a text that is not empty")


def test_a_bad_first_line_spoils_nothing_after_it() -> None:
    read = read_items(b"\nid,title\n" + LEAD)
    assert [body["id"] for body in read.bodies] == ["t3_a"]
    assert [refusal.line for refusal in read.refusals] == [2]


def test_bad_elements_of_an_array_are_named_by_their_line() -> None:
    read = read_items(b"[\n" + LEAD + b",\n5,\n{broken},\n\n" + OTHER + b"\n]")
    assert [body["id"] for body in read.bodies] == ["t3_a", "t3_b"]
    assert [refusal.line for refusal in read.refusals] == [3, 4]


def test_an_array_that_was_cut_off_keeps_what_is_whole() -> None:
    read = read_items(b'{"items": [\n' + LEAD + b',\n{"id": "t3_z", "ti')
    assert [body["id"] for body in read.bodies] == ["t3_a"]
    assert [refusal.line for refusal in read.refusals] == [3]
    assert "cut off" in read.refusals[0].reason


def test_what_stands_after_an_array_is_not_lost_in_silence() -> None:
    read = read_items(b"[" + LEAD + b"]\n" + OTHER)
    assert [body["id"] for body in read.bodies] == ["t3_a"]
    assert read.refusals == [Refusal(2, "this stands after the end of the array and was not read")]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", "", "id: '' is no id; it must be a text that is not empty"),
        ("id", "x" * 201, f"id: '{'x' * 58}… is too long; an id has at most 200 characters"),
        ("id", "a\nb", "id: 'a\\nb' has control characters"),
        ("title", None, "title: None must be a text"),
        ("title", 5, "title: 5 must be a text"),
        ("score", 1.5, "score: 1.5 must be a number from 0 to 1"),
        ("score", -0.1, "score: -0.1 must be a number from 0 to 1"),
        ("score", True, "score: True must be a number from 0 to 1"),
        ("score", "0.9", "score: '0.9' must be a number from 0 to 1"),
        ("score", float("nan"), "score: nan must be a number from 0 to 1"),
        ("ups", "many", "ups: 'many' must be a whole number"),
        ("ups", 1.5, "ups: 1.5 must be a whole number"),
        ("num_comments", False, "num_comments: False must be a whole number"),
        ("num_comments", 2**60, f"num_comments: {2**60} must be a whole number"),
        ("created_utc", "today", "created_utc: 'today' must be a number of seconds since 1970"),
        ("created_utc", True, "created_utc: True must be a number of seconds since 1970"),
        (
            "created_utc",
            1525532108000,
            "created_utc: 1525532108000 is out of range; it must be seconds since 1970 (not milliseconds)",
        ),
        ("tags", "python", "tags: 'python' must be a list of texts"),
        ("tags", ["a", 1], "tags: ['a', 1] must be a list of texts"),
        ("selftext", {"a": 1}, "selftext: an object must be a text"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(field: str, value: object, reason: str) -> None:
    assert problem_of({"id": "t3_a", "title": "x", field: value}) == reason


@pytest.mark.parametrize("missing", ["id", "title"])
def test_a_lead_without_id_or_title_is_refused(missing: str) -> None:
    body = {"id": "t3_a", "title": "x"}
    del body[missing]
    assert problem_of(body) == f"{missing} is missing; a lead needs an id and a title"


def test_null_means_not_known() -> None:
    assert problem_of({"id": "t3_a", "title": "x", "score": None, "ups": None, "tags": None}) is None


@pytest.mark.parametrize(
    "line", [b'{"id": "a", "title": "x", "score": NaN}', b'{"id": "a", "title": "\\ud800"}']
)
def test_what_is_not_json_to_everyone_is_refused(line: bytes) -> None:
    assert read_items(line).bodies == []
    assert read_items(line).refusals[0].reason.startswith("not JSON")


def test_a_lead_that_is_nested_too_deep_is_refused() -> None:
    for depth in (100, 5000):
        line = b'{"id": "a", "title": "x", "deep": ' + b"[" * depth + b"]" * depth + b"}"
        assert [refusal.line for refusal in read_items(line + b"\n" + LEAD).refusals] == [1]
        assert ids(line + b"\n" + LEAD) == ["t3_a"]


def test_a_lead_that_is_too_large_is_refused() -> None:
    line = b'{"id": "a", "title": "%s"}' % (b"x" * intake.MAX_ITEM_BYTES)
    read = read_items(line + b"\n" + LEAD)
    assert [body["id"] for body in read.bodies] == ["t3_a"]
    assert read.refusals == [Refusal(1, f"the lead has {len(line):,} bytes; 262,144 are allowed")]


def test_leads_beyond_the_limit_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_ITEMS", 2)
    for data in (b"\n".join([LEAD] * 4), b"[" + b",\n".join([LEAD] * 4) + b"]"):
        read = read_items(data)
        assert len(read.bodies) == 2
        assert read.refusals == [Refusal(3, "more than 2 leads; from here on nothing was read")]


def test_input_beyond_the_limit_keeps_the_lines_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_INPUT_BYTES", 3 * len(LEAD))
    read = read_items(b"\n".join([LEAD] * 5))
    assert len(read.bodies) == 2
    assert [refusal.line for refusal in read.refusals] == [3]
    assert read_items(b"[" + b",".join([LEAD] * 5) + b"]").bodies == []


def test_a_file_is_read_line_by_line() -> None:
    class Lines(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise AssertionError("JSON lines are not read as a whole")

    assert len(read_items(Lines(b"\n".join([LEAD, OTHER] * 50))).bodies) == 100


@pytest.mark.parametrize(
    "hostile",
    [b'["' + b'\\"' * 500_000, b'["' * 500_000, b"[" * 1_000_000, b"{" * 1_000_000, b"\n" * 1_000_000],
    ids=["unclosed string", "strings", "brackets", "braces", "blank lines"],
)
def test_hostile_input_costs_no_more_than_its_length(hostile: bytes) -> None:
    started = time.process_time()
    assert read_items(hostile).bodies == []
    assert time.process_time() - started < 2


def test_a_hundred_thousand_lines_take_seconds_at_most() -> None:
    data = b"\n".join(b'{"id": "t3_%d", "title": "a title", "ups": 5}' % n for n in range(100_000))
    started = time.process_time()
    assert len(read_items(data).bodies) == 100_000
    assert time.process_time() - started < 5


@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\ \nab1', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read = read_items(data)
    assert all(problem_of(body) is None for body in read.bodies)
    assert all(refusal.line >= 1 and refusal.reason for refusal in read.refusals)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=6), st.sampled_from([None, 2]))
def test_each_element_of_an_array_is_a_lead_or_a_refusal(values: list[object], indent: int | None) -> None:
    data = json.dumps(values, indent=indent).encode(errors="surrogatepass")
    read = read_items(data)
    assert len(read.bodies) + len(read.refusals) == len(values)

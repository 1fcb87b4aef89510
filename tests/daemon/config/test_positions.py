"""The JSON reader that knows where everything stands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config.positions import DEEPEST, LONGEST_FILE, read_document

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def slips(text: str | bytes) -> list[str]:
    document = read_document(text if isinstance(text, bytes) else text.encode())
    return [f"{slip.line}: {'.'.join(map(str, slip.place))}: {slip.text}" for slip in document.slips]


@given(JSON, st.sampled_from([None, 0, 2]), st.booleans())
def test_it_reads_what_json_reads(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert read_document(text.encode()) == (value, read_document(text.encode()).lines, [])


@given(st.binary(max_size=200) | st.text('{}[]":,/*#0123eE+-.\\utfnNa \n', max_size=60).map(str.encode))
def test_no_bytes_make_it_raise_and_what_json_refuses_has_a_slip(data: bytes) -> None:
    document = read_document(data)
    if not document.slips:
        assert document.value == json.loads(data)


def test_every_key_and_element_knows_its_line() -> None:
    text = '{\n  "a": {\n    "b": [\n      1,\n      {"c":\n 2}\n    ]\n  },\n  "d": true\n}'
    assert read_document(text.encode()).lines == {
        (): 1,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "b", 0): 4,
        ("a", "b", 1): 5,
        ("a", "b", 1, "c"): 5,
        ("d",): 9,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: : the file is empty; write at least {}"),
        ('{"a": 1,\n}', '1: : the comma before "}" is one too many'),
        ('{"a": [1,\n2,\n]}', '2: a: the comma before "]" is one too many'),
        ('{\n// why\n"a": 1}', "2: : JSON has no comments; take this one out"),
        ('{"a": 1 # why\n}', "1: : JSON has no comments; take this one out"),
        ('{"a": /* why\n */ 1}', "1: a: JSON has no comments; take this one out"),
        ('{"a": 1,\n"b": 2,\n"a": 3}', "3: a: this key is written twice; the first is in line 1"),
        ('{"a": True}', "1: a: True is no JSON; write true"),
        ('{"a": None}', "1: a: None is no JSON; write null"),
        ('{"a": NaN}', "1: a: NaN is no JSON; write a plain number"),
        ('{"a": -Infinity}', "1: a: -Infinity is no JSON; write a plain number"),
        ('{"a": 1e999}', "1: a: the number is too large"),
        ('{"a": ' + "9" * 5000 + "}", "1: a: the number is too large"),
        ('{"a": 01}', "1: a: this is no JSON value; text needs double quotes"),
        ('{"a": hunter2}', "1: a: this is no JSON value; text needs double quotes"),
        ("{'a': 1}", '1: : a key in double quotes is missing here: "\'"; write "key": value'),
        ('{"a" 1}', '1: a: a colon is missing after the key; write "a": value'),
        ('{"a": 1\n"b": 2}', '2: : a comma is missing before "\\""'),
        ('{"a": }', '1: a: a value is missing before "}"'),
        ('{"a": "b\n"}', "1: a: the text that begins here has no closing quote in its line"),
        (
            '{"a": "C:\\dir"}',
            "1: a: the text has a backslash that JSON does not know; write \\\\ for a backslash",
        ),
        ('{"a": "\\ud800"}', "1: a: the text has half a \\u pair; write the character itself"),
        ('{"a": "x\\u0000"}', "1: a: the text has a NUL character; take it out"),
        ('{\n"a": [1', '2: a: the file ends before the "]" that closes line 2'),
        ('{"a": 1', '1: : the file ends before the "}" that closes line 1'),
        ("{}\n}", '2: : "}" comes after the end; a bracket is closed too early, or one is too many'),
        ("[" * 100, f"1: 0.0.0: nested deeper than {DEEPEST} levels"),
        (b'{"a": \n"\xff"}', "2: : the file is not UTF-8 text; save it as UTF-8"),
        (b" " * (LONGEST_FILE + 1), "1: : the file has 1,048,577 bytes; 1,048,576 are the most it may have"),
    ],
)
def test_a_slip_is_told_with_its_line_and_its_remedy(text: str | bytes, expected: str) -> None:
    assert slips(text) == [expected]


def test_plain_slips_are_read_on_from_so_that_all_are_told() -> None:
    text = '{\n// one\n"a": True,\n"a": 2,\n"b": [1,],\n}'
    document = read_document(text.encode())
    assert [slip.line for slip in document.slips] == [2, 3, 4, 5, 5]
    assert document.value == {"a": True, "b": [1]}


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert read_document(b"\xef\xbb\xbf{}") == ({}, {(): 1}, [])


def test_a_file_of_the_largest_size_is_read_to_its_end() -> None:
    rows = (b'"%06d": [1, {"a": "b"}]' % number for number in range(40_000))
    data = b"{" + b",".join(rows) + b"}"
    assert LONGEST_FILE * 0.9 < len(data) <= LONGEST_FILE
    assert len(read_document(data).value) == 40_000

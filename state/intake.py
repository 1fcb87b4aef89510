"""Leads as people bring them: a JSON array, one object, {"items": [...]}, or JSON lines.

Nothing good is lost to its neighbour: each bad lead is refused by its line, with the reason, and all
others are kept, even of an array that was cut off in the middle.
"""

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from state.codec import NotJson, from_json

MAX_INPUT_BYTES = 64 * 1024 * 1024
MAX_ITEMS = 100_000
MAX_LINES = 1_000_000  # blank ones included
MAX_ITEM_BYTES = 256 * 1024
MAX_ID_LENGTH = 200
# JSON is read to any depth but written to about 250 levels; no honest lead comes near this.
MAX_DEPTH = 64
LATEST_SECONDS = 253_402_300_799  # the end of the year 9999; above it stand milliseconds
LARGEST_COUNT = 2**53  # above it JSON numbers are not exact in every reader
SHOWN_LENGTH = 60

_TOO_LARGE = f"the input is larger than {MAX_INPUT_BYTES:,} bytes or {MAX_LINES:,} lines"
_NO_END = "the array does not end: it was cut off, or a quote or bracket is missing, or it is nested too deep"
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What tells where a JSON value ends: whole strings (never over a line's end), brackets, commas. The
# lone quote comes last, so it is met only where a string does not end. The repeats give nothing back
# (`*+`): otherwise a hostile text of unclosed strings would cost the square of its length.
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"|[\[\]{},"]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Refusal(NamedTuple):
    """A lead that was not taken. `line` counts from 1."""

    line: int
    reason: str


@dataclass(slots=True)
class Intake:
    """What was read: the good leads in their order, and the bad ones by line."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.bodies) + len(self.refusals) >= MAX_ITEMS

    def take(self, line: int, raw: bytes) -> None:
        """Keep one lead, or note why it is refused."""
        try:
            self.bodies.append(_lead(raw))
        except ValueError as error:
            self.refuse(line, str(error))

    def refuse(self, line: int, reason: str) -> None:
        self.refusals.append(Refusal(line, reason))


def read_items(source: bytes | BinaryIO) -> Intake:
    """Read leads from bytes or from an open binary file; JSON lines are never held as a whole.

    Raises nothing for bad content: that is in the refusals. An OSError of the file passes.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    lines = _lines(file)
    intake = Intake()
    for number, line in lines:
        if _is_one_line_lead(line):
            _read_lines(intake, number, line, lines)
        else:
            _read_document(intake, number, line, file)
        break
    return intake


def problem_of(body: object) -> str | None:
    """Why this is no lead, naming the field and the value; None if it is one."""
    if not isinstance(body, dict):
        return f'a lead is an object like {{"id": …, "title": …}}, this is {_shown(body)}'
    for name in ("id", "title"):
        if name not in body:
            return f"{name} is missing; a lead needs an id and a title"
    for name, problem in _CHECKS.items():
        value = body.get(name)
        # null stands for "not known" in what exporters write; only id and title must be there
        if value is None and name not in ("id", "title"):
            continue
        if reason := problem(value):
            return f"{name}: {_shown(value)} {reason}"
    return None


def _lead(raw: bytes) -> dict[str, Any]:
    if not raw:
        raise ValueError("nothing stands between two commas here")
    if len(raw) > MAX_ITEM_BYTES:
        raise ValueError(f"the lead has {len(raw):,} bytes; {MAX_ITEM_BYTES:,} are allowed")
    try:
        body = from_json(raw)
    except (NotJson, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deeper(body, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if problem := problem_of(body):
        raise ValueError(problem)
    assert isinstance(body, dict)
    return body


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, numbered. An empty one comes last where the input passes a limit."""
    left = MAX_INPUT_BYTES + 1
    number = 0
    while left > 0 and (line := file.readline(left)):
        number += 1
        left -= len(line)
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if left == 0 or number > MAX_LINES:
            yield number, b""
            return
        if stripped := line.strip(_BLANK):
            yield number, stripped


def _is_one_line_lead(line: bytes) -> bool:
    if not line.startswith(b"{") or len(line) > MAX_ITEM_BYTES:
        return False
    try:
        value = from_json(line)
    except (NotJson, RecursionError):
        return False
    return not _is_wrapper(value)


def _is_wrapper(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("items"), list) and "id" not in value


def _read_lines(intake: Intake, number: int, line: bytes, rest: Iterator[tuple[int, bytes]]) -> None:
    intake.take(number, line)
    for at, more in rest:
        if not more:
            intake.refuse(at, f"{_TOO_LARGE}; from here on nothing was read")
            return
        if intake.is_full:
            intake.refuse(at, f"more than {MAX_ITEMS:,} leads; from here on nothing was read")
            return
        intake.take(at, more)


def _read_document(intake: Intake, number: int, line: bytes, file: BinaryIO) -> None:
    """Read what is not plainly JSON lines: an array, an object over several lines, or neither."""
    document = line + b"\n" + file.read(MAX_INPUT_BYTES + 1 - len(line)) if line else b""
    if not line or len(document) > MAX_INPUT_BYTES + 1:
        intake.refuse(number, f"{_TOO_LARGE}; nothing was read")
    elif (start := _array_start(document)) is not None:
        _read_array(intake, document, start, number)
    elif document.startswith(b"{") and _is_json(document):
        intake.take(number, document.strip(_BLANK))
    else:
        lines = _lines(io.BytesIO(document))
        first = next(lines)[1]
        _read_lines(intake, number, first, ((at + number - 1, more) for at, more in lines))


def _array_start(document: bytes) -> int | None:
    """Where the array of leads begins: at the start, or after "items" in an object without an id."""
    if document.startswith(b"["):
        return 0
    if not document.startswith(b"{"):
        return None
    depth, before = 0, b""
    for token in _TOKEN.finditer(document):
        mark = token[0]
        if mark == b"[" and depth == 1 and before == b'"items"':
            return token.start()
        if depth == 1 and mark == b'"id"':
            return None
        depth += _deepens(mark)
        if not 0 < depth <= 2 * MAX_DEPTH:
            return None
        before = mark
    return None


def _read_array(intake: Intake, document: bytes, start: int, number: int) -> None:
    """Take each element by itself, so that a bad one, or a cut at the end, spoils no other."""
    seen, line = 0, number
    for begin, end, problem in _elements(document, start):
        raw = document[begin:end].lstrip(_BLANK)
        line += document.count(b"\n", seen, end - len(raw))
        seen = end - len(raw)
        if intake.is_full:
            intake.refuse(line, f"more than {MAX_ITEMS:,} leads; from here on nothing was read")
            return
        if problem is None:
            intake.take(line, raw)
        else:
            intake.refuse(line, problem)


def _elements(document: bytes, start: int) -> Iterator[tuple[int, int, str | None]]:
    """Begin and end of each element of the array that starts there, and what is wrong with its end."""
    depth, begin, count = 0, start + 1, 0
    for token in _TOKEN.finditer(document, start):
        mark = token[0]
        depth += _deepens(mark)
        if mark == b'"' or depth > 2 * MAX_DEPTH:
            break
        if depth == 0 or (depth == 1 and mark == b","):
            is_empty = not document[begin : token.start()].strip(_BLANK)
            if not (depth == 0 and count == 0 and is_empty):
                yield begin, token.start(), None
            begin, count = token.end(), count + 1
        if depth == 0:
            if start == 0 and document[begin:].strip(_BLANK):
                yield begin, len(document), "this stands after the end of the array and was not read"
            return
    yield begin, len(document), _NO_END


def _deepens(mark: bytes) -> int:
    return (mark in (b"{", b"[")) - (mark in (b"}", b"]"))


def _is_json(document: bytes) -> bool:
    try:
        from_json(document)
    except (NotJson, RecursionError):
        return False
    return True


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_is_deeper(it, levels - 1) for it in inner)


def _id_problem(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return "is no id; it must be a text that is not empty"
    if len(value) > MAX_ID_LENGTH:
        return f"is too long; an id has at most {MAX_ID_LENGTH} characters"
    return "has control characters" if _CONTROL.search(value) else None


def _text_problem(value: object) -> str | None:
    return None if isinstance(value, str) else "must be a text"


def _score_problem(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        return "must be a number from 0 to 1"
    return None


def _count_problem(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_COUNT:
        return "must be a whole number"
    return None


def _time_problem(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return "must be a number of seconds since 1970"
    if value < 0 or value > LATEST_SECONDS:
        return "is out of range; it must be seconds since 1970 (not milliseconds)"
    return None


def _tags_problem(value: object) -> str | None:
    if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        return None
    return "must be a list of texts"


_CHECKS = {
    "id": _id_problem,
    "title": _text_problem,
    "selftext": _text_problem,
    "url": _text_problem,
    "subreddit": _text_problem,
    "score": _score_problem,
    "ups": _count_problem,
    "num_comments": _count_problem,
    "created_utc": _time_problem,
    "tags": _tags_problem,
}


def _shown(value: object) -> str:
    """A value as it goes into a message: short, on one line."""
    text = repr(value) if not isinstance(value, Mapping) else "an object"
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"

"""Read a roster row by row, as JSON or CSV: bounded memory, and every bad row by its line."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from daemon.config.problems import meant, quoted
from state.codec import NotJson, from_json

FIELDS = ("id", "name", "timezone", "recipients", "channel", "deadline", "active", "weekdays")
MOST_ROWS = 1_000_000
LONGEST_ROW = 64 * 1024  # bytes of JSON; two hundred addresses take a quarter of it
PIECE = 64 * 1024
MOST_LINES = 50  # of a row of CSV; a cell may hold a list of addresses, one a line
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What tells where a JSON value ends. A quote that is never closed ends with its line, as JSON has it.
_OUTSIDE = re.compile(rb'[\[\]{},"\n]')
_INSIDE = re.compile(rb'["\\\n]')
_NO_END = "the list does not end: it was cut off, or a quote or bracket is missing"


class RosterUnreadable(Exception):
    """No row can be read: the file is neither of the two kinds, or its header is wrong."""


class Row(NamedTuple):
    """One row as it was written: its fields, or why there are none. `line` counts from 1."""

    line: int
    fields: Mapping[str, Any] | None
    problem: str | None = None


def read_rows(file: BinaryIO) -> Iterator[Row]:
    """The rows of an open roster: JSON where it begins with a bracket, else CSV with a header.

    Raises:
        RosterUnreadable: it is neither; the message says what it should be.
        OSError: the file cannot be read any further.
    """
    begin = file.read(PIECE).removeprefix(_BYTE_ORDER_MARK)
    first = begin.lstrip(_BLANK)[:1]
    if first == b"{":
        raise RosterUnreadable("it is a JSON object; a roster is a list of companies: [{…}, {…}]")
    if not first:
        raise RosterUnreadable("it is empty; a roster is a JSON list, or CSV with a header")
    rows = _json_rows(begin, file) if first == b"[" else _csv_rows(begin, file)
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            yield Row(row.line, None, f"more than {MOST_ROWS:,} rows; from here on nothing was read")
            return
        yield row


def _json_rows(begin: bytes, file: BinaryIO) -> Iterator[Row]:
    for line, raw, problem in _Elements(begin, file).each():
        if problem is not None:
            yield Row(line, None, problem)
            continue
        try:
            fields = from_json(raw)
        except (NotJson, RecursionError) as error:
            yield Row(line, None, f"not JSON: {error}")
            continue
        if isinstance(fields, dict):
            yield Row(line, fields)
        else:
            yield Row(line, None, 'a company is an object: {"id": …, "timezone": …}')


class _Elements:
    """Cuts a JSON list into its elements, piece by piece, wherever the pieces happen to end."""

    def __init__(self, begin: bytes, file: BinaryIO) -> None:
        self._begin = begin
        self._file = file
        self._raw = bytearray()
        self._problem: str | None = None
        self._line = 1
        self._began_on = 0  # the line on which the element began; 0 before its first byte
        self._depth = 0
        self._is_text = False
        self._is_escaped = False

    def each(self) -> Iterator[tuple[int, bytes, str | None]]:
        """Line, bytes and problem of each element."""
        piece, is_over = self._begin, False
        while piece:
            if is_over and piece.strip(_BLANK):
                yield self._behind(piece)
                return
            for end in self._ends(piece):
                element = self._taken()
                is_over = self._depth == 0
                # Before the end of an empty list, and nowhere else, there may be nothing.
                if element[1] or element[2] or not is_over:
                    yield element
                if is_over and piece[end:].strip(_BLANK):
                    yield self._behind(piece[end:])
                    return
            piece = self._file.read(PIECE)
        if not is_over:
            yield self._began_on or self._line, b"", _NO_END

    def _behind(self, rest: bytes) -> tuple[int, bytes, str]:
        blank = rest[: len(rest) - len(rest.lstrip(_BLANK))]
        line = self._line + blank.count(b"\n")
        return line, b"", "this stands after the end of the list and was not read"

    def _ends(self, piece: bytes) -> Iterator[int]:
        """Take in a piece; stop behind every comma and bracket that ends an element."""
        at = 0
        while at < len(piece):
            if self._is_escaped:
                self._is_escaped = False
                self._line += piece[at : at + 1] == b"\n"
                self._keep(piece[at : at + 1])
                at += 1
                continue
            found = (_INSIDE if self._is_text else _OUTSIDE).search(piece, at)
            if found is None:
                self._keep(piece[at:])
                return
            mark = found[0]
            self._keep(piece[at : found.start()])
            at = found.end()
            if self._meets(mark):
                yield at
                if self._depth == 0:
                    return

    def _meets(self, mark: bytes) -> bool:
        """Whether the mark ends an element; what does not belong to it is left out."""
        if mark == b"\n":
            self._line += 1
            if self._is_text:
                # What follows is taken for the next element: most rosters have one company a line.
                self._is_text, self._depth = False, 1
                self._problem = self._problem or "a quote is missing on this line"
                return True
        elif mark == b'"':
            self._is_text = not self._is_text
        elif mark == b"\\":
            self._is_escaped = True
        elif mark in b"[{":
            self._depth += 1
            if self._depth == 1:
                return False
        elif mark == b"]" or (mark == b"}" and self._depth > 1):
            self._depth -= 1
            if self._depth == 0:
                return True
        elif self._depth == 1:
            return True
        self._keep(mark)
        return False

    def _keep(self, part: bytes) -> None:
        if not self._began_on:
            part = part.lstrip(_BLANK)
            if not part:
                return
            self._began_on = self._line
        if len(self._raw) + len(part) > LONGEST_ROW:
            self._problem = f"longer than {LONGEST_ROW:,} bytes"
            self._raw.clear()
        if self._problem is None:
            self._raw += part

    def _taken(self) -> tuple[int, bytes, str | None]:
        raw, line = bytes(self._raw.strip(_BLANK)), self._began_on or self._line
        problem = self._problem
        self._raw.clear()
        self._began_on, self._problem = 0, None
        return line, raw, problem


class _Joined(io.RawIOBase):
    """The bytes that have been looked at already, and the file after them."""

    def __init__(self, begin: bytes, file: BinaryIO) -> None:
        self._begin = begin
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._begin[: len(buffer)] or self._file.read(len(buffer))
        self._begin = self._begin[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _csv_rows(begin: bytes, file: BinaryIO) -> Iterator[Row]:
    # What is no UTF-8 stays visible as surrogates, so that it spoils its own row only.
    buffered = io.BufferedReader(_Joined(begin, file), PIECE)
    lines = _Lines(io.TextIOWrapper(buffered, "utf-8", errors="surrogateescape", newline=""))
    header: list[str] | None = None
    while True:
        line = lines.begin()
        try:
            cells = next(csv.reader(lines))
        except StopIteration:
            return
        except csv.Error as error:
            if header is None:
                raise RosterUnreadable(f"line {line}: {error}") from None
            yield Row(line, None, f"not CSV: {error}; is a quote missing?")
            lines.read_again()
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = _header_of(cells, line)
        elif len(lines.row) > 1 and (len(cells) != len(header) or not _is_closed(lines.row)):
            yield Row(line, None, "a quote is missing on this line")
            lines.read_again()
        else:
            yield _csv_row(header, cells, line)


class _Lines:
    """The lines of a CSV. An open quote takes in the rows behind it, and they can be read again."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.row: list[str] = []
        self._text = text
        self._again: deque[str] = deque()
        self._line = 1

    def begin(self) -> int:
        """Begin with another row; the line it is on."""
        self._line += len(self.row)
        self.row = []
        return self._line

    def read_again(self) -> None:
        """Give out once more what followed the first line of the row."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.row) == MOST_LINES:
            raise csv.Error(f"a row of more than {MOST_LINES} lines")
        self.row.append(self._again.popleft() if self._again else next(self._text))
        return self.row[-1]


def _is_closed(lines: list[str]) -> bool:
    """Whether every quote in a row of several lines is where it belongs; the reader takes the end for one."""
    try:
        list(csv.reader(lines, strict=True))
    except csv.Error:
        return False
    return True


def _header_of(cells: list[str], line: int) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in FIELDS:
            raise RosterUnreadable(f"line {line}: no column is called {quoted(name)}; {meant(name, FIELDS)}")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RosterUnreadable(f"line {line}: two columns are called {quoted(twice)}")
    if lacking := next((name for name in ("id", "timezone") if name not in names), None):
        raise RosterUnreadable(f"line {line}: the header has no column {quoted(lacking)}")
    return names


def _csv_row(header: list[str], cells: list[str], line: int) -> Row:
    if len(cells) != len(header):
        return Row(line, None, f"{len(cells)} columns where the header has {len(header)}")
    if any("\ud800" <= char <= "\udfff" for cell in cells for char in cell):
        return Row(line, None, "not UTF-8; save the file as UTF-8")
    return Row(line, {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()})

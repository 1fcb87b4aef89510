"""Read JSON and remember the line of every key, so that a mistake can be pointed at.

Slips that leave no doubt about what was meant (a comment, a comma too many, `True`) are recorded
and read on from, so that one look at the messages mends the whole file.
"""

import json
import re
from bisect import bisect_right
from typing import Any, NamedTuple, NoReturn

from daemon.config.problems import Place, quoted

LONGEST_FILE = 1024 * 1024  # bytes; a config is written by people, this is a hundred times a large one
DEEPEST = 32  # levels; the deepest key of the config is at 6
LONGEST_NUMBER = 40  # characters; int() of a very long one is slow, and refused by Python itself

_BLANK = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"[^\s,:\[\]{}\"]+")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_SLIPS: dict[str, tuple[Any, str]] = {
    "True": (True, "write true"),
    "False": (False, "write false"),
    "None": (None, "write null"),
    "NaN": (0, "write a plain number"),
    "Infinity": (0, "write a plain number"),
    "-Infinity": (0, "write a plain number"),
}


class Slip(NamedTuple):
    """Something that JSON does not allow; `place` is empty where no key can be named."""

    line: int
    place: Place
    text: str


class Document(NamedTuple):
    """A file as read: its value (None when it could not be read to its end) and every key's line."""

    value: Any
    lines: dict[Place, int]
    slips: list[Slip]


class _Stop(Exception):
    """Reading cannot go on."""


def read_document(data: bytes) -> Document:
    """Read UTF-8 JSON. Never raises: what is wrong is among the `slips`."""
    if len(data) > LONGEST_FILE:
        return Document(
            None,
            {},
            [Slip(1, (), f"the file has {len(data):,} bytes; {LONGEST_FILE:,} are the most it may have")],
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Document(None, {}, [Slip(line, (), "the file is not UTF-8 text; save it as UTF-8")])
    reader = _Reader(text)
    try:
        return Document(reader.whole(), reader.lines, reader.slips)
    except _Stop:
        return Document(None, reader.lines, reader.slips)


class _Reader:
    """A recursive descent over the text; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.breaks = [found.start() for found in re.finditer("\n", text)]
        self.lines: dict[Place, int] = {}
        self.slips: list[Slip] = []

    def whole(self) -> Any:
        self.skip_blanks(())
        if self.at == len(self.text):
            self.stop((), "the file is empty; write at least {}")
        value = self.value(())
        self.skip_blanks(())
        if self.at < len(self.text):
            self.stop(
                (), f"{self.here()} comes after the end; a bracket is closed too early, or one is too many"
            )
        return value

    def value(self, place: Place) -> Any:
        self.lines.setdefault(place, self.line())
        if len(place) > DEEPEST:
            self.stop(place[:3], f"nested deeper than {DEEPEST} levels")
        first = self.text[self.at : self.at + 1]
        if first == "{":
            return self.members(place)
        if first == "[":
            return self.elements(place)
        if first == '"':
            return self.string(place)
        return self.word(place)

    def members(self, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        opened = self.line()
        self.at += 1
        while not self.closes("}", place, opened, is_first=not found):
            key_line = self.line()
            if self.text[self.at] != '"':
                self.stop(place, f'a key in double quotes is missing here: {self.here()}; write "key": value')
            key = self.string(place)
            inner = (*place, key)
            if key in found:
                self.slip(
                    inner, f"this key is written twice; the first is in line {self.lines[inner]}", key_line
                )
            else:
                self.lines[inner] = key_line
            self.skip_blanks(inner)
            if self.text[self.at : self.at + 1] != ":":
                self.stop(inner, f"a colon is missing after the key; write {quoted(key)}: value")
            self.at += 1
            self.skip_blanks(inner)
            value = self.value(inner)
            found.setdefault(key, value)
        return found

    def elements(self, place: Place) -> list[Any]:
        found: list[Any] = []
        opened = self.line()
        self.at += 1
        while not self.closes("]", place, opened, is_first=not found):
            found.append(self.value((*place, len(found))))
        return found

    def closes(self, bracket: str, place: Place, opened: int, *, is_first: bool) -> bool:
        """Whether the object or list ends here; if not, the comma before the next part is read."""
        self.skip_blanks(place)
        if not is_first and self.text[self.at : self.at + 1] == ",":
            comma_line = self.line()
            self.at += 1
            self.skip_blanks(place)
            if self.text[self.at : self.at + 1] == bracket:
                self.slip(place, f'the comma before "{bracket}" is one too many', comma_line)
        elif not is_first and self.text[self.at : self.at + 1] not in (bracket, ""):
            self.stop(place, f"a comma is missing before {self.here()}")
        if self.at == len(self.text):
            self.stop(place, f'the file ends before the "{bracket}" that closes line {opened}')
        if self.text[self.at] == bracket:
            self.at += 1
            return True
        return False

    def string(self, place: Place) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            self.stop(place, "the text that begins here has no closing quote in its line")
        try:
            text: str = json.loads(found.group())
            text.encode()
        except json.JSONDecodeError:
            self.stop(place, r"the text has a backslash that JSON does not know; write \\ for a backslash")
        except UnicodeEncodeError:
            self.stop(place, r"the text has half a \u pair; write the character itself")
        if "\0" in text:
            self.slip(place, "the text has a NUL character; take it out")
            text = text.replace("\0", "")
        self.at = found.end()
        return text

    def word(self, place: Place) -> Any:
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return self.number(number.group(), place)
        found = _WORD.match(self.text, self.at)
        if found is None:
            self.stop(place, f"a value is missing before {self.here()}")
        word = found.group()
        if word not in _WORDS and word not in _SLIPS:
            # The word itself is not repeated: it may be a secret whose quotes were forgotten.
            self.stop(place, "this is no JSON value; text needs double quotes")
        self.at = found.end()
        if word in _SLIPS:
            value, advice = _SLIPS[word]
            self.slip(place, f"{word} is no JSON; {advice}")
            return value
        return _WORDS[word]

    def number(self, text: str, place: Place) -> int | float:
        if len(text) <= LONGEST_NUMBER:
            value: int | float = json.loads(text)
            if abs(value) != float("inf"):
                return value
        self.slip(place, "the number is too large")
        return 0

    def skip_blanks(self, place: Place) -> None:
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return
            self.slip(place, "JSON has no comments; take this one out")
            self.at = comment.end()

    def line(self) -> int:
        return bisect_right(self.breaks, self.at - 1) + 1

    def here(self) -> str:
        """Name the next character; more of the text might be a secret."""
        return quoted(self.text[self.at]) if self.at < len(self.text) else "the end of the file"

    def slip(self, place: Place, text: str, line: int | None = None) -> None:
        self.slips.append(Slip(line or self.line(), place, text))

    def stop(self, place: Place, text: str) -> NoReturn:
        self.slip(place, text)
        raise _Stop

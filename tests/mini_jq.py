"""Stands in for jq where it is not installed: the part of its language that our documents use.

Paths (`.a.b`, `[2]`, `[]`), pipes, `select`, comparisons, lists and objects of fields, `@tsv`, `length`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

TOKEN = re.compile(r'"[^"]*"|-?\d+|==|!=|>|@tsv|[A-Za-z_]\w*|[.|,(){}\[\]]|\S')
Filter = Callable[[Any], Iterable[Any]]
JUDGES: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
}


class Reader:
    """Reads a filter from its text."""

    def __init__(self, text: str) -> None:
        self._left = TOKEN.findall(text)

    def whole(self) -> Filter:
        """The filter; anything that is not known here is refused."""
        found = self._piped()
        if self._left:
            raise ValueError(f"more of jq than is known here: {' '.join(self._left)}")
        return found

    def _next_is(self, *wanted: str) -> bool:
        return bool(self._left) and self._left[0] in wanted

    def _take(self, *wanted: str) -> str:
        if not self._left or (wanted and self._left[0] not in wanted):
            raise ValueError(f"one of {wanted} is wanted before {' '.join(self._left)}")
        return str(self._left.pop(0))

    def _piped(self) -> Filter:
        first = self._compared()
        if not self._next_is("|"):
            return first
        self._take("|")
        rest = self._piped()
        return lambda value: (last for each in first(value) for last in rest(each))

    def _compared(self) -> Filter:
        left = self._term()
        if not self._next_is(*JUDGES):
            return left
        judge, right = JUDGES[self._take()], self._term()
        return lambda value: (judge(one, two) for one in left(value) for two in right(value))

    def _term(self) -> Filter:
        if self._next_is("."):
            return self._path()
        token = self._take()
        if token == "select":
            return self._select()
        if token == "[":
            parts = self._several("]", self._compared)
            return lambda value: [[last for part in parts for last in part(value)]]
        if token == "{":
            names = self._several("}", self._take)
            return lambda value: [{name: value.get(name) for name in names}]
        if token == "@tsv":
            return lambda value: ["\t".join("" if it is None else str(it) for it in value)]
        if token == "length":
            return lambda value: [len(value)]
        literal = json.loads(token)
        return lambda _value: [literal]

    def _select(self) -> Filter:
        self._take("(")
        condition = self._piped()
        self._take(")")
        return lambda value: [value] if any(condition(value)) else []

    def _several(self, end: str, read: Callable[[], Any]) -> list[Any]:
        found = [read()]
        while self._take(",", end) == ",":
            found.append(read())
        return found

    def _path(self) -> Filter:
        self._take(".")
        steps: list[Filter] = []
        while self._next_is(".", "[") or (self._left and re.match("[A-Za-z_]", self._left[0])):
            token = self._take()
            if token == "[":
                steps.append(self._index())
            elif token != ".":
                steps.append(lambda value, name=token: [value.get(name)])  # type: ignore[misc]
            # A bare name ends a path unless a dot or a bracket goes on with it.
            if token != "." and not self._next_is(".", "["):
                break
        return lambda value: _walk(value, steps)

    def _index(self) -> Filter:
        token = self._take()
        if token == "]":
            return lambda value: value
        self._take("]")
        return lambda value: [value[int(token)]]


def _walk(value: Any, steps: list[Filter]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for each in steps[0](value):
        yield from _walk(each, steps[1:])


def values_in(text: str) -> Iterator[Any]:
    """All the JSON values that stand one after another in a text."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at = len(text) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


def main(argv: list[str]) -> None:
    """Run as jq is: options, the filter, files or stdin."""
    flags = [it for it in argv if re.fullmatch("-[rc]+", it)]
    text, *files = [it for it in argv if it not in flags]
    chosen = "".join(flags)
    chosen_filter = Reader(text).whole()
    inputs = [open(name, encoding="utf-8").read() for name in files] or [sys.stdin.read()]  # noqa: PTH123, SIM115
    for value in (it for text in inputs for it in values_in(text)):
        for found in chosen_filter(value):
            is_raw = "r" in chosen and isinstance(found, str)
            indent = None if "c" in chosen else 2
            sys.stdout.write((found if is_raw else json.dumps(found, indent=indent)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

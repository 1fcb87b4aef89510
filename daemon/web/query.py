"""What may stand in the query of a route: declared once, checked and described from that."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from daemon.config.problems import meant, quoted
from daemon.operations import Unfit

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
LONGEST_TEXT = 200
LONGEST_WAIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One name of a query: what it is for, what it may be, and what it is where it is left out."""

    name: str
    about: str
    schema: Mapping[str, Any]
    value_of: Callable[[str], Any]  # raises Unfit
    default: Any = None


def whole(name: str, about: str, default: int, most: int, least: int = 0) -> Param:
    """A whole number, written in plain digits: 21.0 is none, nor is +21."""

    def value_of(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise Unfit(f"{name}: {quoted(text)} is no whole number from {least} to {most}")
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return Param(name=name, about=about, schema=schema, value_of=value_of, default=default)


def flag(name: str, about: str, *, default: bool = False) -> Param:
    """Something that is so, 1, or is not, 0."""

    def value_of(text: str) -> bool:
        if text not in ("0", "1"):
            raise Unfit(f"{name}: {quoted(text)} is neither 0 nor 1")
        return text == "1"

    schema = {"type": "integer", "enum": [0, 1], "default": int(default)}
    return Param(name=name, about=about, schema=schema, value_of=value_of, default=default)


def text(name: str, about: str, default: str | None = None) -> Param:
    """A few words."""

    def value_of(given: str) -> str:
        if not 0 < len(given) <= LONGEST_TEXT:
            raise Unfit(f"{name}: {quoted(given)} is none; 1 to {LONGEST_TEXT} characters are")
        return given

    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
    return Param(name=name, about=about, schema=schema, value_of=value_of, default=default)


def day(name: str, about: str) -> Param:
    """A date; None where it is left out."""
    schema = {"type": "string", "format": "date", "pattern": DATE_PATTERN}
    return Param(name=name, about=about, schema=schema, value_of=lambda given: day_of(name, given))


def choice(name: str, about: str, options: Iterable[StrEnum]) -> Param:
    """One of a few words; None where it is left out."""
    known = [option.value for option in options]

    def value_of(given: str) -> str:
        if given not in known:
            raise Unfit(f"{name}: {quoted(given)} is none; {meant(given, known)}")
        return given

    return Param(name=name, about=about, schema={"type": "string", "enum": known}, value_of=value_of)


def wait(default: int = 0) -> Param:
    """How long the caller waits for the end of what was begun."""
    return whole("wait", "Seconds to wait for the end of what was begun.", default, LONGEST_WAIT_S)


def read_query(params: Iterable[Param], given: Mapping[str, str]) -> dict[str, Any]:
    """What a query says, with what is left out.

    Raises:
        Unfit: a name that is not known here, or a value that makes no sense; the message names it.
    """
    values = {}
    known = {param.name: param for param in params}
    for name, text_given in given.items():
        if name not in known:
            raise Unfit(f"{quoted(name)} is no part of this query; {meant(name, known)}")
        if name in values:
            raise Unfit(f"{name}: it stands here twice")
        values[name] = known[name].value_of(text_given)
    return {name: values.get(name, param.default) for name, param in known.items()}


def day_of(name: str, given: str) -> date:
    """A date as it is written in paths and queries. Unfit: it is none."""
    # Python itself also reads 20261121 and 2026-W47-6.
    if re.fullmatch(DATE_PATTERN, given):
        with suppress(ValueError):
            return date.fromisoformat(given)
    raise Unfit(f"{name}: {quoted(given)} is no date; write it as 2026-11-21")

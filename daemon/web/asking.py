"""What a route is handed, and what it gives back: no library's own request and response in either."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from typing import Any, TypeVar

from msgspec import convert

from daemon.config.problems import quoted
from daemon.operations import Operations, Unfit
from state.codec import from_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request: the names in its path, its query, its body."""

    operations: Operations
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def count(self, name: str, default: int, most: int) -> int:
        """A whole number of the query, at least 0.

        Raises:
            Unfit: it is none, or more than `most`.
        """
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or int(text[:20]) > most:
            raise Unfit(f"{name}: {quoted(text)} is no whole number from 0 to {most}")
        return int(text)

    def day(self, text: str) -> date:
        """A date as it is written in paths and queries. Unfit: it is none."""
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Unfit(f"date: {quoted(text)} is no date; write it as 2026-11-21") from None

    def read(self, kind: type[T]) -> T:
        """The body as what it should be; an empty one is an object without fields.

        Raises:
            NotJson, ValidationError: it is not; the message names the field.
        """
        return convert(from_json(self.body or b"{}"), kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Bytes that are sent as they are: a page, metrics."""

    body: bytes
    media: str  # the media type, with its charset where it is text


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Pieces that are sent as they come, until there are no more or the caller is gone."""

    pieces: AsyncIterator[bytes]
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: a value that becomes JSON, `Raw` or a `Stream`; how many rows there are in all."""

    value: Any
    status: int = HTTPStatus.OK
    total: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

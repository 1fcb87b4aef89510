"""What a route of the API is: a method and a path, who may ask, how much may be sent, who answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from daemon.web.asking import Answer, Asking

SMALL_BODY = 64 * 1024
LONGEST_WAIT_S = 60
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class Scope(StrEnum):
    """What a caller has to be allowed to."""

    OPEN = "open"
    READ = "read"
    OPERATE = "operate"


class Body(Struct, forbid_unknown_fields=True, rename="camel"):
    """What all bodies are: objects whose fields are known."""


class Nothing(Body):
    """A body that says nothing: what is asked for stands in the path."""


Answering = Callable[[Asking], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the table: what is asked, who may ask, how much may be sent, who answers."""

    method: str
    path: str
    scope: Scope
    answer: Answering
    body: type | None = None
    most_bytes: int = SMALL_BODY


def read(path: str, answer: Answering, scope: Scope = Scope.READ) -> Route:
    """A route by which something is asked."""
    return Route(method="GET", path=path, scope=scope, answer=answer)


def do(path: str, answer: Answering, body: type, most_bytes: int = SMALL_BODY) -> Route:
    """A route by which something is done."""
    return Route(
        method="POST", path=path, scope=Scope.OPERATE, answer=answer, body=body, most_bytes=most_bytes
    )


def wait_of(asking: Asking, default: int = 0) -> int:
    """How many seconds the caller waits for the end of what was begun."""
    return asking.count("wait", default, LONGEST_WAIT_S)

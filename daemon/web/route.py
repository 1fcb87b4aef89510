"""What a route of the API is: a method and a path, who may ask, how much may be sent, who answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, Struct

from daemon.web.asking import Answer, Asking
from daemon.web.caller import Scope as Scope
from daemon.web.pacing import Limit
from daemon.web.query import DATE_PATTERN, Param

SMALL_BODY = 64 * 1024
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
# What reads these says better than a pattern could what is wrong with one; it is there for other programs.
DateText = Annotated[Short, Meta(extra_json_schema={"pattern": DATE_PATTERN, "format": "date"})]
Until = Annotated[Short, Meta(extra_json_schema={"pattern": "^([1-9][0-9]{0,3}(s|m|h)|[0-9]{4}-.*)$"})]


class Body(Struct, forbid_unknown_fields=True, rename="camel"):
    """What all bodies are: objects whose fields are known."""


class Nothing(Body):
    """A body that says nothing: what is asked for stands in the path."""


Answering = Callable[[Asking], Awaitable[Answer]]
# What is sent back: a type, several where the query decides, or the media type of what is no JSON.
Gives = Any


# A row is the same as itself alone: so it can be looked up by.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One row of the table. What it says is checked before it is answered, and described in openapi.json."""

    method: str
    path: str
    scope: Scope
    answer: Answering
    query: tuple[Param, ...] = ()
    body: type | None = None
    gives: Gives = None
    status: HTTPStatus = HTTPStatus.OK
    most_bytes: int = SMALL_BODY
    limit: Limit | None = None
    when_down: Gives = None  # what is sent with 503, where that is an answer as well
    is_tagged: bool = False  # its answers are compared by ETag, and not sent again where they are the same

    @property
    def is_keyed(self) -> bool:
        """Whether its body may hold a key by which the same thing is done once, for good."""
        return "key" in getattr(self.body, "__struct_fields__", ())


def read(
    path: str,
    answer: Answering,
    scope: Scope = Scope.READ,
    *,
    gives: Gives = None,
    query: tuple[Param, ...] = (),
    when_down: Gives = None,
    is_tagged: bool = False,
) -> Route:
    """A route by which something is asked."""
    return Route(
        method="GET",
        path=path,
        scope=scope,
        answer=answer,
        query=query,
        gives=gives,
        when_down=when_down,
        is_tagged=is_tagged,
    )


def do(
    path: str,
    answer: Answering,
    body: type,
    most_bytes: int = SMALL_BODY,
    *,
    gives: Gives = None,
    query: tuple[Param, ...] = (),
    status: HTTPStatus = HTTPStatus.OK,
    limit: Limit = Limit.OPERATING,
    method: str = "POST",
) -> Route:
    """A route by which something is done."""
    return Route(
        method=method,
        path=path,
        scope=Scope.OPERATE,
        answer=answer,
        query=query,
        body=body,
        gives=gives,
        status=status,
        most_bytes=most_bytes,
        limit=limit,
    )

"""The routes of the API, one function each, and the table of them all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, Struct

from daemon.web.asking import Answer, Asking

SMALL_BODY = 64 * 1024
ITEMS_BODY = 1024 * 1024
LONGEST_WAIT_S = 60
DEFAULT_ROWS = 100
MOST_ROWS = 10_000
FARTHEST = 1_000_000_000
Short = Annotated[str, Meta(min_length=1, max_length=200)]


class Scope(StrEnum):
    """What a caller has to be allowed to."""

    OPEN = "open"
    READ = "read"
    OPERATE = "operate"


class Body(Struct, forbid_unknown_fields=True, rename="camel"):
    """What all bodies are: objects whose fields are known."""


class NewTask(Body):
    """A task to promise."""

    handler: Short
    args: dict[str, Any] = {}
    key: Short | None = None


class NewRun(Body):
    """A run of a schedule."""

    args: dict[str, Any] = {}
    key: Short | None = None


class NewPause(Body):
    """A pause, its end and its reason."""

    until: Short
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class NewSend(Body):
    """A digest to send; `again` where its first outcome is unknown."""

    again: bool = False


class NewResolve(Body):
    """Who says that an alert is over."""

    by: Short = "operator"


class NewTest(Body):
    """The channel to try."""

    channel: Short


class Nothing(Body):
    """A body that says nothing: what is asked for stands in the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the table: what is asked, who may ask, how much may be sent, who answers."""

    method: str
    path: str
    scope: Scope
    answer: Callable[[Asking], Awaitable[Answer]]
    body: type | None = None
    most_bytes: int = SMALL_BODY


async def livez(asking: Asking) -> Answer:
    """Say whether the process is alive: its loops have ticked lately."""
    if asking.operations.is_live:
        return Answer(value={"status": "ok"})
    return Answer(value={"status": "the loops have stopped"}, status=HTTPStatus.SERVICE_UNAVAILABLE)


async def readyz(asking: Asking) -> Answer:
    """Say whether work is taken and done."""
    if asking.operations.is_ready:
        return Answer(value={"status": "ready"})
    return Answer(value={"status": "not ready"}, status=HTTPStatus.SERVICE_UNAVAILABLE)


async def status(asking: Asking) -> Answer:
    """How it is, in one object."""
    return Answer(value=await asking.operations.status())


async def schedules(asking: Asking) -> Answer:
    """All schedules."""
    return Answer(value=await asking.operations.schedules())


async def tasks(asking: Asking) -> Answer:
    """Unfinished tasks: `limit`, `state`."""
    limit = asking.count("limit", DEFAULT_ROWS, MOST_ROWS)
    rows, total = await asking.operations.tasks(limit, asking.query.get("state"))
    return Answer(value=rows, total=total)


async def task(asking: Asking) -> Answer:
    """One task; `wait` so many seconds for its end."""
    return Answer(value=await asking.operations.task(asking.path["id"], _wait(asking)))


async def history(asking: Asking) -> Answer:
    """The last 50 runs, newest last."""
    return Answer(value=await asking.operations.history())


async def items(asking: Asking) -> Answer:
    """Waiting leads, or `all=1` there ever were: `limit`, `offset`."""
    limit = asking.count("limit", DEFAULT_ROWS, MOST_ROWS)
    offset = asking.count("offset", 0, FARTHEST)
    if asking.count("all", 0, 1):
        return Answer(value=await asking.operations.all_items(limit, offset))
    rows, total = await asking.operations.items(limit, offset)
    return Answer(value=rows, total=total)


async def add_items(asking: Asking) -> Answer:
    """Take an array of leads into the queue."""
    return Answer(value=await asking.operations.add_items(asking.read(list)))


async def digests(asking: Asking) -> Answer:
    """Digests by date, newest first: `limit`."""
    return Answer(value=await asking.operations.digests(asking.count("limit", 50, 400)))


async def digest(asking: Asking) -> Answer:
    """The digest of a date, or the `newest`."""
    named = asking.path["date"]
    day = None if named == "newest" else asking.day(named)
    return Answer(value=await asking.operations.digest(day))


async def send_digest(asking: Asking) -> Answer:
    """Send the digest of a date, or the `newest`."""
    named = asking.path["date"]
    day = None if named == "newest" else asking.day(named)
    wanted = asking.read(NewSend)
    sent = await asking.operations.send_digest(day, again=wanted.again, wait_s=_wait(asking))
    return Answer(value=sent, status=HTTPStatus.ACCEPTED)


async def alerts(asking: Asking) -> Answer:
    """Alerts of late, or only those with `open=1`."""
    return Answer(value=await asking.operations.alerts(open_only=bool(asking.count("open", 0, 1))))


async def resolve_alert(asking: Asking) -> Answer:
    """Close an open alert by its id, or by its name where that is clear."""
    by = asking.read(NewResolve).by
    return Answer(value=await asking.operations.resolve_alert(asking.path["id"], by))


async def channels(asking: Asking) -> Answer:
    """The channels that can be sent on."""
    return Answer(value=await asking.operations.channels())


async def test_channel(asking: Asking) -> Answer:
    """Send a test message on a channel."""
    return Answer(value=await asking.operations.test_channel(asking.read(NewTest).channel))


async def new_task(asking: Asking) -> Answer:
    """Promise one task of a handler."""
    new = asking.read(NewTask)
    made = await asking.operations.enqueue(new.handler, new.args, new.key, _wait(asking))
    return Answer(value=made, status=HTTPStatus.ACCEPTED)


async def trigger(asking: Asking) -> Answer:
    """Run a schedule now, beside its slots."""
    new = asking.read(NewRun)
    made = await asking.operations.trigger(asking.path["name"], new.args, new.key, _wait(asking))
    return Answer(value=made, status=HTTPStatus.ACCEPTED)


async def pause(asking: Asking) -> Answer:
    """Leave out the slots of a schedule for a while."""
    wanted = asking.read(NewPause)
    return Answer(value=await asking.operations.pause(asking.path["name"], wanted.until, wanted.reason))


async def resume(asking: Asking) -> Answer:
    """End the pause of a schedule."""
    asking.read(Nothing)
    return Answer(value=await asking.operations.resume(asking.path["name"]))


def _wait(asking: Asking) -> int:
    return asking.count("wait", 0, LONGEST_WAIT_S)


def _read(path: str, answer: Callable[[Asking], Awaitable[Answer]], scope: Scope = Scope.READ) -> Route:
    return Route(method="GET", path=path, scope=scope, answer=answer)


def _do(
    path: str, answer: Callable[[Asking], Awaitable[Answer]], body: type, most_bytes: int = SMALL_BODY
) -> Route:
    return Route(
        method="POST", path=path, scope=Scope.OPERATE, answer=answer, body=body, most_bytes=most_bytes
    )


ROUTES = (
    _read("/livez", livez, Scope.OPEN),
    _read("/readyz", readyz, Scope.OPEN),
    _read("/api/status", status),
    _read("/api/schedules", schedules),
    _do("/api/schedules/{name}/trigger", trigger, NewRun),
    _do("/api/schedules/{name}/pause", pause, NewPause),
    _do("/api/schedules/{name}/resume", resume, Nothing),
    _read("/api/tasks", tasks),
    _do("/api/tasks", new_task, NewTask),
    _read("/api/tasks/{id}", task),
    _read("/api/history", history),
    _read("/api/items", items),
    _do("/api/items", add_items, list, ITEMS_BODY),
    _read("/api/digests", digests),
    _read("/api/digests/{date}", digest),
    _do("/api/digests/{date}/send", send_digest, NewSend),
    _read("/api/alerts", alerts),
    _do("/api/alerts/{id}/resolve", resolve_alert, NewResolve),
    _read("/api/channels", channels),
    _do("/api/notify/test", test_channel, NewTest),
)

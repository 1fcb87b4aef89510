"""The routes of the API, one function each, and the table of them all."""

from http import HTTPStatus
from typing import Any

from msgspec import field

from daemon.web.alerting import ALERT_ROUTES
from daemon.web.asking import Answer, Asking
from daemon.web.companies import COMPANY_ROUTES
from daemon.web.emergency import EMERGENCY_ROUTES
from daemon.web.health import HEALTH_ROUTES
from daemon.web.reports import REPORT_ROUTES
from daemon.web.route import Body, Nothing, Reason, Route, Scope, Short, do, read, wait_of

ITEMS_BODY = 1024 * 1024
DEFAULT_ROWS = 100
MOST_ROWS = 10_000
FARTHEST = 1_000_000_000


class NewTask(Body):
    """A task to promise."""

    handler: Short
    args: dict[str, Any] = field(default_factory=dict)
    key: Short | None = None


class NewRun(Body):
    """A run of a schedule."""

    args: dict[str, Any] = field(default_factory=dict)
    key: Short | None = None


class NewPause(Body):
    """A pause, its end and its reason."""

    until: Short
    reason: Reason


class NewSend(Body):
    """A digest to send; `again` where its first outcome is unknown."""

    again: bool = False


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
    return Answer(value=await asking.operations.task(asking.path["id"], wait_of(asking)))


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
    sent = await asking.operations.send_digest(day, again=wanted.again, wait_s=wait_of(asking))
    return Answer(value=sent, status=HTTPStatus.ACCEPTED)


async def new_task(asking: Asking) -> Answer:
    """Promise one task of a handler."""
    new = asking.read(NewTask)
    made = await asking.operations.enqueue(new.handler, new.args, new.key, wait_of(asking))
    return Answer(value=made, status=HTTPStatus.ACCEPTED)


async def trigger(asking: Asking) -> Answer:
    """Run a schedule now, beside its slots."""
    new = asking.read(NewRun)
    made = await asking.operations.trigger(asking.path["name"], new.args, new.key, wait_of(asking))
    return Answer(value=made, status=HTTPStatus.ACCEPTED)


async def pause(asking: Asking) -> Answer:
    """Leave out the slots of a schedule for a while."""
    wanted = asking.read(NewPause)
    return Answer(value=await asking.operations.pause(asking.path["name"], wanted.until, wanted.reason))


async def resume(asking: Asking) -> Answer:
    """End the pause of a schedule."""
    asking.read(Nothing)
    return Answer(value=await asking.operations.resume(asking.path["name"]))


ROUTES: tuple[Route, ...] = (
    read("/livez", livez, Scope.OPEN),
    read("/readyz", readyz, Scope.OPEN),
    read("/api/status", status),
    read("/api/schedules", schedules),
    do("/api/schedules/{name}/trigger", trigger, NewRun),
    do("/api/schedules/{name}/pause", pause, NewPause),
    do("/api/schedules/{name}/resume", resume, Nothing),
    read("/api/tasks", tasks),
    do("/api/tasks", new_task, NewTask),
    read("/api/tasks/{id}", task),
    read("/api/history", history),
    read("/api/items", items),
    do("/api/items", add_items, list, ITEMS_BODY),
    read("/api/digests", digests),
    read("/api/digests/{date}", digest),
    do("/api/digests/{date}/send", send_digest, NewSend),
    *ALERT_ROUTES,
    *EMERGENCY_ROUTES,
    *HEALTH_ROUTES,
    *COMPANY_ROUTES,
    *REPORT_ROUTES,
)

"""The routes of the API, one function each, and the table of them all."""

from http import HTTPStatus
from typing import Any

from msgspec import field

from daemon.web.alerting import ALERT_ROUTES
from daemon.web.answers import Lead, work
from daemon.web.asking import JSON, Answer, Asking, Raw
from daemon.web.companies import COMPANY_ROUTES
from daemon.web.emergency import EMERGENCY_ROUTES
from daemon.web.events import EVENT_ROUTES
from daemon.web.health import HEALTH_ROUTES
from daemon.web.metrics import METRIC_ROUTES
from daemon.web.openapi import described
from daemon.web.pages import PAGE_ROUTES
from daemon.web.paging import after, page, page_at
from daemon.web.query import choice, day, flag, wait, whole
from daemon.web.reports import REPORT_ROUTES
from daemon.web.route import Body, Nothing, Reason, Route, Scope, Short, Until, do, read
from daemon.web.runs import RUN_ROUTES
from state.records import Task, TaskState

ITEMS_BODY = 1024 * 1024
DEFAULT_ROWS = 100
MOST_ROWS = 10_000
MOST_DIGESTS = 400
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

    until: Until
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
    """Say whether work is taken and begun, and whether somebody would hear if it failed."""
    lacks = await asking.operations.readiness.lacks()
    if not lacks:
        return Answer(value={"status": "ready"})
    # What it is says more than anybody may know.
    is_known = asking.caller is not None and asking.caller.may(Scope.READ)
    value = {"status": "not ready", **({"lacks": lacks} if is_known else {})}
    return Answer(value=value, status=HTTPStatus.SERVICE_UNAVAILABLE)


async def status(asking: Asking) -> Answer:
    """How it is, in one object."""
    return Answer(value=Raw(body=await asking.operations.encoded_status(), media=JSON))


async def schedules(asking: Asking) -> Answer:
    """All schedules."""
    return Answer(value=await asking.operations.schedules())


async def tasks(asking: Asking) -> Answer:
    """Unfinished tasks, first come first."""
    limit = asking.given["limit"]
    rows, total = await asking.operations.tasks(limit, asking.given["state"], asking.given["cursor"])
    return page(rows, limit, "id", total)


async def task(asking: Asking) -> Answer:
    """One task; one that is unfinished can be waited for."""
    return Answer(value=await asking.operations.task(asking.path["id"], asking.wait_s))


async def history(asking: Asking) -> Answer:
    """The last 50 runs, newest last."""
    return Answer(value=await asking.operations.history())


async def items(asking: Asking) -> Answer:
    """Leads, first come first: those that wait, or all there ever were."""
    limit, offset = asking.given["limit"], asking.given["cursor"] or asking.given["offset"]
    if asking.given["all"]:
        rows, total = await asking.operations.all_items(limit, offset), None
    else:
        rows, total = await asking.operations.items(limit, offset)
    return page_at(rows, limit, offset, total)


async def add_items(asking: Asking) -> Answer:
    """Take an array of leads into the queue."""
    return Answer(value=await asking.operations.add_items(asking.read(list)))


async def digests(asking: Asking) -> Answer:
    """Digests by date, newest first."""
    limit = asking.given["limit"]
    return page(await asking.operations.digests(limit, asking.given["cursor"]), limit, "date")


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
    sent = await asking.operations.send_digest(day, again=wanted.again, wait_s=asking.wait_s)
    return Answer(value=sent)


async def new_task(asking: Asking) -> Answer:
    """Promise one task of a handler."""
    new = asking.read(NewTask)
    made = await asking.operations.enqueue(new.handler, new.args, asking.key(new.key), asking.wait_s)
    return Answer(value=made)


async def trigger(asking: Asking) -> Answer:
    """Run a schedule now, beside its slots."""
    new = asking.read(NewRun)
    made = await asking.operations.trigger(asking.path["name"], new.args, asking.key(new.key), asking.wait_s)
    return Answer(value=made)


async def pause(asking: Asking) -> Answer:
    """Leave out the slots of a schedule for a while."""
    wanted = asking.read(NewPause)
    return Answer(value=await asking.operations.pause(asking.path["name"], wanted.until, wanted.reason))


async def resume(asking: Asking) -> Answer:
    """End the pause of a schedule."""
    asking.read(Nothing)
    return Answer(value=await asking.operations.resume(asking.path["name"]))


STATE = choice("state", "Only the tasks of this state.", [it for it in TaskState if not it.is_final])
FROM = whole("cursor", "How many leads the pages before had.", 0, FARTHEST)
OFFSET = whole("offset", "The same under its older name.", 0, FARTHEST)
ALL = flag("all", "1 for all leads there ever were, with what was thought of them.")
LIMIT = whole("limit", "How many rows at most.", DEFAULT_ROWS, MOST_ROWS)
ACCEPTED = HTTPStatus.ACCEPTED
PROMISED = (work.Promise, work.Finished)

TABLE: tuple[Route, ...] = (
    read("/livez", livez, Scope.OPEN, gives=work.Alive, when_down=work.Alive),
    read("/readyz", readyz, Scope.OPEN, gives=work.Alive, when_down=work.NotReady),
    read("/api/status", status, gives=work.Overview),
    read("/api/schedules", schedules, gives=list[work.Schedule]),
    do(
        "/api/schedules/{name}/trigger",
        trigger,
        NewRun,
        gives=PROMISED,
        query=(wait(),),
        status=ACCEPTED,
    ),
    do("/api/schedules/{name}/pause", pause, NewPause, gives=work.Schedule),
    do("/api/schedules/{name}/resume", resume, Nothing, gives=work.Schedule),
    read(
        "/api/tasks",
        tasks,
        gives=list[Task],
        query=(LIMIT, after("The id of the last task of the page before."), STATE),
    ),
    do("/api/tasks", new_task, NewTask, gives=PROMISED, query=(wait(),), status=ACCEPTED),
    read("/api/tasks/{id}", task, gives=Task, query=(wait(),)),
    read("/api/history", history, gives=list[Task]),
    read("/api/items", items, gives=list[Lead], query=(LIMIT, FROM, OFFSET, ALL)),
    do("/api/items", add_items, list, ITEMS_BODY, gives=work.Added),
    read(
        "/api/digests",
        digests,
        gives=list[work.DigestRow],
        query=(
            whole("limit", "How many dates at most.", 50, MOST_DIGESTS),
            day("cursor", "The last date of the page before."),
        ),
    ),
    read("/api/digests/{date}", digest, gives=work.Digest, is_tagged=True),
    do(
        "/api/digests/{date}/send",
        send_digest,
        NewSend,
        gives=PROMISED,
        query=(wait(),),
        status=ACCEPTED,
    ),
    *ALERT_ROUTES,
    *EMERGENCY_ROUTES,
    *HEALTH_ROUTES,
    *EVENT_ROUTES,
    *RUN_ROUTES,
    *METRIC_ROUTES,
    *PAGE_ROUTES,
    *COMPANY_ROUTES,
    *REPORT_ROUTES,
)

ROUTES = described(TABLE)

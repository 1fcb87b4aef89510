"""The routes of the health: how everything is, and trying what the daemon relies on."""

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta

from daemon.operations.health import LINKS
from daemon.reports.components import State
from daemon.web.answers import alerts, reports, work
from daemon.web.answers import health as shapes
from daemon.web.asking import Answer, Asking
from daemon.web.caller import Scope
from daemon.web.query import day, flag
from daemon.web.route import Body, Route, Short, do, read


class NewLinkCheck(Body):
    """Which link is to be tried: redis or database."""

    name: Annotated[Short, Meta(extra_json_schema={"enum": list(LINKS)})]


async def health(asking: Asking) -> Answer:
    """How every component is, at most some seconds ago; without a token no more than the word for all of it.

    503 as long as any component is down, whatever else still works; what is merely degraded is a 200.
    """
    is_known = asking.caller is not None and asking.caller.may(Scope.READ)
    found = await asking.operations.health.now(deep=is_known and asking.given["deep"])
    down = any(it["status"] == State.DOWN for it in found["components"].values())
    status = HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
    return Answer(value=found if is_known else {"status": found["status"]}, status=status)


async def check_link(asking: Asking) -> Answer:
    """Go through what a link is for, step by step."""
    return Answer(value=await asking.operations.health.check(asking.read(NewLinkCheck).name))


async def queues(asking: Asking) -> Answer:
    """How full the queue and the ledger are."""
    return Answer(value=await asking.operations.health.queues())


async def completion(asking: Asking) -> Answer:
    """Whether each delivered report of a date was kept whole and is the right one."""
    return Answer(value=await asking.operations.health.completion(asking.given["date"]))


HEALTH_ROUTES: tuple[Route, ...] = (
    read(
        "/api/reports/system/health",
        health,
        Scope.OPEN,
        gives=(shapes.Health, shapes.Shallow),
        when_down=(shapes.Health, shapes.Shallow),
        query=(flag("deep", "0 to leave the channels untried; trying one sends no message.", default=True),),
    ),
    read("/api/queues", queues, gives=work.Queues),
    read(
        "/api/completion",
        completion,
        gives=reports.Completion,
        query=(day("date", "The date; the newest of which a report has come due where it is left out."),),
    ),
    do("/api/links/check", check_link, NewLinkCheck, gives=alerts.Trial),
)

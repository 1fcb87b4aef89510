"""The routes of the health: how everything is, and trying what the daemon relies on."""

from daemon.web.asking import Answer, Asking
from daemon.web.route import Body, Route, Short, do, read


class NewLinkCheck(Body):
    """Which link is to be tried: redis or database."""

    name: Short


async def health(asking: Asking) -> Answer:
    """How every component is, measured now: `deep=1` tries every channel too, without a message."""
    return Answer(value=await asking.operations.health.now(deep=bool(asking.count("deep", 0, 1))))


async def check_link(asking: Asking) -> Answer:
    """Go through what a link is for, step by step."""
    return Answer(value=await asking.operations.health.check(asking.read(NewLinkCheck).name))


async def queues(asking: Asking) -> Answer:
    """How full the queue and the ledger are."""
    return Answer(value=await asking.operations.health.queues())


async def completion(asking: Asking) -> Answer:
    """Whether each delivered report of a `date`, or of the newest, was kept whole and is the right one."""
    named = asking.query.get("date")
    on = None if named is None else asking.day(named)
    return Answer(value=await asking.operations.health.completion(on))


HEALTH_ROUTES: tuple[Route, ...] = (
    read("/api/reports/system/health", health),
    read("/api/queues", queues),
    read("/api/completion", completion),
    do("/api/links/check", check_link, NewLinkCheck),
)

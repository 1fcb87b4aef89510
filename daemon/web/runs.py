"""The routes of what a page shows at one glance, and of its curves."""

from daemon.web.answers import figures
from daemon.web.asking import Answer, Asking
from daemon.web.query import whole
from daemon.web.route import Route, read

DEFAULT_RUNS, MOST_RUNS = 50, 1000
DEFAULT_DAYS, MOST_DAYS = 30, 90


async def today(asking: Asking) -> Answer:
    """Coverage, who is at risk or missing, the queue, the channels and the providers, all of this moment."""
    return Answer(value=await asking.operations.today.glance())


async def rates(asking: Asking) -> Answer:
    """How reports and runs fared on so many dates up to today, the oldest first."""
    return Answer(value=await asking.operations.runs.rates(asking.given["days"]))


async def runs(asking: Asking) -> Answer:
    """The newest runs of a schedule, the oldest of them first."""
    return Answer(value=await asking.operations.runs.of_schedule(asking.path["name"], asking.given["limit"]))


RUN_ROUTES: tuple[Route, ...] = (
    read("/api/today", today, gives=figures.Today),
    read(
        "/api/rates",
        rates,
        gives=figures.RatesByDate,
        query=(whole("days", "How many dates.", DEFAULT_DAYS, MOST_DAYS, least=1),),
    ),
    read(
        "/api/schedules/{name}/runs",
        runs,
        gives=list[figures.RunRow],
        query=(whole("limit", "How many at most.", DEFAULT_RUNS, MOST_RUNS, least=1),),
    ),
)

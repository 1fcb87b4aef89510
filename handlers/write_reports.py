"""Make and send certain reports: what the sweep, an emergency or a person has asked for."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from daemon.context import Context
from daemon.engine.handler import HandlerError, Outcome, handler
from daemon.reports.calendar import timing_of
from daemon.reports.ensuring import ensure
from daemon.reports.owing import last_pass
from handlers.reporting.run import Wish
from handlers.reporting.working import done, make_reports, with_writer
from handlers.reporting.writer import Writer
from state.ledger.base import Ledger
from state.records import Lane

ENSURE = "ensure"


@handler("write-reports", timeout="12h", max_attempts=5, lane=Lane.CATCH_UP)
async def write_reports(ctx: Context) -> Outcome:
    """Make and send those reports of the dates, companies and plan in the args that are owed.

    `why` of "ensure" first has those be owed that nobody has planned, and those that failed.
    """
    wish = wish_of(ctx.task.args)

    async def work(ledger: Ledger, writer: Writer) -> Outcome:
        ensured = 0
        if ctx.task.args.get("why") == ENSURE and wish.dates:
            now, timing, since = (
                ctx.house.clock.now(),
                timing_of(ctx.house.config),
                last_pass(ctx.house.store),
            )
            made = await ensure(
                ledger, wish.dates, wish.companies, timing=timing, now=now, since=since, is_asked=True
            )
            ensured = made.planned + made.reopened
        return done(await make_reports(ctx, writer, wish), ensured=ensured)

    return await with_writer(ctx, work)


def wish_of(args: Mapping[str, Any]) -> Wish:
    """What the args ask for.

    Raises:
        HandlerError: they are not of the form {"dates": […], "companies": […], "planId": …}.
    """
    dates, companies, plan_id = args.get("dates"), args.get("companies"), args.get("planId")
    return Wish(
        dates=None if dates is None else [_date(it) for it in _list("dates", dates)],
        companies=None if companies is None else [str(it) for it in _list("companies", companies)],
        plan_id=None if plan_id is None else str(plan_id),
    )


def _list(name: str, value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise HandlerError(f'{name}: {value!r} is no list; write it as ["…"]', permanent=True)
    return list(value)


def _date(said: object) -> date:
    try:
        return date.fromisoformat(str(said))
    except ValueError:
        raise HandlerError(f"dates: {said!r} is no date; write it as 2026-11-21", permanent=True) from None

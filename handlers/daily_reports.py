"""Make and send the report of every company whose day is due."""

from daemon.context import Context
from daemon.engine.handler import Outcome, handler
from handlers.reporting.checking import faults
from handlers.reporting.run import Wish
from handlers.reporting.working import done, make_reports, with_writer
from handlers.reporting.writer import Writer
from state.ledger.base import Ledger


@handler("daily-reports", cron="0 5 * * *", section="reports", timeout="12h", max_attempts=5, check=faults)
async def daily_reports(ctx: Context) -> Outcome:
    """Make and send every report that is due, until none is; companies of later zones are the sweep's."""

    async def work(_ledger: Ledger, writer: Writer) -> Outcome:
        return done(await make_reports(ctx, writer, Wish()))

    return await with_writer(ctx, work)

"""The loud pass behind the daily one: whatever is missing, failed or left lying is made, and told of."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from daemon.context import Context
from daemon.engine.handler import Outcome, handler
from daemon.reports.calendar import timing_of
from daemon.reports.ensuring import ensure
from daemon.reports.owing import last_pass
from handlers.reporting.run import Wish
from handlers.reporting.working import done, make_reports, with_writer
from handlers.reporting.writer import Writer
from state.ledger.base import Ledger
from state.ledger.records import Status
from state.records import Lane, Severity

INTERVENED = "backup.intervened"
# What has been due for less is still being worked on by whoever comes first.
GRACE = timedelta(minutes=10)
DAY = timedelta(days=1)
AT_WORK = frozenset({Status.LEASED, Status.PRODUCED, Status.SENT})
PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Why somebody had to step in."""

    missing: int = 0  # nobody had planned them
    failed: int = 0
    stuck: int = 0  # begun, and the lease has run out
    overdue: int = 0  # due, and nobody has begun

    @property
    def total(self) -> int:
        return self.missing + self.failed + self.stuck + self.overdue

    def told(self) -> dict[str, int]:
        """What the task's history keeps: `foundMissing` and its like, as far as there were any."""
        return {f"found{name.capitalize()}": n for name, n in asdict(self).items() if n}


@handler(
    "backup-reports",
    cron="0 6 * * *",
    section="reports",
    timeout="12h",
    max_attempts=5,
    lane=Lane.CATCH_UP,
)
async def backup_reports(ctx: Context) -> Outcome:
    """Look for reports of yesterday and today that should be there, make them, and say that it had to."""

    async def work(ledger: Ledger, writer: Writer) -> Outcome:
        now = ctx.house.clock.now()
        days = days_of(now)
        stuck, overdue = await left_lying(ledger, now)
        timing, since = timing_of(ctx.house.config), last_pass(ctx.house.store)
        ensured = await ensure(ledger, days, timing=timing, now=now, since=since)
        found = Found(missing=ensured.planned, failed=ensured.reopened, stuck=stuck, overdue=overdue)
        if found.total:
            await _tell(ctx, found)
        else:
            await ctx.house.alerts.resolve(INTERVENED)
        return done(await make_reports(ctx, writer, Wish()), steppedInFor=found.total, **found.told())

    return await with_writer(ctx, work)


def days_of(now: datetime) -> list[date]:
    """Yesterday and today; where tomorrow has begun already, the sweep sees to it."""
    today = now.astimezone(UTC).date()
    return [today - DAY, today]


async def left_lying(ledger: Ledger, now: datetime) -> tuple[int, int]:
    """How many reports were begun and left, and how many that are due nobody has begun."""
    stuck = overdue = 0
    after = None
    while page := await ledger.open_before(now - GRACE, after=after, limit=PAGE):
        after = page[-1].key
        for one in page:
            if one.status in AT_WORK:
                stuck += one.lease_expires_at is not None and one.lease_expires_at <= now
            else:
                overdue += one.retry_at is None or one.retry_at <= now
    return stuck, overdue


async def _tell(ctx: Context, found: Found) -> None:
    await ctx.house.alerts.fire(
        INTERVENED,
        severity=Severity.WARNING,
        summary=f"the backup had to step in for {found.total} reports",
        details=asdict(found),
        advice="nightdesk reports missing; nightdesk why COMPANY says what became of one",
    )

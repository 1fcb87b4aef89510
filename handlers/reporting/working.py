"""How the handlers of reports use the writer, and what they answer when it cannot work."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from daemon.context import Context
from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, Snooze
from handlers.reporting.run import Stopped, Wish
from handlers.reporting.tally import Tally
from handlers.reporting.writer import Writer, writer_of
from state.ledger.base import Ledger
from state.ledger.errors import LedgerDown, LedgerError, LedgerFull, LedgerReadOnly
from state.records import Lane, Severity, Trigger

NOT_CONFIGURED = "no reports are configured; add the key reports to the config"
# Before a ledger that is away is asked again: soon, for its return is not announced; and for no attempt,
# for it is none of the task's failures.
LEDGER_PAUSE = timedelta(seconds=10)
# A database that is full or held still may take the small row by which its link is watched, and no reports.
WAITING = "report.waiting"
RESEND = "resend"


async def with_writer(ctx: Context, work: Callable[[Ledger, Writer], Awaitable[Outcome]]) -> Outcome:
    """Do something with the writer; where the ledger is away, full or read-only it is put off.

    Raises:
        HandlerError: the ledger failed in another way, or the configuration does.
    """
    ledger = ctx.house.ledger
    if ledger is None:
        return Cancel(reason=NOT_CONFIGURED)
    try:
        writer = await writer_of(ctx.house, ledger)
    except ValueError as error:
        raise HandlerError(str(error), permanent=True) from error
    except RuntimeError as error:
        raise HandlerError(f"{error}; nothing was begun") from error
    try:
        answer = await work(ledger, writer)
    except (LedgerDown, LedgerFull, LedgerReadOnly) as error:
        return await _put_off(ctx, error)
    except LedgerError as error:
        raise HandlerError(f"the ledger: {error}", retry_after=LEDGER_PAUSE) from error
    except Stopped as error:
        raise HandlerError(f"{error}; what was not done is owed as before") from error
    await ctx.house.alerts.resolve(WAITING)
    return answer


async def _put_off(ctx: Context, error: LedgerError) -> Snooze:
    """Come again soon, and say so where that has not helped before."""
    if (ctx.task.summary or {}).get("snoozes"):
        await ctx.house.alerts.fire(
            WAITING,
            severity=Severity.ERROR,
            summary="reports wait for their ledger",
            details={"reason": str(error), "task": ctx.task.id},
            advice="nightdesk test database; they go on by themselves once it takes them",
        )
    return Snooze(minutes=LEDGER_PAUSE / timedelta(minutes=1), reason=f"the ledger: {error}")


async def make_reports(ctx: Context, writer: Writer, wish: Wish) -> Tally:
    """Make and send what is owed, after a look at what nobody knows of.

    Raises:
        LedgerError, Stopped: see `Writer.work`.
    """
    await writer.look_into_unknown(wish.dates or ())
    tally = await writer.work(wish, ctx.log)
    days = sorted(wish.dates or ())
    dates = {"dates": [day.isoformat() for day in days]} if days else {}
    if (soonest := await writer.look_into_unknown(wish.dates or ())) is not None:
        await ctx.house.enqueue(
            "write-reports",
            {"why": RESEND} | dates,
            key=f"write-reports:{RESEND}:{soonest:%Y-%m-%dT%H:%M}:{days[0] if days else ''}:{len(days)}",
            trigger=Trigger.RETRY,
            lane=Lane.CATCH_UP,
            scheduled_at=soonest + timedelta(seconds=1),
        )
    return tally


def done(tally: Tally, **more: object) -> Done:
    """The answer of a run that came to its end."""
    return Done(**tally.summary(), **more)

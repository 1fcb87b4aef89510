"""Score the day's leads every night, and write the digest."""

from datetime import date

from daemon.context import Context
from daemon.engine.handler import Done, Outcome, handler
from handlers.batch import local_date, make_batch


@handler("nightly-batch", cron="0 23 * * *", section="digest", timeout="30m", deadline="1h")
async def nightly_batch(ctx: Context) -> Outcome:
    """Score every lead that waits and mark those that deserve an answer."""
    batch = await make_batch(ctx.house, ctx.options, task_id=ctx.task.id, day=_date_of(ctx), log=ctx.log)
    return Done(
        docsProcessed=batch.docs_processed,
        markedForDraft=batch.marked_for_draft,
        digest=ctx.house.digests.path(batch.date).name,
    )


def _date_of(ctx: Context) -> date:
    """The date the slot names, so that a batch made up after midnight is still last night's."""
    if ctx.task.slot:
        return date.fromisoformat(ctx.task.slot[:10])
    return local_date(ctx.house.clock.now(), ctx.options.timezone)

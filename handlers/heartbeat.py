"""Say that the whole chain works: schedule, queue, worker and disk."""

from daemon.context import Context
from daemon.engine.handler import Done, Outcome, handler
from state.codec import time_text


@handler("heartbeat", cron="*/5 * * * *", in_history=False, timeout="30s", max_attempts=1)
async def heartbeat(ctx: Context) -> Outcome:
    """Note when the daemon last did a task from end to end."""
    await ctx.house.store.commit(notes={"lastHeartbeatAt": time_text(ctx.house.clock.now())})
    return Done()

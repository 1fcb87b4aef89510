"""Ask every provider of language models for one word, for `nightdesk test llm`."""

from daemon.context import Context
from daemon.engine.handler import Done, Outcome, handler
from daemon.notify.trial import Trial
from handlers.llm.opening import ladder_of
from handlers.llm.probing import try_out


@handler("try-llm", in_history=False, timeout="2m", max_attempts=1)
async def try_llm(ctx: Context) -> Outcome:
    """Ask them side by side, those too that reports leave alone just now."""
    ladder = await ladder_of(ctx.house)
    steps = await try_out(ladder.rungs, ctx.house.clock)
    return Done(providers=[Trial(channel=it.name, steps=(it,)).as_row() for it in steps])

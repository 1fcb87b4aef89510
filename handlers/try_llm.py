"""Ask every provider of language models for one word, for `nightdesk test llm`."""

from daemon.context import Context
from daemon.engine.handler import Done, Outcome, handler
from daemon.notify.trial import Trial
from handlers.llm.opening import llm_http, open_ladder
from handlers.llm.probing import try_out


@handler("try-llm", in_history=False, timeout="2m", max_attempts=1)
async def try_llm(ctx: Context) -> Outcome:
    """Ask them side by side, those too that reports leave alone just now."""
    house = ctx.house
    http = llm_http(house.config.llm, allow_private=house.config.network.allow_private)
    try:
        ladder = open_ladder(house.config.llm, http, house.store, house.alerts, house.clock)
        try:
            steps = await try_out(ladder.rungs, house.clock)
        finally:
            await ladder.close()
    finally:
        await http.close()
    return Done(providers=[Trial(channel=it.name, steps=(it,)).as_row() for it in steps])

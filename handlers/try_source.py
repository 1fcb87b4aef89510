"""Ask the source of facts each of its questions, for no company, for `nightdesk test source`."""

import asyncio

from daemon.context import Context
from daemon.engine.handler import Done, HandlerError, Outcome, handler
from daemon.notify.trial import Trial
from handlers.reporting.base import Misfit
from handlers.reporting.sources import Surroundings, open_source


@handler("try-source", in_history=False, timeout="5m", max_attempts=1)
async def try_source(ctx: Context) -> Outcome:
    """Ask a source of its own: one that reports are just made from is left alone."""
    house = ctx.house
    section = None if house.config.reports is None else house.config.reports.source
    if section is None:
        return Done(sources=[])
    around = Surroundings(
        clock=house.clock, folder=house.folder, allow_private=house.config.network.allow_private
    )
    try:
        source = await asyncio.to_thread(open_source, section, around)
    except Misfit as error:
        raise HandlerError(str(error), permanent=True) from error
    try:
        steps = tuple(await source.check())
    finally:
        await source.close()
    return Done(sources=[Trial(channel=section.type, steps=steps).as_row()])

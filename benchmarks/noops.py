"""Handlers that do nothing: what is measured is everything round them."""

import time

from daemon.context import Context
from daemon.engine.handler import handler

# When each fire began, in seconds since 1970.
FIRED_AT: list[float] = []


@handler("noop")
async def noop(ctx: Context) -> None:
    """Do nothing."""


@handler("successor")
async def successor(ctx: Context) -> None:
    """Promise the next task, durably, so that as many wait after each as before."""
    await ctx.house.enqueue("successor")


@handler("fired")
async def fired(ctx: Context) -> None:
    """Note when it began."""
    FIRED_AT.append(time.time())


HANDLERS = {"noop": noop, "successor": successor, "fired": fired}

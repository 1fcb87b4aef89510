"""Flat: the rate with 100,000 queued against the rate with 50, the JSON state being saved all the while."""

import asyncio
from functools import partial
from pathlib import Path

import uvloop

from benchmarks import house
from benchmarks.apart import apart
from benchmarks.rounds import Effort, run_rounds
from benchmarks.verdicts import Verdict

SHORT, LONG, IN_FLIGHT = 50, 100_000, 100
LEAST_SHARE = 0.8


def figures(effort: Effort) -> list[Verdict]:
    """Run both in turn. Every task promises its successor, so the queue stays as long as it was."""
    count = effort.scaled(20_000, 4_000)

    def queued(folder: Path, waiting: int) -> float:
        return float(apart("benchmarks.flat:keep", folder=str(folder), waiting=waiting, count=count))

    short, long = f"{SHORT:,} queued", f"{LONG:,} queued"
    rounds = run_rounds(effort, {short: partial(queued, waiting=SHORT), long: partial(queued, waiting=LONG)})
    share = rounds.ratio(long, short)
    return [
        Verdict(figure=f"enqueued and run/s, {short}", measured=rounds.spread(short).shown()),
        Verdict(figure=f"enqueued and run/s, {long}", measured=rounds.spread(long).shown()),
        Verdict(
            figure="... share of the first",
            measured=share.shown(".2f"),
            goal=f">= {LEAST_SHARE}",
            is_met=share.median >= LEAST_SHARE,
        ),
    ]


def keep(folder: str, waiting: int, count: int) -> float:
    """Our rate while the queue keeps its length; called in a process of its own."""
    return uvloop.run(_keep(Path(folder), waiting, count))


async def _keep(folder: Path, waiting: int, count: int) -> float:
    async with house.running(folder, {"queue": {"concurrency": IN_FLIGHT}}) as app:
        await house.promise(app, "successor", waiting + IN_FLIGHT)
        async with asyncio.timeout(60):
            return await house.rate(app.store, count // 10, count)

"""Durable tasks a second: 100 in flight, 10,000 queued, each committed before it counts."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import house
from benchmarks.apart import apart
from benchmarks.rounds import Contestant, Effort, Rounds, run_rounds
from benchmarks.verdicts import Verdict

QUEUED, IN_FLIGHT = 10_000, 100
OURS = "nightdesk"
REWRITE = "whole JSON rewritten after each task"
CEILING = "bare uvloop task, semaphore, time-out"
# `fsync` None is what huey does where nothing is said: SQLite's own default, which syncs too.
HUEY: dict[str, dict[str, Any]] = {
    "huey SQLite, fsync=True, 8 threads": {"fsync": True, "threads": 8},
    "huey SQLite, fsync=True, 1 thread": {"fsync": True, "threads": 1},
    "huey SQLite, default, 8 threads": {"fsync": None, "threads": 8},
    "huey SQLite, default, 1 thread": {"fsync": None, "threads": 1},
    "huey SQLite, fsync=False, 8 threads": {"fsync": False, "threads": 8},
    "huey SQLite, fsync=False, 1 thread": {"fsync": False, "threads": 1},
}
JUDGED_HUEY = "huey SQLite, fsync=True, 8 threads"
TIMES_REWRITE, TIMES_HUEY = 100.0, 8.0


def figures(effort: Effort) -> list[Verdict]:
    """Run ours, the simple way, huey in six ways, and the ceiling of anything that runs jobs as tasks."""
    measured = effort.scaled(20_000, 4_000)

    def ours(folder: Path) -> float:
        return float(apart("benchmarks.tasks:drain", folder=str(folder), count=measured))

    def rewrite(folder: Path) -> float:
        count = effort.scaled(150, 30)
        return float(
            apart("benchmarks.peers.rewriting:drain", folder=str(folder), queued=QUEUED, count=count)
        )

    def ceiling(folder: Path) -> float:
        return float(apart("benchmarks.peers.ceiling:drain", count=measured, in_flight=IN_FLIGHT))

    def huey(folder: Path, how: Mapping[str, Any]) -> float:
        count = effort.scaled(4_000, 500)
        return float(
            apart("benchmarks.peers.huey_sqlite:drain", folder=str(folder), queued=QUEUED, count=count, **how)
        )

    contestants: dict[str, Contestant] = {OURS: ours, REWRITE: rewrite, CEILING: ceiling}
    contestants |= {name: partial(huey, how=how) for name, how in HUEY.items()}
    return _verdicts(run_rounds(effort, contestants))


def _verdicts(rounds: Rounds) -> list[Verdict]:
    rewrite, share = rounds.ratio(OURS, REWRITE), rounds.ratio(OURS, CEILING)
    verdicts = [
        Verdict(figure="durable tasks/s", measured=rounds.spread(OURS).shown()),
        Verdict(
            figure="... x whole JSON rewritten after each",
            measured=rewrite.shown(),
            goal=f">= {TIMES_REWRITE:.0f}",
            is_met=rewrite.median >= TIMES_REWRITE,
        ),
    ]
    for name in HUEY:
        ratio, is_judged = rounds.ratio(OURS, name), name == JUDGED_HUEY
        verdicts.append(
            Verdict(
                figure=f"... x {name}",
                measured=ratio.shown(".1f"),
                goal=f">= {TIMES_HUEY:.0f}" if is_judged else "",
                is_met=ratio.median >= TIMES_HUEY if is_judged else None,
            )
        )
    verdicts.append(Verdict(figure=f"... share of a {CEILING}", measured=share.shown(".0%")))
    return verdicts


def drain(folder: str, count: int) -> float:
    """Our rate with never fewer than 10,000 waiting; called in a process of its own."""
    return uvloop.run(_drain(Path(folder), count))


async def _drain(folder: Path, count: int) -> float:
    warm = count // 10
    async with house.running(folder, {"queue": {"concurrency": IN_FLIGHT}}) as app:
        # The margin is what may still run past the last look.
        await house.promise(app, "noop", QUEUED + warm + count + 1_000)
        async with asyncio.timeout(60):
            return await house.rate(app.store, warm, count)

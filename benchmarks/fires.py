"""Fires: 1,000 schedules due in the same second, every fire recorded; how late the last one starts."""

import asyncio
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import house
from benchmarks.apart import MeasureFailed, apart
from benchmarks.noops import FIRED_AT
from benchmarks.rounds import Effort, run_rounds
from benchmarks.verdicts import Verdict
from daemon.app import App

SCHEDULES = 1_000
OURS, PEER = "nightdesk, each fire durable, ms", "APScheduler 3, memory store, ms"
LARGEST_SHARE = 0.25
# Both get this long to read and file their schedules before they come due.
LEAD_S = 12
LIMIT_S = 30.0


def figures(effort: Effort) -> list[Verdict]:
    """Run both in turn; neither is limited in how many it runs at once."""
    count = effort.scaled(SCHEDULES, 200)

    def worst_ms(function: str, **arguments: Any) -> float:
        late = apart(function, count=count, **arguments)
        if len(late) != count:
            raise MeasureFailed(f"{function}: {len(late)} of {count} fires were made")
        return float(max(late)) * 1000

    def ours(folder: Path) -> float:
        return worst_ms("benchmarks.fires:fire", folder=str(folder))

    def peer(_folder: Path) -> float:
        return worst_ms("benchmarks.peers.apscheduler3:fire", lead_s=LEAD_S, patience_s=LIMIT_S)

    rounds = run_rounds(effort, {OURS: ours, PEER: peer}, form=",.1f")
    share = rounds.ratio(OURS, PEER)
    return [
        Verdict(figure=f"worst of {count:,} fires, {OURS}", measured=rounds.spread(OURS).shown(".1f")),
        Verdict(figure=f"worst of {count:,} fires, {PEER}", measured=rounds.spread(PEER).shown(".1f")),
        Verdict(
            figure="... share of APScheduler's",
            measured=share.shown(".2f"),
            goal=f"<= {LARGEST_SHARE}",
            is_met=share.median <= LARGEST_SHARE,
        ),
    ]


def fire(folder: str, count: int) -> list[float]:
    """From the due second to the start of each handler, in seconds; called in a process of its own."""
    return uvloop.run(_fire(Path(folder), count))


async def _fire(folder: Path, count: int) -> list[float]:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LEAD_S)
    line = f"{due.second} {due.minute} {due.hour} * * *"
    entries = {f"at-once-{number}": {"handler": "fired", "cron": line} for number in range(count)}
    # As many places as there are schedules, for APScheduler has no limit; the config's default is 32.
    config = {"schedules": entries, "queue": {"concurrency": count}}
    async with house.running(folder, config) as app:
        if datetime.now(UTC) > due - timedelta(seconds=1):
            raise MeasureFailed(f"{count} schedules could not be loaded within {LEAD_S - 1} s")
        until = time.monotonic() + LEAD_S + LIMIT_S
        while app.store.runs_total < count and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await _check(app, count)
    return [at - due.timestamp() for at in FIRED_AT]


async def _check(app: App, count: int) -> None:
    """Every slot and every run has to be on the disk, once."""
    slots, runs = await app.store.read(_counted)
    if (slots, runs) != (count, count):
        raise MeasureFailed(f"{slots} slots and {runs} runs are recorded, not {count}")


def _counted(connection: sqlite3.Connection) -> tuple[int, int]:
    slots = connection.execute("SELECT count(*) FROM slot WHERE state = 'fired'").fetchone()[0]
    runs = connection.execute(
        "SELECT count(DISTINCT schedule) FROM run WHERE state = 'completed'"
    ).fetchone()[0]
    return slots, runs

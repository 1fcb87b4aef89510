"""One day's reports as the daemon makes them: roster imported, day planned, every report written and sent."""

import asyncio
import resource
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import house
from benchmarks.apart import MeasureFailed
from benchmarks.reports_world import ROSTER, id_of, source
from daemon.app import App
from daemon.reports.sweep import REPORT_HANDLERS
from state.ledger.records import Status

LOOK_S = 0.01
TELL_EVERY_S, TOLD_FROM = 20.0, 10_000  # how often it says how far it is, of a day so large
PLANNED_WITHIN_S, WRITTEN_WITHIN_S = 120.0, 600.0
# Due from midnight until a minute before the next one: in time whenever it is measured.
DUE, DEADLINE = "0 0 * * *", "23:59"


def write(folder: str, count: int, warm: int, ledger: str) -> dict[str, float]:
    """Reports a second after the first `warm`, and the peak of memory; called in a process of its own."""
    return uvloop.run(_write(Path(folder), count, warm, ledger))


def config(ledger: str) -> dict[str, Any]:
    """The configuration of the measured daemon: all defaults but where facts come from."""
    return {
        "handlers": ["handlers"],
        "dailyReportSchedule": DUE,
        "reports": {"companies": ROSTER, "deadline": DEADLINE, "source": source()},
        "ledger": {"url": ledger},
    }


async def _write(folder: Path, count: int, warm: int, ledger: str) -> dict[str, float]:
    async with house.running(folder, config(ledger)) as app:
        day = datetime.now(UTC).date()
        await _planned(app, day, warm + count)
        first = [id_of(number) for number in range(warm)]
        await _done(app, "write-reports", {"dates": [day.isoformat()], "companies": first})
        began = time.perf_counter()
        await _done(app, "daily-reports", {}, tells=count >= TOLD_FROM)
        took_s = time.perf_counter() - began
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        await _check(app, day, warm + count)
        return {"per_s": count / took_s, "mib": peak_mib}


async def _planned(app: App, day: date, count: int) -> None:
    """Wait until today and tomorrow are planned."""
    assert app.ledger is not None
    until = time.monotonic() + PLANNED_WITHIN_S
    while time.monotonic() < until:
        owed = await app.ledger.counts(day, date.fromordinal(day.toordinal() + 1))
        if len(owed) == 2 and all(sum(by.values()) == count for by in owed.values()):
            return
        await asyncio.sleep(20 * LOOK_S)
    raise MeasureFailed(f"{count} companies were not planned within {PLANNED_WITHIN_S:.0f} s")


async def _done(app: App, handler: str, args: dict[str, Any], *, tells: bool = False) -> None:
    """Have a task done, and wait for its end, and for that of whoever helps with it: the sweep may."""
    assert app.ledger is not None
    began, began_at = time.monotonic(), datetime.now(UTC)
    tell_at = began + TELL_EVERY_S
    await app.queue.enqueue(handler, args)
    while any(task.handler in REPORT_HANDLERS for task in app.store.tasks.values()):
        now = time.monotonic()
        if now > began + WRITTEN_WITHIN_S:
            raise MeasureFailed(f"{handler} was not done within {WRITTEN_WITHIN_S:.0f} s")
        if tells and now > tell_at:
            tell_at = now + TELL_EVERY_S
            written = await app.ledger.delivered_since(began_at)
            print(f"      {written:,} after {now - began:.0f} s", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_S)


async def _check(app: App, day: date, count: int) -> None:
    """Every report has to be delivered, and its copy kept."""
    assert app.ledger is not None
    owed = (await app.ledger.counts(day, day))[day]
    kept = sum(1 for _ in (app.home.logs / "reports" / day.isoformat()).glob("*.json"))
    if owed != {Status.DELIVERED: count} or kept != count:
        raise MeasureFailed(f"{count} reports were owed; {dict(owed)}, {kept} kept")

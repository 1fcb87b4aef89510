"""APScheduler 3 with its memory store: nothing it fires is recorded anywhere."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import uvloop
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger


def fire(count: int, lead_s: float, patience_s: float) -> list[float]:
    """From the due second to the start of each job, in seconds; what is late is run all the same."""
    return uvloop.run(_fire(count, lead_s, patience_s))


async def _fire(count: int, lead_s: float, patience_s: float) -> list[float]:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=lead_s)
    fired_at: list[float] = []

    async def job() -> None:
        fired_at.append(time.time())

    scheduler = AsyncIOScheduler(timezone=UTC)
    for _ in range(count):
        trigger = CronTrigger(second=due.second, minute=due.minute, hour=due.hour, timezone=UTC)
        scheduler.add_job(job, trigger, misfire_grace_time=None)
    scheduler.start()
    until = time.monotonic() + lead_s + patience_s
    while len(fired_at) < count and time.monotonic() < until:
        await asyncio.sleep(0.05)
    scheduler.shutdown(wait=False)
    return [at - due.timestamp() for at in fired_at]

"""A whole night and morning in a moment: the real daemon on a clock that is moved forward by hand."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from daemon.app import App
from daemon.check import prepare
from daemon.clock import VirtualClock, settling
from daemon.data import data_file
from daemon.logs import writing_logs
from daemon.loops import repeat
from state.codec import from_json, to_pretty_json
from state.disk import write_atomically
from state.home import Home, locked
from state.records import Alert, TaskState

# Only a folder that bears this file is ever removed.
MARKER = ".nightdesk-demo"
FAILING = "offsite-copy"
NIGHT_BEGINS = time(22, 50)
# The newest of the sample leads is this old when the night begins.
NEWEST_LEAD = timedelta(hours=1)


class DemoError(Exception):
    """The demo cannot be shown; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What came of it."""

    home: Home
    date: date
    digest: Mapping[str, Any]
    digest_path: Path
    alerts: Sequence[Alert]
    sent_at: datetime | None


Tell = Callable[[datetime, str], None]


def fresh_home(folder: Path) -> Home:
    """An empty home for the demo; the one of an earlier demo is removed, anything else is left alone.

    Raises:
        DemoError: something else lies there.
    """
    if folder.exists():
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise DemoError(
                f"{folder} is there already and not from a demo; give another place with --home DIR"
            )
        shutil.rmtree(folder)
    home = Home(folder, folder / "logs")
    home.make_folders()
    (folder / MARKER).touch()
    return home


def show_night(home: Home, today: date, environ: Mapping[str, str], tell: Tell) -> Night:
    """Live through the night that ends this morning; `tell` hears what happens, and when it would have."""
    import uvloop

    config = home.folder / "orchestrator_config.json"
    write_atomically(config, to_pretty_json(demo_config()))
    prepared = prepare(config, {name: environ[name] for name in ("PATH", "HOME") if name in environ})
    start = datetime.combine(today - timedelta(days=1), NIGHT_BEGINS, tzinfo=UTC)

    async def live() -> Night:
        clock = VirtualClock(start)
        async with App.opened(prepared, home, clock) as app:
            clock.settle = settling(lambda: app.worker.is_busy or not app.store.is_quiet)
            async with asyncio.TaskGroup() as services:
                loops = [services.create_task(repeat(part, clock)) for part in app.parts]
                night = await _live_through(app, clock, tell)
                await app.end()
                for loop in loops:
                    loop.cancel()
        return night

    with locked(home), writing_logs(home.log_file, to_stderr=False, environ=environ):
        return uvloop.run(live())


def demo_config() -> dict[str, Any]:
    """The shipped defaults, topics that suit the sample, and one job that is bound to fail."""
    failing = [sys.executable, "-c", "raise SystemExit('backup.example.net: connection refused')"]
    return {
        "timezone": "UTC",
        "nightlyBatchSchedule": "0 23 * * *",
        "morningNotificationSchedule": "0 6 * * *",
        "digestNotificationChannel": "log",
        "draftScoreThreshold": 0.75,
        "scoring": {
            "topics": {"cron": 1, "report": 1, "alert": 1, "scheduler": 1, "backup": 0.8, "digest": 0.8}
        },
        "schedules": {FAILING: {"command": failing, "cron": "30 2 * * *", "timeout": "1m", "maxAttempts": 3}},
    }


async def _live_through(app: App, clock: VirtualClock, tell: Tell) -> Night:
    await app.begin()
    tell(clock.now(), f"the daemon is up, with {len(app.plan.schedules)} schedules")
    leads = sample_leads(clock.now())
    added = await app.items.add(leads, clock.now())
    tell(clock.now(), f"{added.added} leads come in, and wait in the queue")
    await _advance_to(clock, time(23, 1))
    day = (await app.digests.listing(1))[0].date
    digest = (await app.digests.read_file(day)).digest
    assert digest is not None, "the batch of this night has just written it"
    summary = digest["summary"]
    marked = f"{summary['markedForDraft']} of {summary['docsProcessed']} marked"
    tell(clock.now(), f"nightly-batch has scored them: {marked} for a draft")
    await _advance_to(clock, time(3, 0))
    tries = [task for task in app.store.history if task.schedule == FAILING]
    failed = sum(task.state in (TaskState.RETRYABLE, TaskState.DISCARDED) for task in tries)
    tell(clock.now(), f"{FAILING} was due at 02:30 and has failed {failed} times; its alert is open")
    await _advance_to(clock, time(6, 1))
    sent_at = app.digests.last_sent_at
    if sent_at is not None:
        tell(clock.now(), f"send-digest has sent tonight's digest, and it was proved at {sent_at:%H:%M:%S}")
    return Night(
        home=app.home,
        date=day,
        digest=digest,
        digest_path=app.digests.path(day),
        alerts=app.alerts.open,
        sent_at=sent_at,
    )


def sample_leads(now: datetime) -> list[dict[str, Any]]:
    """The sample leads, moved in time so that the newest is an hour old."""
    lines = data_file("examples/leads.jsonl").read_text("utf-8").splitlines()
    leads: list[dict[str, Any]] = [from_json(line) for line in lines if line.strip()]
    newest = max(lead.get("created_utc", 0) for lead in leads)
    shift = (now - NEWEST_LEAD).timestamp() - newest
    return [{**it, "created_utc": it["created_utc"] + shift} if "created_utc" in it else it for it in leads]


async def _advance_to(clock: VirtualClock, at: time) -> None:
    """Move on to the next time the clock shows this."""
    now = clock.now()
    target = datetime.combine(now.date(), at, tzinfo=now.tzinfo)
    await clock.advance((target if target > now else target + timedelta(days=1)) - now)

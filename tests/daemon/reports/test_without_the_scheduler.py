"""With the scheduler dead every report goes out all the same, by the sweep; and the dead loop is told of."""

import asyncio
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from daemon.app import App
from daemon.check import prepare
from daemon.clock import VirtualClock
from daemon.loops import Ticks
from daemon.reports.planner import Planner
from daemon.reports.sweep import Sweep
from daemon.watch.loops import LoopWatch
from state.home import Home
from state.records import Severity

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
TODAY = date(2026, 11, 21)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles")
NAMES = tuple(f"c{number:02}" for number in range(20))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    roster = [
        {"id": name, "name": name, "timezone": ZONES[at % len(ZONES)], "channel": "log"}
        for at, name in enumerate(NAMES)
    ]
    (tmp_path / "companies.json").write_text(json.dumps(roster))
    path = tmp_path / "orchestrator_config.json"
    path.write_text(json.dumps({"timezone": "UTC", "reports": {"companies": "companies.json"}}))
    return path


async def test_all_reports_go_out_and_an_alert_names_the_dead_loop(tmp_path: Path, config: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "logs")
    home.make_folders()
    clock = VirtualClock(MIDNIGHT)
    async with App.opened(prepare(config, {}), home, clock) as app:
        assert app.ledger is not None
        await app.begin()
        planner = Planner(app.ledger, app.store, app.alerts, clock, lambda: app.config)
        sweep = Sweep(app.ledger, app.store, app.alerts, clock, lambda: app.config, app.queue.enqueue)
        ticks = Ticks(["planner", "report-sweep", "scheduler"], clock)
        watch = LoopWatch(ticks, clock, app.alerts)
        for _ in range(15 * 2):
            await clock.advance(minutes=30)
            for part in (planner, sweep):
                await part.step()
                ticks.note(part.name, clock.monotonic() + 1800, 0)
            await ended(app)
        await watch.step()
        rows = await app.ledger.obligations(TODAY)
        assert {it.company_id for it in rows} == set(NAMES)
        assert Counter(it.status.is_delivered for it in rows) == {True: len(NAMES)}
        assert all(it.delivered_at is not None and it.delivered_at <= it.deadline_at for it in rows)
        dead = [it for it in app.alerts.open if it.name == "loop.dead"]
        assert [(it.labels["loop"], it.severity) for it in dead] == [("scheduler", Severity.CRITICAL)]
        assert not [it for it in app.store.history if it.handler == "daily-reports"]
        await app.end()


async def ended(app: App) -> None:
    for task in [it for it in app.store.tasks.values() if it.handler == "write-reports"]:
        await asyncio.wait_for(app.worker.wait_for(task.id), 20)

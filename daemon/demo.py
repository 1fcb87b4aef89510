"""A whole night and morning in a moment: the real daemon on a clock that is moved forward by hand."""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from daemon.app import App
from daemon.check import prepare
from daemon.clock import VirtualClock, settling
from daemon.logs import writing_logs
from daemon.loops import Periodic, repeat
from daemon.reports.certificates import certificate_file
from daemon.reports.coverage import Coverage, coverage_of
from daemon.reports.sweep import INTERVENED
from daemon.sample import BLOCKED, FAILING_COMPANY, FAILING_JOB, lay_out, sample_leads
from state.home import Home, locked
from state.ledger.records import Key
from state.records import Alert, TaskState

# Only a folder that bears this file is ever removed.
MARKER = ".nightdesk-demo"
NIGHT_BEGINS = time(22, 50)


class DemoError(Exception):
    """The demo cannot be shown; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What came of it."""

    home: Home
    day: date
    digest: Mapping[str, Any]
    digest_path: Path
    alerts: Sequence[Alert]
    sent_at: datetime | None
    morning: date  # of the reports
    coverage: Coverage
    rescue: Alert | None  # the backup's, over once there was nothing left to step in for

    @property
    def reports_path(self) -> Path:
        return self.home.logs / "reports" / self.morning.isoformat()

    @property
    def certificate_path(self) -> Path:
        return certificate_file(self.home, self.morning)

    @property
    def health_path(self) -> Path:
        return self.home.logs / "health" / f"health-{self.morning}.json"


class Steps:
    """How many steps are under way: the ledger answers from threads, which a virtual clock must wait for."""

    def __init__(self) -> None:
        self.under_way = 0

    def counted(self, part: Periodic) -> Periodic:
        """The same part, its steps counted."""
        return _Counted(part, self)


class _Counted:
    def __init__(self, part: Periodic, steps: Steps) -> None:
        self.name = part.name
        self.woken = part.woken
        self._part = part
        self._steps = steps

    async def step(self) -> datetime:
        self._steps.under_way += 1
        try:
            return await self._part.step()
        finally:
            self._steps.under_way -= 1


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

    config = lay_out(home, today)
    prepared = prepare(config, {name: environ[name] for name in ("PATH", "HOME") if name in environ})
    start = datetime.combine(today - timedelta(days=1), NIGHT_BEGINS, tzinfo=UTC)

    async def live() -> Night:
        clock = VirtualClock(start)
        async with App.opened(prepared, home, clock) as app:
            steps = Steps()
            clock.settle = settling(
                lambda: app.worker.is_busy or not app.store.is_quiet or steps.under_way > 0
            )
            parts = [steps.counted(part) if part in app.reports.parts else part for part in app.parts]
            async with asyncio.TaskGroup() as services:
                loops = [services.create_task(repeat(part, clock)) for part in parts]
                night = await _live_through(app, clock, tell)
                await app.end()
                for loop in loops:
                    loop.cancel()
        return night

    with locked(home), writing_logs(home.log_file, to_stderr=False, environ=environ):
        return uvloop.run(live())


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
    tries = [task for task in app.store.history if task.schedule == FAILING_JOB]
    failed = sum(task.state in (TaskState.RETRYABLE, TaskState.DISCARDED) for task in tries)
    tell(clock.now(), f"{FAILING_JOB} was due at 02:30 and has failed {failed} times; its alert is open")
    rescue = await _write_reports(app, clock, tell)
    await _advance_to(clock, time(6, 1))
    sent_at = app.digests.last_sent_at
    if sent_at is not None:
        tell(clock.now(), f"send-digest has sent tonight's digest, and it was proved at {sent_at:%H:%M:%S}")
    await _advance_to(clock, time(8, 1))
    morning = clock.now().date()
    assert app.ledger is not None, "the demo's configuration asks for reports"
    coverage = await coverage_of(app.ledger, morning, clock.now())
    owed = f"{coverage.delivered} of {coverage.expected - coverage.excused} reports delivered"
    tell(clock.now(), f"daily-health has looked at everything and sealed the morning: {owed}")
    return Night(
        home=app.home,
        day=day,
        digest=digest,
        digest_path=app.digests.path(day),
        alerts=app.alerts.open,
        sent_at=sent_at,
        morning=morning,
        coverage=coverage,
        rescue=rescue,
    )


async def _write_reports(app: App, clock: VirtualClock, tell: Tell) -> Alert | None:
    """Have every company's report written, one of them in the second place; the alert that says so."""
    assert app.ledger is not None, "the demo's configuration asks for reports"
    obstacle = app.home.logs / BLOCKED
    obstacle.touch()  # a file where the channel wants its folder
    await _advance_to(clock, time(5, 4))
    morning = clock.now().date()
    coverage = await coverage_of(app.ledger, morning, clock.now())
    tell(
        clock.now(),
        f"daily-reports has delivered {coverage.delivered} of {coverage.expected} reports;"
        f" {FAILING_COMPANY}'s fails: a file lies where its folder should be",
    )
    obstacle.unlink()
    tell(clock.now(), "somebody takes the file away, and does nothing else")
    await _advance_to(clock, time(5, 30))
    cured = await app.ledger.obligation(Key(FAILING_COMPANY, morning))
    if cured is not None and cured.delivered_at is not None:
        tell(cured.delivered_at, f"the backup has delivered it, at attempt {cured.attempts}")
    return next((alert for alert in app.alerts.open if alert.name == INTERVENED), None)


async def _advance_to(clock: VirtualClock, at: time) -> None:
    """Move on to the next time the clock shows this."""
    now = clock.now()
    target = datetime.combine(now.date(), at, tzinfo=now.tzinfo)
    await clock.advance((target if target > now else target + timedelta(days=1)) - now)

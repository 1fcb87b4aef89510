"""The daemon as a process: the lock, the log, the signals, the loops, and the word to systemd."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon import __version__
from daemon.app import App
from daemon.check import Prepared, prepare
from daemon.clock import Clock, SystemClock
from daemon.config import ConfigError
from daemon.logs import writing_logs
from daemon.loops import repeat
from daemon.watch.systemd import Beat, Systemd
from state.database import StoreDamaged
from state.home import Home, locked
from state.records import Severity

log = logging.getLogger(__name__)


def run_daemon(config_path: Path | None, home: Home, environ: Mapping[str, str], *, to_stderr: bool) -> int:
    """Run until told to stop; the exit code.

    Raises:
        ConfigError: nothing was started and nothing written.
        HomeLocked: another daemon holds this home.
        StateUnreadable, StoreTooNew: the state cannot be opened, and was left as it is.
        StoreDamaged: the database turned out damaged on the way; the next start looks it over.
    """
    import uvloop

    prepared = prepare(config_path, environ)
    with locked(home), writing_logs(home.log_file, to_stderr=to_stderr, environ=environ):
        service = Service(prepared, home, SystemClock(), environ)
        uvloop.run(service.run())
    return 0


class Service:
    """One run of the daemon."""

    def __init__(self, prepared: Prepared, home: Home, clock: Clock, environ: Mapping[str, str]) -> None:
        self._prepared = prepared
        self._home = home
        self._clock = clock
        self._environ = environ
        self._stop = asyncio.Event()
        self._damage: StoreDamaged | None = None
        self._reloader: Reloader | None = None

    async def run(self) -> None:
        """Open, serve, and stop in good order when asked to."""
        self._listen_to_signals()
        _log_warnings(self._prepared)
        with Systemd(self._environ) as systemd:
            async with App.opened(self._prepared, self._home, self._clock) as app:
                app.store.on_damage(self._give_up)
                await app.begin()
                await self._serve(app, systemd)
        log.info("daemon.stopped", extra={"fields": {"pid": os.getpid()}})
        if self._damage is not None:
            raise self._damage

    def _give_up(self, damage: StoreDamaged) -> None:
        """Stop: only a start can look the database over and restore it, and systemd makes one."""
        if self._damage is None:
            self._damage = damage
            log.critical("store.damaged", extra={"fields": {"error": str(damage)}})
            self._stop.set()

    async def _serve(self, app: App, systemd: Systemd) -> None:
        beat = Beat(systemd, self._clock, lambda: status_line(app))
        self._reloader = Reloader(app, systemd, self._environ)
        async with asyncio.TaskGroup() as services:
            parts = (*app.parts, beat, self._reloader)
            loops = [services.create_task(repeat(part, self._clock)) for part in parts]
            loops.append(services.create_task(_control(app)))
            # What was loaded so far lives as long as the daemon: the collector need not look at it again.
            gc.freeze()
            systemd.ready(status_line(app))
            fields = {"version": __version__, "pid": os.getpid(), "home": str(self._home.folder)}
            log.info("daemon.ready", extra={"fields": {**fields, "schedules": len(app.plan.schedules)}})
            await self._stop.wait()
            systemd.stopping("stopping: running work gets its grace")
            log.info("daemon.stopping", extra={"fields": {"running": len(app.worker.running)}})
            if self._damage is None:
                await app.end()
            for loop in loops:
                loop.cancel()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._ask_to_reload)

    def _ask_to_reload(self) -> None:
        if self._reloader is not None:
            self._reloader.ask()


class Reloader:
    """Takes the config file as it is now, when asked to; a bad one changes nothing."""

    name = "reloader"

    def __init__(self, app: App, systemd: Systemd, environ: Mapping[str, str]) -> None:
        self.woken = asyncio.Event()
        self._app = app
        self._systemd = systemd
        self._environ = environ
        self._is_asked = False

    def ask(self) -> None:
        """Have it done soon; asked twice in a row it is done once."""
        self._is_asked = True
        self.woken.set()

    async def step(self) -> datetime:
        """Reload if that was asked for."""
        clock = self._app.clock
        if self._is_asked:
            self._is_asked = False
            self._systemd.reloading(clock.monotonic())
            await self._reload()
            self._systemd.ready(status_line(self._app))
        return clock.now() + timedelta(hours=1)

    async def _reload(self) -> None:
        app = self._app
        try:
            prepared = await asyncio.to_thread(prepare, app.config.path, self._environ)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            await app.alerts.fire(
                "config.refused",
                severity=Severity.WARNING,
                summary=f"the new config has {len(problems)} mistakes; the one before stays in force",
                details={"problems": problems[:20]},
                advice="nightdesk config check",
            )
            return
        _log_warnings(prepared)
        await app.adopt(prepared)
        await app.alerts.resolve("config.refused")
        log.info("config.reloaded", extra={"fields": {"schedules": len(app.plan.schedules)}})


def status_line(app: App) -> str:
    """What `systemctl status` shows."""
    upcoming = min(
        ((record.next_fire_at, name) for name, record in app.store.schedules.items() if record.next_fire_at),
        default=None,
    )
    told = f"{len(app.store.tasks)} tasks wait or run, {len(app.alerts.open)} alerts open"
    return told if upcoming is None else f"{told}; next {upcoming[1]} at {upcoming[0]:%Y-%m-%d %H:%M}Z"


def _control(app: App) -> Coroutine[Any, Any, None]:
    # Loaded only now: the daemon keeps time before it can be talked to, and aiohttp takes a while.
    from daemon.web.server import serve_control

    return serve_control(app)


def _log_warnings(prepared: Prepared) -> None:
    for warning in prepared.warnings:
        log.warning("config.warning", extra={"fields": {"problem": str(warning)}})

"""The daemon as a process: the lock, the log, the signals, the loops, and the word to systemd."""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon import __version__
from daemon.app import App
from daemon.check import Prepared, prepare
from daemon.clock import Clock, SystemClock
from daemon.config import Config, ConfigError
from daemon.logs import writing_logs
from daemon.loops import Ticks, repeat
from daemon.watch.beat import BeatFile, Beating, BeatState, beating
from daemon.watch.loops import LoopWatch
from daemon.watch.systemd import Systemd, SystemdBeat
from state.database import StoreDamaged, StoreError
from state.home import Home, locked
from state.records import Severity

log = logging.getLogger(__name__)

# New objects between two rounds of the collector: a few megabytes.
COLLECT_AFTER = 50_000

# As in <malloc.h>, which numbers its parameters for good.
M_ARENA_MAX = -8
ARENAS = 2

# Once everything is saved and closed, what still runs gets this long to let go.
LET_GO_S = 2.0


def run_daemon(config_path: Path | None, home: Home, environ: Mapping[str, str], *, to_stderr: bool) -> int:
    """Run until told to stop; the exit code.

    Raises:
        ConfigError: nothing was started and nothing written.
        HomeLocked: another daemon holds this home.
        StateUnreadable, StoreTooNew: the state cannot be opened, and was left as it is.
        StoreDamaged: the database turned out damaged on the way; the next start looks it over.
    """
    prepared, clock = prepare(config_path, environ), SystemClock()
    keep_few_arenas()
    with (
        locked(home),
        writing_logs(home.log_file, to_stderr=to_stderr, environ=environ),
        beating(home.beat, clock) as beat,
    ):
        service = Service(prepared, home, clock, environ, beat)
        left_behind = run_to_the_end(service.run())
        if left_behind:
            log.warning("stop.left-behind", extra={"fields": {"what": left_behind}})
    if left_behind:
        # All is saved and closed. What a handler still does in a thread, or would not stop doing, would
        # keep the interpreter from ending until systemd kills it.
        os._exit(0)
    return 0


def run_to_the_end(main: Coroutine[Any, Any, None]) -> list[str]:
    """Run `main` on a loop of its own; the names of what still runs a moment after it has ended.

    A task that raises SystemExit ends an event loop, whoever started it: a handler's own tasks must not
    be able to end the daemon, so the loop is turned again until `main` itself has ended.
    """
    import uvloop

    loop = uvloop.new_event_loop()
    threads = ThreadPoolExecutor(thread_name_prefix="nightdesk-work")
    loop.set_default_executor(threads)
    asyncio.set_event_loop(loop)
    try:
        task = loop.create_task(main)
        while not task.done():
            with _refusing_to_exit():
                loop.run_until_complete(task)
        left = _cancel_what_is_left(loop)
        task.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        asyncio.set_event_loop(None)
        loop.close()
    return left + _threads_left()


@contextlib.contextmanager
def _refusing_to_exit() -> Iterator[None]:
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as error:
        # Ctrl-C is no such error: SIGINT has a handler of its own.
        log.critical("exit.refused", exc_info=error)


def _cancel_what_is_left(loop: asyncio.AbstractEventLoop) -> list[str]:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        with _refusing_to_exit():
            loop.run_until_complete(asyncio.wait(left, timeout=LET_GO_S))
    with _refusing_to_exit():
        loop.run_until_complete(loop.shutdown_asyncgens())
    return [task.get_name() for task in left if not task.done()]


def _threads_left() -> list[str]:
    """The threads that would keep the interpreter from ending."""
    threads = [it for it in threading.enumerate() if it is not threading.main_thread() and not it.daemon]
    for thread in threads:
        thread.join(LET_GO_S / len(threads))
    return [thread.name for thread in threads if thread.is_alive()]


class Service:
    """One run of the daemon."""

    def __init__(
        self, prepared: Prepared, home: Home, clock: Clock, environ: Mapping[str, str], beat: BeatFile
    ) -> None:
        self._prepared = prepared
        self._home = home
        self._clock = clock
        self._environ = environ
        self._beat = beat
        self._stop = asyncio.Event()
        self._damage: StoreDamaged | None = None
        self._reloader: Reloader | None = None
        self._reloaded = asyncio.Event()

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
        told = SystemdBeat(systemd, self._clock, lambda: status_line(app))
        beats = Beating(
            self._beat,
            self._clock,
            interval=lambda: app.config.watchdog.beat_interval,
            in_flight=lambda: len(app.worker.running),
        )
        self._reloader = Reloader(app, systemd, self._environ, self._reloaded)
        async with asyncio.TaskGroup() as services:
            parts = (*app.parts, told, beats, self._reloader)
            ticks = Ticks([part.name for part in parts], self._clock)
            watch = LoopWatch(ticks, self._clock, app.alerts)
            loops = [services.create_task(repeat(part, self._clock, ticks)) for part in (*parts, watch)]
            loops.append(services.create_task(_serve_api(app, self._reloaded)))
            calm_collector()
            systemd.ready(status_line(app))
            fields = {"version": __version__, "pid": os.getpid(), "home": str(self._home.folder)}
            log.info("daemon.ready", extra={"fields": {**fields, "schedules": len(app.plan.schedules)}})
            await self._stop.wait()
            self._beat.state = BeatState.STOPPING
            systemd.stopping("stopping: running work gets its grace")
            log.info("daemon.stopping", extra={"fields": {"running": len(app.worker.running)}})
            if self._damage is None:
                await app.end()
            for loop in loops:
                loop.cancel()

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            on_signal(number, self._stop.set)
        on_signal(signal.SIGHUP, self._ask_to_reload)

    def _ask_to_reload(self) -> None:
        if self._reloader is not None:
            self._reloader.ask()


def on_signal(number: int, call: Callable[[], None]) -> None:
    """Have something called on the loop at a signal.

    Also at one that comes while the loop stands still, because a task has raised SystemExit: the loop's
    own handlers would lose that one.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, call)

    def even_while_it_stands(_number: int, _frame: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
            loop.call_soon_threadsafe(call)

    signal.signal(number, even_while_it_stands)


def calm_collector() -> None:
    """Let the collector of cycles look seldom: hardly anything here is in one.

    What was loaded so far lives as long as the daemon, and need not be looked at again. At Python's own
    700 new objects it took up to a fifth of the time when tasks came by the thousand (20,000 a second
    with it, 25,000 with none at all).
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    gc.enable()


def keep_few_arenas() -> None:
    """Have the C library's allocator keep two arenas in place of eight for each processor.

    A thread has one of its own else, and gives back next to nothing of it: after 12,000 reports 77 MiB, with
    one arena 69. Where the library knows no such thing (it is glibc's), nothing is changed.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


class Reloader:
    """Takes the config file as it is now, when asked to; a bad one changes nothing."""

    name = "reloader"

    def __init__(
        self, app: App, systemd: Systemd, environ: Mapping[str, str], reloaded: asyncio.Event
    ) -> None:
        self.woken = asyncio.Event()
        self._reloaded = reloaded  # set once a changed configuration is in force
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
            try:
                await self._reload()
            except StoreError:
                # A full disk: what was asked for is still wanted, and the loop steps this part again.
                self._is_asked = True
                raise
            finally:
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
        _log_what_needs_a_restart(app.config, prepared.config)
        await app.adopt(prepared)
        self._reloaded.set()
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


async def _serve_api(app: App, reloaded: asyncio.Event) -> None:
    # Loaded only now, and beside the loop: the daemon keeps time before it can be talked to, and aiohttp
    # takes a quarter of a second.
    server = await asyncio.to_thread(importlib.import_module, "daemon.web.server")
    await server.serve(app, reloaded)


def _log_what_needs_a_restart(before: Config, after: Config) -> None:
    """A reload takes all but the queue's sizes and the ledger's place; where these changed it is said."""
    keys = [key for key in ("queue", "ledger") if getattr(before, key) != getattr(after, key)]
    if (before.reports is None) is not (after.reports is None):
        keys.append("reports")
    if keys:
        log.warning("config.needs-restart", extra={"fields": {"keys": keys}})


def _log_warnings(prepared: Prepared) -> None:
    for warning in prepared.warnings:
        log.warning("config.warning", extra={"fields": {"problem": str(warning)}})

"""A whole house on a clock that stands still: real store, queue, worker, scheduler; a day in a moment."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import daemon.app
from daemon.app import App
from daemon.check import Prepared
from daemon.clock import VirtualClock
from daemon.config import Config, load_config
from daemon.context import Context
from daemon.engine.brought import Maker
from daemon.engine.cron import CronLine
from daemon.engine.handler import Done, Handler, HandlerFunction, Outcome
from daemon.engine.spec import ScheduleSpec
from daemon.loops import repeat
from state.database import Database, StoreFull
from state.home import Home
from state.records import SlotRecord, Task
from state.schema import SLOT

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
# Hops of the loop without anything on its way to a thread or the disk, after which it counts as idle.
IDLE_HOPS = 24


class Disk(Database):
    """The real database, on a disk that can be full."""

    is_full = False

    def submit(self, operations: Any, done: Any, work: Any = None) -> None:
        if not self.is_full:
            return super().submit(operations, done, work)
        return super().submit((), lambda _error, _result: done(StoreFull("the disk is full"), None))


class House:
    """One installation: its home on the disk, its clock, and the daemon that is open on it, if any."""

    def __init__(self, folder: Path, now: datetime = NOW, config: Config | None = None) -> None:
        self.clock = VirtualClock(now, self.settle)
        self.config = config or load_config(None, {})
        self.handlers: dict[str, Handler] = {}
        self.specs: dict[str, ScheduleSpec] = {}
        self.ran: list[Task] = []  # every attempt that a handler was given, in order
        self.parts: tuple[str, ...] = ("queue", "scheduler")
        self.brought: dict[str, Maker] = {}  # parts that a package of handlers would bring along
        self._folder = folder
        self._lives = 0
        self.home = self._home()
        self._stack = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self._handling: set[asyncio.Task[Any]] = set()
        self._outside: set[asyncio.Future[Any]] = set()
        self._watched: asyncio.AbstractEventLoop | None = None
        self.app: App

    def _home(self) -> Home:
        folder = self._folder / f"home-{self._lives}"
        home = Home(folder, self._folder / "logs")
        home.make_folders()
        return home

    def add_handler(self, name: str, run: HandlerFunction | None = None, **fields: Any) -> None:
        """Have a handler; without a function it is done at once."""
        fields.setdefault("timeout", timedelta(minutes=10))

        async def noted(ctx: Context) -> Outcome | None:
            current = asyncio.current_task()
            assert current is not None
            self._handling.add(current)
            current.add_done_callback(self._handling.discard)
            self.ran.append(ctx.task)
            return Done() if run is None else await run(ctx)

        self.handlers[name] = Handler(name=name, run=noted, **fields)

    def add_schedule(
        self, name: str, cron: str, timezone: str = "UTC", *, handler: str | None = None, **fields: Any
    ) -> None:
        """Have a schedule of a handler of the same name."""
        fields.setdefault("timeout", timedelta(minutes=10))
        fields.setdefault("max_attempts", 1)
        line = CronLine.parse(cron, timezone)
        self.specs[name] = ScheduleSpec(name=name, handler=handler or name, line=line, **fields)

    def limit(self, **queue: int) -> None:
        """Configure the queue: how much it takes, and how much is done side by side."""
        self.config = replace(self.config, queue=self.config.queue.model_copy(update=queue))

    @property
    def prepared(self) -> Prepared:
        """What `daemon.check.prepare` would make of a config that says all this."""
        return Prepared(
            config=self.config,
            handlers=dict(self.handlers),
            schedules=tuple(self.specs.values()),
            channels={},
            warnings=(),
            parts=self.brought,
        )

    async def open(self) -> App:
        """Open the home; nothing runs by itself."""
        self._watch_threads()
        self.app = await self._stack.enter_async_context(App.opened(self.prepared, self.home, self.clock))
        return self.app

    async def start(self) -> App:
        """Open the home and run."""
        await self.open()
        return await self.start_open()

    async def start_open(self) -> App:
        """Run what is open."""
        await self.app.begin()
        parts = [part for part in self.app.parts if part.name in self.parts]
        self._loops = [asyncio.create_task(repeat(part, self.clock)) for part in parts]
        await self.settle()
        return self.app

    async def stop(self) -> None:
        """End in good order, giving running handlers as long as they are given."""
        ending = asyncio.create_task(self.app.end())
        await self.settle()
        if not ending.done():
            await self.clock.advance(seconds=60)
        await ending
        await self._close()

    async def kill(self) -> None:
        """End as kill -9 does: the next start finds what is on the disk now, and nothing else."""
        await self.app.store.quiet()
        left = self.home
        self._lives += 1
        self.home = self._home()
        for path in (left.database, left.state_file, left.previous_state_file):
            for suffix in ("", "-wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, self.home.folder / source.name)
        await self._close()
        shutil.rmtree(left.folder)

    async def close(self) -> None:
        """Let go of everything, whatever state it is in."""
        await self._close()

    async def _close(self) -> None:
        sending = self.app.dispatch._sending.values() if hasattr(self, "app") else ()
        for task in (*self._loops, *self._handling, *sending):
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        await self.settle()
        await self._stack.aclose()

    async def settle(self) -> None:
        """Return once the disk and the threads are quiet and the loop has nothing to do."""
        hops = 0
        while hops < IDLE_HOPS:
            await asyncio.sleep(0)
            hops += 1
            if self._outside:
                await asyncio.wait(self._outside)
                hops = 0
            if hasattr(self, "app") and not self.app.store.is_quiet:
                await self.app.store.quiet()
                hops = 0

    def _watch_threads(self) -> None:
        """Know of every call that this loop has in another thread."""
        loop = asyncio.get_running_loop()
        if self._watched is loop:
            return
        self._watched = loop
        plain = loop.run_in_executor

        def noted(*args: Any) -> Awaitable[Any]:
            future = plain(*args)
            self._outside.add(future)
            future.add_done_callback(self._outside.discard)
            return future

        loop.run_in_executor = noted  # type: ignore[assignment,method-assign]

    @property
    def disk(self) -> Disk:
        """What the open store writes to; only in a house that was made with one that can be full."""
        database = self.app.store._database
        assert isinstance(database, Disk)
        return database

    @property
    def alerts(self) -> list[str]:
        """The names of the alerts that are open."""
        return [alert.name for alert in self.app.alerts.open]

    async def promised(self, handler: str = "work", **fields: Any) -> str:
        """Enqueue one task, let it start if there is a place for it, and say its id."""
        task_id = (await self.app.queue.enqueue(handler, **fields)).task.id
        await self.settle()
        return task_id

    async def known(self, task_id: str) -> Task:
        """A task as it stands, finished or not."""
        task = await self.app.queue.find(task_id)
        assert task is not None, f"there is no task {task_id}"
        return task

    def handled(self, handler: str) -> list[Task]:
        """The attempts that a handler was given."""
        return [task for task in self.ran if task.handler == handler]

    async def rows(self, table: str) -> list[Mapping[str, Any]]:
        """What a table holds on the disk."""
        statement = f"SELECT * FROM {table}"
        return await self.app.store.read(lambda it: [dict(row) for row in it.execute(statement)])

    async def slots(self, schedule: str) -> list[SlotRecord]:
        """What has been decided over a schedule's slots, in the order of their names."""
        statement = "SELECT * FROM slot WHERE schedule = ? ORDER BY slot"
        return await self.app.store.read(
            lambda it: [SLOT.decode(row) for row in it.execute(statement, (schedule,))]
        )


class Gate:
    """What a handler waits at until a test opens it; says who arrived."""

    def __init__(self) -> None:
        self.arrived: list[Task] = []
        self.opened = asyncio.Event()

    async def __call__(self, ctx: Context) -> Outcome:
        self.arrived.append(ctx.task)
        await self.opened.wait()
        return Done()


class Answers:
    """A handler that does as it is told, one answer a run; the last one again and again."""

    def __init__(self, *answers: Outcome | BaseException | None) -> None:
        self._answers = list(answers)

    async def __call__(self, ctx: Context) -> Outcome | None:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Stubborn:
    """A handler that will not be cancelled; `released` lets it go."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.refusals = 0

    async def __call__(self, ctx: Context) -> Outcome:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.refusals += 1
        return Done()


Patch = Callable[[Any, str, Any], None]


def with_a_disk_that_can_be_full(patch: Patch) -> None:
    """Have every app that is opened from here on write to a `Disk`."""
    patch(daemon.app, "Database", Disk)

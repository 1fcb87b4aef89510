"""What a handler is: an async function, its defaults, and the words it may answer with.

    from daemon.context import Context
    from daemon.engine.handler import Done, handler

    @handler("tidy-up", cron="30 3 * * *", timeout="5m")
    async def tidy_up(ctx: Context) -> Done:
        removed = await remove_old_files(ctx.task.args["folder"])
        return Done(removed=removed)

A handler must bear being run twice: after a crash in the middle of a run the task is owed again.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from state.records import Lane

if TYPE_CHECKING:
    from daemon.config.load import Config
    from daemon.config.problems import Place
    from daemon.context import Context

DEFAULT_TIMEOUT = timedelta(minutes=10)


class Done:
    """The work is done. Whatever is named becomes the `summary` of the run: `Done(items=12)`."""

    __slots__ = ("summary",)

    def __init__(self, **summary: Any) -> None:
        self.summary: dict[str, Any] = summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze:
    """Not yet: ask again later. Costs no attempt; at most 200 times per task."""

    minutes: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """There is nothing to do any more; the task ends as cancelled, which is no failure."""

    reason: str


Outcome = Done | Snooze | Cancel


class HandlerError(Exception):
    """The work could not be done.

    `permanent`: trying again cannot help, so no retry is made. `retry_after`: do not try again
    sooner. Any other exception that leaves a handler counts as transient.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after


HandlerFunction = Callable[["Context"], Awaitable[Outcome | None]]
# Says what is wrong with the section that a handler works on: places below it, each with a sentence.
SectionCheck = Callable[["Config"], Iterable[tuple["Place", str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A handler with its defaults; a schedule entry in the config may say otherwise, but for the name."""

    name: str
    run: HandlerFunction
    cron: str | None = None  # the schedule it brings along, of the same name
    section: str | None = None  # the part of the config that it is handed as `ctx.options`
    lane: Lane = Lane.NORMAL
    in_history: bool = True  # False for heartbeats: they are not history
    timeout: timedelta = DEFAULT_TIMEOUT
    max_attempts: int = 3
    deadline: timedelta | None = None  # how long after its time a scheduled run must have succeeded
    check: SectionCheck | None = None  # asked with the rest of the config, before anything is started
    summary: str = ""  # the first line of its docstring, for people

    def __call__(self, ctx: "Context") -> Awaitable[Outcome | None]:
        return self.run(ctx)


def handler(
    name: str,
    *,
    cron: str | None = None,
    section: str | None = None,
    lane: Lane = Lane.NORMAL,
    in_history: bool = True,
    timeout: str = "10m",
    max_attempts: int = 3,
    deadline: str | None = None,
    check: SectionCheck | None = None,
) -> Callable[[HandlerFunction], Handler]:
    """Make a handler of an async function. Nothing is registered: the loader finds it by name."""
    from daemon.durations import parse_duration

    def made(run: HandlerFunction) -> Handler:
        return Handler(
            name=name,
            run=run,
            cron=cron,
            section=section,
            lane=lane,
            in_history=in_history,
            timeout=parse_duration(timeout),
            max_attempts=max_attempts,
            deadline=None if deadline is None else parse_duration(deadline),
            check=check,
            summary=(run.__doc__ or "").strip().split("\n")[0],
        )

    return made

"""One attempt at a task, under a time-out that the handler cannot swallow."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from daemon.clock import Timer
from daemon.context import Context
from daemon.durations import format_duration
from daemon.engine.deadlines import Timers
from daemon.engine.handler import Handler, HandlerError, Outcome
from daemon.engine.verdict import End, Ending, end_of, end_of_error
from state.records import Task

log = logging.getLogger(__name__)

# How long a handler has to clean up after itself once it was cancelled.
GRACE_S = 5.0


class Attempt:
    """Runs a handler once and tells its end exactly once, whatever the handler does.

    A cancellation is a request: a handler may swallow it and run on. So nobody waits for the handler;
    its task is watched from outside, and left behind when it does not stop.
    """

    __slots__ = (
        "_ended",
        "_is_late",
        "_is_told",
        "_limit_s",
        "_running",
        "_stop_reason",
        "_timer",
        "_timers",
        "task",
    )

    def __init__(
        self, task: Task, timers: Timers, limit_s: float, ended: Callable[["Attempt", End], None]
    ) -> None:
        self.task = task
        self._timers = timers
        self._limit_s = limit_s
        self._ended = ended
        self._is_late = False
        self._is_told = False
        self._stop_reason: End | None = None
        self._running: asyncio.Task[Outcome | None] | None = None
        self._timer: Timer | None = None

    def begin(self, handler: Handler, ctx: Context) -> None:
        """Start the handler."""
        self._running = asyncio.get_running_loop().create_task(_guarded(handler, ctx))
        self._running.add_done_callback(self._done)
        self._timer = self._timers.call_later(self._limit_s, self._expire)

    def stop(self, end: End, grace_s: float = GRACE_S) -> None:
        """Ask the handler to stop; the attempt ends as given, at the latest after the grace."""
        if self._is_told or self._stop_reason is not None:
            return
        self._stop_reason = end
        self._cancel(grace_s)

    @property
    def is_running(self) -> bool:
        return self._running is not None and not self._running.done()

    def _expire(self) -> None:
        self._is_late = True
        self._cancel(GRACE_S)

    def _cancel(self, grace_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timers.call_later(grace_s, self._abandon)
        if self._running is not None:
            self._running.cancel()

    def _abandon(self) -> None:
        if self._stop_reason is not None:
            self._tell(self._stop_reason)
        else:
            self._tell(self._late(Ending.ABANDONED, " and would not stop"))

    def _done(self, running: asyncio.Task[Outcome | None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            end = self._end_of(running)
        # What a handler answers or raises is anybody's object, and looking at it runs anybody's code.
        # Whatever that does, the attempt has ended, and its place in the lane must be free again.
        except Exception as error:
            reason = f"what the handler answered cannot be read: {type(error).__name__}"
            end = End(ending=Ending.FAILED, reason=reason, is_permanent=True)
        self._tell(end)

    def _end_of(self, running: asyncio.Task[Outcome | None]) -> End:
        if running.cancelled():
            return self._end_of_cancelled()
        if (error := running.exception()) is None:
            return end_of(running.result())
        if not isinstance(error, HandlerError):
            # The history keeps one line; whoever mends the handler needs to know where it happened.
            fields = {"handler": self.task.handler, "task": self.task.id}
            log.warning("handler.raised", exc_info=error, extra={"fields": fields})
        # An error on the way out of a cancelled run is no news; the time-out is.
        return self._end_of_cancelled() if self._is_late or self._stop_reason else end_of_error(error)

    def _end_of_cancelled(self) -> End:
        if self._stop_reason is not None:
            return self._stop_reason
        if self._is_late:
            return self._late(Ending.TIMED_OUT, "")
        return end_of_error(HandlerError("the handler cancelled itself"))

    def _late(self, ending: Ending, more: str) -> End:
        limit = format_duration(timedelta(seconds=self._limit_s))
        return End(ending=ending, reason=f"timed out after {limit}{more}")

    def _tell(self, end: End) -> None:
        if not self._is_told:
            self._is_told = True
            self._ended(self, end)


async def _guarded(handler: Handler, ctx: Context) -> Outcome | None:
    try:
        return await handler.run(ctx)
    except (SystemExit, KeyboardInterrupt) as error:
        # Left alone these two would end the whole loop, and with it the daemon.
        raise HandlerError(f"the handler raised {type(error).__name__}", permanent=True) from error

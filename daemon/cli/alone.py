"""Doing the work in this process, under the lock of the home, where no daemon runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.cli.call import Call
from daemon.cli.client import DaemonDown
from daemon.cli.exits import HELD, Stop

if TYPE_CHECKING:
    from daemon.operations import Operations

TELL_S = 10.0  # what telling of alerts may add to a command

T = TypeVar("T")
Work = Callable[["Operations"], Awaitable[T]]


def alone(call: Call, work: "Work[T]", *, with_schedules: bool = False) -> T:
    """Open the home, do the work, close it again. Nothing else runs: no schedule fires, no task starts.

    Raises:
        ConfigError, HomeLocked, StateUnreadable, StoreTooNew: nothing was done.
    """
    from daemon.check import prepare
    from daemon.logs import writing_logs
    from state.home import locked

    prepared = prepare(call.config_file, call.environ)
    with (
        locked(call.home),
        writing_logs(call.home.log_file, to_stderr=False, environ=call.environ),
    ):
        return asyncio.run(_opened(call, prepared, work, with_schedules))


def ask_or_do(
    call: Call, asked: Callable[[], Any], work: "Work[Any]", *, with_schedules: bool = False
) -> Any:
    """Ask the daemon; where none runs, do it here.

    Raises:
        Stop: somebody holds the home, and does not answer.
    """
    try:
        return asked()
    except DaemonDown as down:
        if down.is_held:
            raise Stop(HELD, f"nightdesk: {down}; one process at a time may change it") from None
        return alone(call, work, with_schedules=with_schedules)


async def _opened(call: Call, prepared: Any, work: "Work[T]", with_schedules: bool) -> T:
    from daemon.app import App
    from daemon.clock import SystemClock
    from daemon.operations import Operations

    async with App.opened(prepared, call.home, SystemClock()) as app:
        if with_schedules:
            await app.scheduler.adopt(app.plan.schedules)
        answer = await work(Operations(app))
        # Nobody else is here to tell what was raised meanwhile. What cannot be told now stays owed.
        await app.dispatch.flush(TELL_S)
        return answer

"""Doing the work in this process, under the lock of the home, where no daemon runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.cli.call import Call
from daemon.cli.client import DaemonDown
from daemon.cli.exits import HELD, UNREADABLE, Stop

if TYPE_CHECKING:
    from daemon.check import Prepared
    from daemon.operations import Operations

TELL_S = 10.0  # what telling of alerts may add to a command

T = TypeVar("T")
Work = Callable[["Operations"], Awaitable[T]]


def alone(call: Call, work: "Work[T]", *, with_schedules: bool = False, is_looking: bool = False) -> T:
    """Open the home, do the work, close it again. Nothing else runs: no schedule fires, no task starts.

    `is_looking`: the work only reads, so a ledger that would have to be put right first is left as it is.

    Raises:
        ConfigError, HomeLocked, StateUnreadable, StoreTooNew, Stop: nothing was done.
    """
    from daemon.check import prepare
    from daemon.logs import writing_logs
    from state.home import locked

    prepared = prepare(call.config_file, call.environ)
    with (
        locked(call.home),
        writing_logs(call.home.log_file, to_stderr=False, environ=call.environ),
    ):
        if is_looking:
            _see_that_it_is_whole(call, prepared)
        return asyncio.run(_opened(call, prepared, work, with_schedules))


def ask_or_do(
    call: Call,
    asked: Callable[[], Any],
    work: "Work[Any]",
    *,
    with_schedules: bool = False,
    is_looking: bool = False,
) -> Any:
    """Ask the daemon; where none runs, do it here, see `alone`.

    Raises:
        Stop: somebody holds the home, and does not answer.
    """
    try:
        return asked()
    except DaemonDown as down:
        if down.is_held:
            raise Stop(HELD, f"nightdesk: {down}; one process at a time may change it") from None
        return alone(call, work, with_schedules=with_schedules, is_looking=is_looking)


def has_embedded_ledger(call: Call, prepared: "Prepared") -> bool:
    """Whether the ledger is a file of this home, and is there."""
    config = prepared.config
    return config.reports is not None and config.ledger.url in ("", "sqlite") and call.home.ledger.exists()


def _see_that_it_is_whole(call: Call, prepared: "Prepared") -> None:
    """Refuse to look at a ledger that somebody changed while nothing had it open: opened it is replaced.

    Raises:
        Stop: its seal does not fit.
    """
    from state.ledger.keeping import ledger_backups
    from state.seal import is_seal_broken, seal_of

    path = call.home.ledger
    if not has_embedded_ledger(call, prepared) or not is_seal_broken(path):
        return
    what = "the next start keeps it aside, and puts the newest backup in its place"
    if not ledger_backups(call.home.backups):
        what = "there is no backup to put in its place, so nothing will start"
    raise Stop(
        UNREADABLE,
        f"nightdesk: {path}: it was changed while nothing had it open, and its checksum does not fit;"
        " it is left as it is. `nightdesk certificate verify DATE` names the rows that were changed;"
        f" {what}. If the change is yours and is to stay: rm {seal_of(path)}",
    )


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

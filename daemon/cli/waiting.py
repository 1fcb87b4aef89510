"""Waiting for the end of a task that the daemon has taken, and telling how it ended."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.exits import DONE, WRONG, Stop
from daemon.cli.progress import Progress
from daemon.cli.tables import clean
from daemon.cli.tasks import told
from daemon.durations import format_duration

FINAL = ("completed", "cancelled", "discarded")
# The first answer is waited for so long, which is all that most tasks take.
FIRST_WAIT_S = 2
EACH_WAIT_S = 5
LONGEST_WAIT = timedelta(minutes=10)


def wait_for(
    call: Call, accepted: Mapping[str, Any], limit: timedelta = LONGEST_WAIT, *, waited_s: float = 0
) -> dict[str, Any]:
    """Ask for a task until it has ended; `waited_s` of the limit are used up already.

    Raises:
        Stop: it has not ended within `limit`; it goes on.
    """
    from daemon.clock import SystemClock

    clock = SystemClock()
    started_s = clock.monotonic() - waited_s
    task = dict(accepted)
    path = f"/api/tasks/{segment(task['id'])}"
    with Progress() as progress:
        while task["state"] not in FINAL:
            each_s = min(EACH_WAIT_S, max(0, math.ceil(limit.total_seconds() - waited_s)))
            task = call.client.get(path, {"wait": each_s}, wait_s=each_s)
            waited_s = clock.monotonic() - started_s
            if task["state"] not in FINAL and waited_s >= limit.total_seconds():
                text = (
                    f"nightdesk: {task['id']} is {task['state']} after {format_duration(limit)}, and goes on"
                )
                raise Stop(WRONG, text)
            progress.show(
                f"{task['handler']}: {task['state']}, {format_duration(timedelta(seconds=int(waited_s)))}"
            )
    return {**task, "duplicate": accepted["duplicate"]}


def tell_end(call: Call, task: Mapping[str, Any]) -> int:
    """Say how a task ended; the exit code that says the same to a script."""
    if call.is_json:
        call.answer(task)
    else:
        said = f"{task['handler']}: {task['state']}"
        result = task["error"] or told(task["summary"])
        again = " (done before: the same key)" if task["duplicate"] else ""
        call.say(f"{said}: {clean(result)}{again}" if result else said + again)
    if task["state"] not in FINAL:
        call.note(f"nightdesk: it waits until {task['scheduledAt']}; a daemon takes it up then")
    return DONE if task["state"] in ("completed", "cancelled") else WRONG

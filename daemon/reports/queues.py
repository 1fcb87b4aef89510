"""How full the queue and the ledger are: by lane, by handler, by deadline."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from state.codec import time_text
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.records import Lane, Task, TaskState

LOOK_AHEAD = timedelta(hours=48)
MOST_LOADS = 100


def queues_of(tasks: Iterable[Task], now: datetime) -> dict[str, Any]:
    """Count what is unfinished; the oldest is what should have begun the longest ago and has not."""
    tasks = list(tasks)
    return {
        "lanes": {lane.value: _lane([it for it in tasks if it.lane is lane], now) for lane in Lane},
        "handlers": _handlers(tasks),
    }


async def loads_of(ledger: Ledger | None, now: datetime) -> dict[str, Any]:
    """What the ledger still owes, by deadline; says why where it cannot tell."""
    if ledger is None:
        return {"status": "off", "loads": []}
    try:
        loads = await ledger.loads(now, now + LOOK_AHEAD, limit=MOST_LOADS)
    except LedgerError as error:
        return {"status": "down", "error": str(error), "loads": []}
    rows = [
        {
            "deadlineAt": time_text(it.deadline_at),
            "open": it.open,
            "due": it.due,
            "isMissed": it.deadline_at < now,
        }
        for it in loads
    ]
    return {"status": "ok", "loads": rows}


def _lane(tasks: list[Task], now: datetime) -> dict[str, Any]:
    running = [it for it in tasks if it.state is TaskState.EXECUTING]
    waiting = [it for it in tasks if it.state is not TaskState.EXECUTING]
    owed = [it.scheduled_at for it in waiting if it.scheduled_at <= now]
    return {
        "depth": len(owed),
        "later": len(waiting) - len(owed),
        "running": len(running),
        "oldestAgeS": round((now - min(owed)).total_seconds(), 1) if owed else 0.0,
    }


def _handlers(tasks: Iterable[Task]) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for task in tasks:
        counts.setdefault(task.handler, Counter())[task.state.value] += 1
    return {name: dict(counts[name]) for name in sorted(counts)}

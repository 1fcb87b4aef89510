"""The simple way: all state is one JSON file, and the whole of it is written after each task."""

import os
import time
from pathlib import Path
from typing import Any

import orjson
import uvloop

HISTORY_LENGTH = 50


def drain(folder: str, queued: int, count: int) -> float:
    """Tasks a second with so many queued, each saved before the next."""
    return uvloop.run(_drain(Path(folder), queued, count))


async def _drain(folder: Path, queued: int, count: int) -> float:
    queue = [_task(number) for number in range(queued + count)]
    history = [_task(number) for number in range(HISTORY_LENGTH)]
    began = time.perf_counter()
    for number in range(count):
        task = queue[number]
        await _nothing()
        task["state"], task["finishedAt"] = "completed", "2026-11-21T21:14:43.123456Z"
        history = [*history[1:], task]
        state = {
            "generation": number,
            "queue": queue[number + 1 : number + 1 + queued],
            "taskHistory": history,
        }
        _save(folder, orjson.dumps(state))
    return count / (time.perf_counter() - began)


def _save(folder: Path, data: bytes) -> None:
    """Temporary file, sync, rename, sync of the folder: less is lost at a power cut."""
    temp = folder / "state.json.tmp"
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)
    temp.rename(folder / "state.json")
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(above)
    os.close(above)


async def _nothing() -> None:
    pass


def _task(number: int) -> dict[str, Any]:
    return {
        "id": f"019ab2c4-{number:04x}-7000-8000-0123456789ab",
        "handler": "noop",
        "args": {},
        "state": "available",
        "trigger": "api",
        "slot": None,
        "key": None,
        "attempt": 0,
        "maxAttempts": 3,
        "scheduledAt": "2026-11-21T21:14:43.123456Z",
        "startedAt": None,
        "finishedAt": None,
        "error": None,
        "summary": None,
    }

"""The ceiling of whatever runs jobs as asyncio tasks: a task, a semaphore, a time-out, nothing kept."""

import asyncio
import time

import uvloop

TIMEOUT_S = 60.0


def drain(count: int, in_flight: int) -> float:
    """Bare tasks a second."""
    return uvloop.run(_drain(count, in_flight))


async def _drain(count: int, in_flight: int) -> float:
    free = asyncio.Semaphore(in_flight)
    running: set[asyncio.Task[None]] = set()

    async def one() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await _nothing()
        free.release()

    began = time.perf_counter()
    for _ in range(count):
        await free.acquire()
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return count / (time.perf_counter() - began)


async def _nothing() -> None:
    pass

"""A bare SAQ worker: one function, one queue, and word to whoever started it of how far it has come."""

import asyncio
import os
import socket
from typing import Any

from saq import Queue

# What it waits for before it says that it is ready: "startup" hook or its "first-job".
TELL_AT = os.environ.get("BENCH_TELL_AT", "startup")


async def noop(_ctx: Any) -> None:
    """The first job, and the last."""
    if TELL_AT == "first-job":
        _tell()


async def started(_ctx: Any) -> None:
    """Called once the worker is set up, before it has spoken to its server."""
    if TELL_AT == "startup":
        _tell()


def _tell() -> None:
    """Say it as systemd is told, which costs both sides the same."""
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(b"READY=1", address)


def enqueue(address: str) -> None:
    """Have one job wait for the worker."""
    asyncio.run(_enqueue(address))


async def _enqueue(address: str) -> None:
    queue = Queue.from_url(address)
    await queue.connect()
    await queue.enqueue("noop")
    await queue.disconnect()


settings = {
    "queue": Queue.from_url(os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379")),
    "functions": [noop],
    "startup": started,
}

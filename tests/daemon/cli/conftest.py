"""What the tests of the command line lean on: a home with a configuration, and the program itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.client import Client, DaemonDown
from daemon.cli.exits import run
from state.home import Home

ROOT = Path(__file__).parents[3]
NEVER = "0 0 29 2 *"
CONFIG = {
    "timezone": "UTC",
    "schedules": {
        "hello": {"command": ["echo", "hi"], "cron": NEVER},
        "fails": {"command": ["false"], "cron": NEVER, "maxAttempts": 1},
        "naps": {"command": ["sleep", "4"], "cron": NEVER, "maxAttempts": 1},
    },
}


@dataclass(frozen=True)
class Ended:
    """How a call ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """One installation: its folder, its configuration, its home."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "orchestrator_config.json"

    @property
    def home(self) -> Home:
        return Home(self.folder / "var", self.folder / "var" / "logs")

    @property
    def client(self) -> Client:
        return Client(self.home)

    def write_leads(self, *leads: dict[str, Any]) -> Path:
        path = self.folder / "leads.jsonl"
        path.write_text("".join(json.dumps(lead) + "\n" for lead in leads))
        return path

    def process(self, *argv: str, **options: Any) -> "subprocess.Popen[str]":
        """The program as a process of its own, as a user would start it."""
        return subprocess.Popen(
            [sys.executable, "-m", "daemon", "--config", str(self.config), *argv],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            text=True,
            **options,
        )

    def run(self, *argv: str, given: str = "") -> Ended:
        """The program as a process of its own, to its end."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.process(*argv, **pipes) as process:
            out, err = process.communicate(given, timeout=60)
        return Ended(process.returncode, out, err)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.config.write_text(json.dumps(CONFIG))
    return made


@pytest.fixture
def nightdesk(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """The program within this process, which is quicker; the configuration of `desk` is chosen."""

    def call(*argv: str) -> Ended:
        capsys.readouterr()
        code = run([*argv, "--config", str(desk.config)], {"PATH": os.environ["PATH"]})
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


@pytest.fixture
def daemon(desk: Desk) -> Iterator["subprocess.Popen[str]"]:
    """A real daemon on the home of `desk`, ready to be asked; it is told to stop at the end."""
    process = desk.process("run", stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_ready(desk))
        yield process
    finally:
        process.terminate()
        assert process.wait(timeout=30) in (0, -signal.SIGKILL)


@pytest.fixture
def killed(daemon: "subprocess.Popen[str]") -> Callable[[], None]:
    """Kills the daemon as the kernel does, and returns once it is gone."""

    def kill() -> None:
        daemon.kill()
        daemon.wait(timeout=30)

    return kill


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for something that a process of its own brings about."""
    return wait_until


def is_ready(desk: Desk) -> bool:
    try:
        return bool(desk.client.get("/readyz")["status"] == "ready")
    except DaemonDown:
        return False


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true within 30 s")

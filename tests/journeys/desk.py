"""One installation with the real program in it: started, asked, signalled and killed by its process id."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from daemon.cli.client import Client, DaemonDown, DaemonSilent
from state import snapshot
from state.home import Home

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
CALL_S = 40.0
NEVER = "0 0 29 2 *"


@dataclass(frozen=True)
class Ended:
    """How a call ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """A folder with a configuration, a home below it, and at most one daemon."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    within: tuple[str, ...] = ()  # a program that begins the daemon in its own process
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def config(self) -> Path:
        return self.folder / "orchestrator_config.json"

    @property
    def home(self) -> Home:
        return Home(self.folder / "var", self.folder / "var" / "logs")

    @property
    def client(self) -> Client:
        return Client(self.home)

    @property
    def pid(self) -> int:
        assert self.process is not None, "no daemon was started"
        return self.process.pid

    def write_config(self, **settings: Any) -> None:
        self.config.write_text(json.dumps(settings, indent=2))

    def write_leads(self, *leads: dict[str, Any]) -> Path:
        path = self.folder / "leads.jsonl"
        path.write_text("".join(json.dumps(lead) + "\n" for lead in leads))
        return path

    def argv(self, *argv: str) -> list[str]:
        home = str(self.home.folder)
        return [sys.executable, "-m", "daemon", "--config", str(self.config), "--home", home, *argv]

    def surroundings(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environ}

    def launch(self) -> None:
        """Begin a daemon, without waiting for it."""
        assert self.process is None, "one daemon at a time"
        with (self.folder / "stderr.txt").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.within, *self.argv("run")],
                cwd=self.folder,
                env=self.surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )

    def start(self) -> None:
        """Begin a daemon, and return once its socket answers that it is ready."""
        self.launch()
        self.wait_for("a daemon that is ready", self.is_ready, pause_s=0.01)

    def is_ready(self) -> bool:
        if (code := self.poll()) is not None:
            raise AssertionError(self.told(f"the daemon ended with {code} instead of getting ready"))
        try:
            return bool(self.client.get("/readyz")["status"] == "ready")
        except (DaemonDown, DaemonSilent):
            return False

    def poll(self) -> int | None:
        """The daemon's exit code, or None while it runs."""
        return None if self.process is None else self.process.poll()

    def kill(self) -> None:
        """End the daemon as the kernel does, wherever it is."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)
        self.process = None

    def stop(self) -> None:
        """Have the daemon stop in good order."""
        assert self.process is not None
        self.process.terminate()
        try:
            code = self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.told(f"SIGTERM did not end it within {PATIENCE_S:.0f} s")) from None
        self.process = None
        assert code == 0, self.told(f"it was told to stop and ended with {code}")

    def reload(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def run(self, *argv: str) -> Ended:
        """The program as a user calls it, to its end."""
        try:
            done = subprocess.run(
                self.argv(*argv),
                cwd=self.folder,
                env=self.surroundings(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(self.told(f"{' '.join(argv)} did not end within {CALL_S:.0f} s")) from None
        return Ended(done.returncode, done.stdout, done.stderr)

    def does(self, *argv: str) -> Ended:
        """The program as a user calls it; it has to succeed."""
        ended = self.run(*argv)
        assert ended.code == 0, self.told(f"{' '.join(argv)} ended with {ended.code}: {ended.out}{ended.err}")
        return ended

    def state(self) -> dict[str, Any]:
        """The JSON state, checksum and all."""
        return snapshot.read(self.home.state_file)

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """What the database holds, read beside the daemon or after it."""
        uri = f"{self.home.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, parameters).fetchall()

    def alerts(self, name: str) -> list[sqlite3.Row]:
        """All alerts of a name there ever were."""
        return self.rows("SELECT * FROM alert WHERE name = ? ORDER BY first_at", name)

    def wait_for(
        self,
        what: str,
        look: Callable[[], T | None],
        *,
        patience_s: float = PATIENCE_S,
        pause_s: float = 0.05,
    ) -> T:
        """Look until there is something to see, and give it; name it where it does not come in time."""
        give_up_s = time.monotonic() + patience_s
        while not (seen := look()):
            if time.monotonic() > give_up_s:
                raise AssertionError(self.told(f"not within {patience_s:.0f} s: {what}"))
            time.sleep(pause_s)
        return seen

    def told(self, problem: str) -> str:
        """A failure together with the last that the daemon said."""
        said = [problem]
        for path in (self.folder / "stderr.txt", self.home.log_file):
            if path.exists():
                said += [f"-- the end of {path.name}:", *path.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(said)


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """An installation whose daemon is ended with the block, however the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    desk = Desk(folder)
    try:
        yield desk
    finally:
        if desk.process is not None:
            desk.kill()


@cache
def zone_at_noon() -> str:
    """A zone where it was noon when it was first asked for: so no date begins or ends while a test runs."""
    hours_ahead = 12 - datetime.now(UTC).hour
    return "UTC" if hours_ahead == 0 else f"Etc/GMT{-hours_ahead:+d}"  # the sign is POSIX's: west is plus

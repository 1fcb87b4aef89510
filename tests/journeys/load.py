"""Load on a daemon that keeps dying, and an eye on its state file that never blinks."""

import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from daemon.web.address import socket_address
from state import snapshot
from state.home import Home

ANSWER_S = 10.0
GIVE_UP_S = 60.0  # a key that nobody takes for so long: the daemon is gone for good
PAUSE_S = 0.003  # between two posts; so that there is a queue, and not nothing else
AGAIN_S = 0.01


class Line(http.client.HTTPConnection):
    """A connection to the control socket."""

    def __init__(self, home: Home) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = home.control_socket

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(ANSWER_S)
            with socket_address(self._path) as address:
                made.connect(address)
        except OSError:
            made.close()
            raise
        self.sock = made


@dataclass
class Poster:
    """A caller who has every task taken, whatever it costs, and asks again with the same key."""

    home: Home
    name: str
    handlers: Sequence[str]
    enough: threading.Event
    gone: threading.Event  # there will be no daemon any more: what was begun is left
    accepted: dict[str, set[str]] = field(default_factory=dict)  # key to the ids it was answered with
    lost: int = 0  # answers that did not come: the task may have been taken

    def run(self) -> None:
        """Post until it is enough; a key that was begun is seen through."""
        with closing(Line(self.home)) as line:
            for number, handler in enumerate(itertools.cycle(self.handlers)):
                if self.enough.is_set():
                    return
                self._see_through(line, {"handler": handler, "key": f"{self.name}-{number}"})
                time.sleep(PAUSE_S)

    def _see_through(self, line: Line, task: dict[str, str]) -> None:
        body = json.dumps(task).encode()
        give_up_s = time.monotonic() + GIVE_UP_S
        while True:
            was_open = line.sock is not None
            try:
                line.request("POST", "/api/tasks", body, {"Content-Type": "application/json"})
                answer = line.getresponse()
                said = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError):
                line.close()
                self.lost += was_open
                if self.gone.is_set():
                    return
                assert time.monotonic() < give_up_s, f"nobody takes {task} any more"
                time.sleep(AGAIN_S)
                continue
            # Nothing but an accepted task is an answer here: the queue is never full, the disk neither.
            assert answer.status == HTTPStatus.ACCEPTED, f"{task} was answered {answer.status}: {said}"
            self.accepted.setdefault(task["key"], set()).add(said["id"])
            return


@dataclass
class Eye:
    """Reads the state file over and over: it must be there, whole, and of a newer generation each time."""

    home: Home
    enough: threading.Event
    polls: int = 0
    saves: int = 0
    generation: int = -1
    _seen: bytes = b""
    _previous: bytes = b""
    _previous_generation: int = -1

    def run(self) -> None:
        """Look until it is enough."""
        while not self.enough.is_set():
            self.look()
            time.sleep(0.0005)  # lets the other threads of this process at the processor

    def look(self) -> None:
        """Look once.

        Raises:
            AssertionError: the file was gone, or of an older generation.
            SnapshotDamaged: it was not whole.
        """
        self.polls += 1
        # The older one first: by the time the newer one is read it may only have been overtaken.
        previous = _bytes_of(self.home.previous_state_file)
        current = _bytes_of(self.home.state_file)
        if previous is not None and previous != self._previous:
            found = _state_of(previous)["generation"]
            assert found > self._previous_generation, f"the previous state went back to {found}"
            self._previous, self._previous_generation = previous, found
        assert previous is not None or not self._previous, "the previous state file was gone"
        assert current is not None or not self._seen, "the state file was gone"
        if current is None or current == self._seen:
            return
        found = _state_of(current)["generation"]
        assert found > self.generation, f"the generation went from {self.generation} to {found}"
        assert found >= self._previous_generation, "the previous state was newer than the state"
        self._seen, self.generation = current, found
        self.saves += 1


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _state_of(data: bytes) -> dict[str, Any]:
    """As any reader takes it (jq knows of no checksum), and as the program does."""
    assert isinstance(json.loads(data), dict)
    return snapshot.decode(data)

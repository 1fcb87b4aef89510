"""Event streams that are open while the configuration changes: they end with what had let them in."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.desk import NEVER, Desk, open_desk

FIRST, SECOND, READER = (f"the-{name}-of-three-long-tokens" for name in ("first", "second", "third"))
SOON_S = 2.0  # a second, and what a busy machine takes


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        (desk.folder / "token").write_text(FIRST)
        (desk.folder / "reader").write_text(READER)
        configure(desk)
        yield desk


def configure(desk: Desk, port: int = 0) -> None:
    section = {"port": port, "token": "file:token", "readToken": "file:reader"}
    desk.write_config(heartbeatSchedule=NEVER, http=section)


def port_of(desk: Desk) -> int:
    return int(desk.wait_for("a port", lambda: desk.client.get("/api/status")["httpPort"]))


@contextmanager
def listening(port: int, token: str) -> Iterator[http.client.HTTPResponse]:
    """Somebody who has heard the first event, and listens on."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/api/events", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        while answer.readline() != b"\n":
            pass
        yield answer
    finally:
        connection.close()


def end_of(stream: http.client.HTTPResponse) -> float:
    """When a stream ended, whatever came before that."""
    try:
        while stream.readline():
            pass
    except ConnectionError:
        pass  # it is broken off
    return time.monotonic()


def test_a_stream_ends_with_its_token_and_the_others_go_on(desk: Desk) -> None:
    desk.start()
    port = port_of(desk)
    with listening(port, FIRST) as stream, listening(port, READER) as other:
        (desk.folder / "token").write_text(SECOND)
        asked = time.monotonic()
        desk.reload()
        assert end_of(stream) - asked < SOON_S
        with listening(port, SECOND):
            pass
        # What happens is still told to whoever may hear it.
        desk.client.post("/api/tasks", {"handler": "command", "args": {"argv": ["true"]}})
        while b"event: run" not in other.readline():
            pass


def test_a_stream_ends_when_the_port_moves_or_closes(desk: Desk) -> None:
    desk.start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    with listening(port_of(desk), FIRST) as stream:
        configure(desk, port=free)
        asked = time.monotonic()
        desk.reload()
        assert end_of(stream) - asked < SOON_S
    desk.wait_for("the other port", lambda: port_of(desk) == free)
    with listening(free, FIRST) as stream:
        desk.write_config(heartbeatSchedule=NEVER)
        asked = time.monotonic()
        desk.reload()
        assert end_of(stream) - asked < SOON_S

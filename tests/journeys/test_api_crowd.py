"""The API under a crowd that means it no good: the night goes on, and whoever asks plainly is answered."""

import contextlib
import http.client
import json
import resource
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.desk import NEVER, Desk, open_desk

DESCRIPTORS = 256
CALLERS = 400
STREAMS = 40
TOKEN = "operate-with-this-long-token"
FEW_DESCRIPTORS = ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$0" "$@"')
LASTS_S = 7.0  # longer than headers may take, so that those who are cut off come back


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    with open_desk(tmp_path) as desk:
        desk.within = FEW_DESCRIPTORS
        desk.environ["TOKEN"] = TOKEN
        desk.write_config(http={"port": 0, "token": "env:TOKEN"}, heartbeatSchedule=NEVER)
        desk.start()
        yield desk
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Callers who each begin a request, end none of them, and come back when they are cut off."""

    def __init__(self, port: int) -> None:
        self.cut_off = 0
        self._address = ("127.0.0.1", port)
        self._selector = selectors.DefaultSelector()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._press)

    def __enter__(self) -> "Crowd":
        for _ in range(CALLERS):
            self._begin()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _begin(self) -> None:
        caller = socket.socket()
        caller.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            caller.connect(self._address)
        self._selector.register(caller, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _press(self) -> None:
        while not self._is_over.is_set():
            for key, events in self._selector.select(0.2):
                caller = key.fileobj
                assert isinstance(caller, socket.socket)
                try:
                    if events & selectors.EVENT_WRITE:
                        caller.send(b"GET /livez HTTP/1.1\r\nHost: local")
                        self._selector.modify(caller, selectors.EVENT_READ)
                    elif caller.recv(1024) == b"":
                        raise ConnectionError
                except OSError:
                    self.cut_off += 1
                    self._selector.unregister(caller)
                    caller.close()
                    self._begin()


def port_of(desk: Desk) -> int:
    return int(desk.wait_for("a port", lambda: desk.client.get("/api/status")["httpPort"]))


def livez(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    with contextlib.closing(connection):
        connection.request("GET", "/livez")
        return connection.getresponse().status


def shown(desk: Desk) -> list[str]:
    return [lead["id"] for lead in desk.state()["redditQueue"]]


def test_400_slow_callers_stop_neither_the_saves_nor_a_plain_question(desk: Desk) -> None:
    port = port_of(desk)
    generation = desk.state()["generation"]
    answers: list[int] = []
    leads: list[dict[str, str]] = []
    ends_at = time.monotonic() + LASTS_S
    with Crowd(port) as crowd:
        while time.monotonic() < ends_at:
            answers.append(livez(port))
            leads.append({"id": f"lead-{len(leads)}", "title": "T"})
            assert desk.client.post("/api/items", leads[-1:])["added"] == 1
            desk.wait_for("a save", lambda: shown(desk) == [lead["id"] for lead in leads])
            time.sleep(0.2)
        descriptors = len(list(Path(f"/proc/{desk.pid}/fd").iterdir()))
    assert set(answers) == {200}
    assert len(answers) > 5
    assert crowd.cut_off > CALLERS
    assert descriptors < DESCRIPTORS - 16
    assert desk.state()["generation"] > generation
    assert desk.client.get("/api/alerts?open=1") == []
    assert "Too many open files" not in desk.home.log_file.read_text()


def test_a_stop_does_not_wait_for_those_who_listen(desk: Desk) -> None:
    port = port_of(desk)
    asked = f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    listeners = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(STREAMS)]
    try:
        for listener in listeners:
            listener.sendall(asked)
            assert b"200 OK" in listener.recv(4096)
        began = time.monotonic()
        desk.stop()
        assert time.monotonic() - began < 5
    finally:
        for listener in listeners:
            listener.close()


def test_a_token_is_nowhere_in_what_the_daemon_writes(desk: Desk) -> None:
    port = port_of(desk)
    for token, status in ((TOKEN, 200), ("canary-that-is-wrong", 401)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/api/status", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            assert (answer.status, token in answer.read().decode()) == (status, False)
    desk.stop()
    written = [path.read_bytes() for path in desk.home.folder.rglob("*") if path.is_file()]
    written.append((desk.folder / "stderr.txt").read_bytes())
    assert not [data for data in written if TOKEN.encode() in data or b"canary" in data]
    unauthorized = [
        line for line in desk.home.log_file.read_text().splitlines() if "api.unauthorized" in line
    ]
    assert json.loads(unauthorized[0])["address"] == "127.0.0.1"

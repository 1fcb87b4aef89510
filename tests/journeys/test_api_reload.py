"""The port of a real daemon: told by `status`, moved and guarded anew by a reload, refused at the start."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.desk import NEVER, Desk, open_desk

FIRST, SECOND = "the-first-of-two-long-tokens", "the-second-of-two-long-tokens"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        (desk.folder / "token").write_text(FIRST)
        yield desk


def configure(desk: Desk, **http: Any) -> None:
    desk.write_config(heartbeatSchedule=NEVER, http={"port": 0, "token": "file:token", **http})


def port_of(desk: Desk) -> int:
    return int(desk.wait_for("a port", lambda: desk.client.get("/api/status")["httpPort"]))


def asked(port: int, token: str | None, path: str = "/api/status") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_a_reload_takes_new_tokens_and_another_port(desk: Desk) -> None:
    configure(desk)
    desk.start()
    port = port_of(desk)
    assert desk.does("status", "--json").json["httpPort"] == port
    assert f"http       port {port}" in desk.does("status").out
    assert asked(port, FIRST)[1]["httpPort"] == port
    assert asked(port, None)[0] == asked(port, SECOND)[0] == 401
    (desk.folder / "token").write_text(SECOND)
    desk.reload()
    desk.wait_for("the second token", lambda: asked(port, SECOND)[0] == 200)
    assert asked(port, FIRST)[0] == 401
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    configure(desk, port=free)
    desk.reload()
    desk.wait_for("the other port", lambda: port_of(desk) == free)
    assert asked(free, SECOND)[0] == 200
    with pytest.raises(OSError):
        asked(port, SECOND)
    assert desk.client.get("/api/alerts?open=1") == []


def test_a_port_that_is_taken_is_an_alert_and_no_end(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        configure(desk, port=other.getsockname()[1])
        desk.start()
        (alert,) = desk.wait_for("an alert", lambda: desk.client.get("/api/alerts?open=1"))
        assert alert["name"] == "http.unreachable"
        assert desk.client.get("/api/status")["ready"] is True
    desk.reload()  # else it would be tried again in ten seconds
    desk.wait_for("its end", lambda: desk.client.get("/api/alerts?open=1") == [])
    assert asked(port_of(desk), FIRST)[0] == 200


def test_the_network_is_not_served_without_a_token(desk: Desk) -> None:
    desk.write_config(http={"host": "0.0.0.0", "port": 0})
    for command in (("config", "check"), ("run",)):
        ended = desk.run(*command)
        assert ended.code == 78
        assert 'http.host: "0.0.0.0" is reached from the network, so http.token is needed' in ended.err


def test_the_environment_alone_opens_the_port_for_whoever_has_its_token(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    desk.environ["NIGHTDESK_TOKEN"] = FIRST
    desk.write_config(heartbeatSchedule=NEVER, http={"port": free})
    desk.start()
    assert asked(port_of(desk), FIRST)[0] == 200
    assert asked(free, None, "/livez") == (200, {"status": "ok"})
    assert asked(free, None, "/readyz") == (200, {"status": "ready"})
    assert asked(free, None, "/api/reports/system/health")[1].keys() == {"status"}

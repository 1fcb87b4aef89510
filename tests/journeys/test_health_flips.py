"""The health tells the truth within ten seconds: what breaks flips its own field, and flips it back."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from daemon.cli.client import Client
from state.home import Home
from tests import postgres as postgres_server
from tests import valkey
from tests.journeys.desk import NEVER, Desk
from tests.journeys.line_stand_in import Switchboard, Way, switchboard
from tests.journeys.mail_stand_in import Mail, mail_server
from tests.journeys.test_alerts_full_disk import fill, is_ready, on_a_small_disk, seen_home
from tests.journeys.three_stand_in import SECRET
from tests.journeys.web_stand_in import Web, webhook
from tests.postgres import Postgres
from tests.valkey import Valkey

WITHIN_S = 10.0
TOKEN = "a-token-to-ask-with"
PATH = "/api/reports/system/health"
Change = Callable[["World"], None]


@dataclass(frozen=True, kw_only=True)
class World:
    """A daemon, and all that it relies on."""

    desk: Desk
    home: Home
    port: int
    redis: Valkey
    postgres: Postgres
    mail: Mail
    hook: Web

    def asked(self, *, token: str | None = TOKEN) -> tuple[int, dict[str, Any]]:
        """The status code and the health, as a monitor asks for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request("GET", PATH, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def states(self) -> tuple[int, dict[str, str]]:
        """The status code, and how each component is."""
        code, found = self.asked()
        return code, {name: part["status"] for name, part in found["components"].items()}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What breaks, how it is mended, and the fields that say so."""

    breaks: Change
    mends: Change
    flips: str
    also: frozenset[str] = frozenset()  # what may well go down with it


FAULTS = {
    "redis is killed": Fault(
        breaks=lambda it: it.redis.kill(), mends=lambda it: it.redis.start(), flips="redis"
    ),
    "redis hangs": Fault(breaks=lambda it: it.redis.hold(), mends=lambda it: it.redis.go_on(), flips="redis"),
    "the ledger's server is killed": Fault(
        breaks=lambda it: it.postgres.kill(), mends=lambda it: it.postgres.start(), flips="ledger"
    ),
    "the ledger's server hangs": Fault(
        breaks=lambda it: it.postgres.hold(), mends=lambda it: it.postgres.go_on(), flips="ledger"
    ),
    "the disk is full": Fault(
        breaks=lambda it: fill(it.home.folder / "ballast"),
        mends=lambda it: (it.home.folder / "ballast").unlink(),
        flips="disk",
        also=frozenset({"state"}),
    ),
    "a web channel is away": Fault(
        breaks=lambda it: it.hook.line.become(Way.REFUSED),
        mends=lambda it: it.hook.line.become(Way.OPEN),
        flips="channel:hook",
    ),
    "a mail server hangs": Fault(
        breaks=lambda it: it.mail.line.become(Way.SILENT),
        mends=lambda it: it.mail.line.become(Way.OPEN),
        flips="channel:post",
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("flips")
    with (
        valkey.running(folder / "redis") as redis,
        postgres_server.running(folder / "postgres") as postgres,
        switchboard() as board,
        on_a_small_disk(folder / "desk") as desk,
        started(desk, redis, postgres, board) as made,
    ):
        yield made


@contextmanager
def started(desk: Desk, redis: Valkey, postgres: Postgres, board: Switchboard) -> Iterator[World]:
    mail, hook = mail_server(board), webhook(board, SECRET)
    desk.environ |= {"HOOK": hook.url, "SECRET": SECRET, "LEDGER": postgres.new_database(), "TOKEN": TOKEN}
    desk.write_config(
        heartbeatSchedule=NEVER,
        network={"allowPrivate": True},
        reports={},
        ledger={"url": "env:LEDGER"},
        redis={"url": redis.url()},
        http={"port": 0, "token": "env:TOKEN"},
        alerts={"enabled": False},
        channels={
            "hook": {"type": "webhook", "url": "env:HOOK", "secret": "env:SECRET"},
            "post": mail.entry,
        },
    )
    desk.launch()
    home = seen_home(desk)
    client = Client(home)
    desk.wait_for("a daemon that is ready", lambda: is_ready(desk, client))
    port = desk.wait_for("a port", lambda: client.get("/api/status")["httpPort"])
    world = World(desk=desk, home=home, port=port, redis=redis, postgres=postgres, mail=mail, hook=hook)
    desk.wait_for("a sound house", lambda: world.states()[0] == 200)
    yield world
    desk.stop()


@pytest.mark.parametrize("name", FAULTS)
def test_what_breaks_flips_its_own_field_and_flips_back(
    world: World, name: str, record_property: Callable[[str, object], None]
) -> None:
    fault = FAULTS[name]
    before = sound(world)
    fault.breaks(world)
    try:
        down_s, states = until(world, lambda code, it: code == 503 and it[fault.flips] == "down")
    finally:
        fault.mends(world)
    others = {part for part, state in states.items() if state != before[part]} - {fault.flips}
    assert others <= fault.also, world.desk.told(f"{others} flipped with {fault.flips}")
    up_s, after = until(world, lambda code, it: code == 200 and it == before)
    assert after == before
    record_property(name, f"known after {down_s:.1f} s, over after {up_s:.1f} s")


def test_without_a_token_one_word_is_told_and_the_code_is_the_same(world: World) -> None:
    sound(world)
    assert world.asked(token=None) == (200, {"status": "ok"})
    world.redis.kill()
    try:
        until(world, lambda code, _: code == 503)
        assert world.asked(token=None) == (503, {"status": "degraded"})
    finally:
        world.redis.start()


def sound(world: World) -> dict[str, str]:
    """How each component is while nothing is broken."""
    _, states = until(world, lambda code, _: code == 200)
    assert set(states.values()) <= {"ok", "off"}, states
    return states


def until(world: World, is_so: Callable[[int, dict[str, str]], bool]) -> tuple[float, dict[str, str]]:
    """Ask until it is so, and say after how many seconds it was."""
    began_s = time.monotonic()
    while True:
        code, states = world.states()
        took_s = time.monotonic() - began_s
        if is_so(code, states):
            assert took_s <= WITHIN_S, world.desk.told(f"it took {took_s:.1f} s")
            return took_s, states
        assert took_s <= WITHIN_S, world.desk.told(f"after {took_s:.1f} s: {code}, {states}")
        time.sleep(0.1)

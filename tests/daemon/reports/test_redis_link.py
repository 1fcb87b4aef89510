"""A Redis as a link, on a real server: each failure is told apart, in bounded time, without its address."""

import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.reports.link import LinkDown
from daemon.reports.redis_link import RedisLink, cautions
from daemon.secret import Secret
from tests.valkey import Valkey, running

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
LONGEST_S = 6.0

Serving = Callable[..., Valkey]
Linking = Callable[[str], RedisLink]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with ExitStack() as servers:

        def start(name: str = "one", **settings: str) -> Valkey:
            return servers.enter_context(running(tmp_path / name, **settings))

        yield start


@pytest.fixture
async def linked() -> AsyncIterator[Linking]:
    made: list[RedisLink] = []

    def link(url: str) -> RedisLink:
        made.append(RedisLink(Secret(url)))
        return made[-1]

    yield link
    for one in made:
        await one.close()


async def reason(link: RedisLink) -> str:
    """Why it counts as down; told within the time that is promised."""
    began_s = time.monotonic()
    with pytest.raises(LinkDown) as raised:
        await link.probe(NOW)
    assert time.monotonic() - began_s < LONGEST_S
    assert "127.0.0.1" not in str(raised.value)
    return str(raised.value)


async def test_a_server_that_writes_and_reads_is_up_and_tells_of_itself(
    serving: Serving, linked: Linking
) -> None:
    facts = await linked(serving().url()).probe(NOW)
    assert facts["role"] == "master"
    assert facts["maxmemory_policy"] == "noeviction"


async def test_what_is_written_expires(serving: Serving, linked: Linking) -> None:
    server = serving()
    await linked(server.url()).probe(NOW)
    key = server.say("KEYS nightdesk:probe:*").split(b"\r\n")[2].decode()
    assert 0 < int(server.say(f"TTL {key}").strip()[1:]) <= 60


async def test_a_server_that_was_killed_is_told_at_once_and_found_again(
    serving: Serving, linked: Linking
) -> None:
    server = serving()
    link = linked(server.url())
    await link.probe(NOW)
    server.kill()
    assert "cannot be reached" in await reason(link)
    server.start()
    await link.probe(NOW)


async def test_a_restart_between_two_questions_costs_at_most_one_of_them(
    serving: Serving, linked: Linking
) -> None:
    server = serving()
    link = linked(server.url())
    await link.probe(NOW)
    server.stop()
    server.start()
    with pytest.raises(LinkDown):
        await link.probe(NOW)
    await link.probe(NOW)


async def test_a_server_held_still_is_told_in_time_and_serves_again(
    serving: Serving, linked: Linking
) -> None:
    server = serving()
    link = linked(server.url())
    await link.probe(NOW)
    server.hold()
    assert "does not answer in time" in await reason(link)
    server.go_on()
    await link.probe(NOW)


async def test_a_full_server_is_down_though_it_answers_ping(serving: Serving, linked: Linking) -> None:
    server = serving(maxmemory="1mb", maxmemory_policy="noeviction")
    server.say("CONFIG SET maxmemory 1")
    assert server.say("PING") == b"+PONG\r\n"
    assert (await reason(linked(server.url()))).startswith("OOM: its memory is full")


async def test_a_replica_is_down_for_it_takes_no_writes(serving: Serving, linked: Linking) -> None:
    primary = serving("primary")
    replica = serving("replica", replicaof=f"127.0.0.1 {primary.port}")
    assert (await reason(linked(replica.url()))).startswith("READONLY: it is a replica")


async def test_a_replica_that_is_promoted_serves_at_once(serving: Serving, linked: Linking) -> None:
    primary = serving("primary")
    replica = serving("replica", replicaof=f"127.0.0.1 {primary.port}")
    link = linked(replica.url())
    await reason(link)
    replica.say("REPLICAOF NO ONE")
    await link.probe(NOW)


@pytest.mark.parametrize(
    ("password", "word"), [(None, "NOAUTH"), ("wrong", "WRONGPASS")], ids=["without", "wrong"]
)
async def test_a_password_that_lacks_or_is_wrong_is_told_and_never_shown(
    serving: Serving, linked: Linking, password: str | None, word: str
) -> None:
    said = await reason(linked(serving(requirepass="hidden").url(password)))
    assert said.startswith(f"{word}: ")
    assert "hidden" not in said and "wrong" not in said


async def test_the_right_password_is_let_in(serving: Serving, linked: Linking) -> None:
    await linked(serving(requirepass="hidden").url("hidden")).probe(NOW)


async def test_a_user_that_may_not_ask_for_info_is_enough(serving: Serving, linked: Linking) -> None:
    server = serving()
    server.say("ACL SETUSER desk on >key ~nightdesk:* +set +get +ping +client")
    link = linked(f"redis://desk:key@127.0.0.1:{server.port}/0")
    assert await link.probe(NOW) == {}


async def test_a_user_that_may_not_write_is_told(serving: Serving, linked: Linking) -> None:
    server = serving()
    server.say("ACL SETUSER desk on >key ~nightdesk:* +get +ping +client")
    said = await reason(linked(f"redis://desk:key@127.0.0.1:{server.port}/0"))
    assert said.startswith("NOPERM: ")


async def test_a_server_that_cannot_save_is_down(serving: Serving, linked: Linking, tmp_path: Path) -> None:
    server = serving(save="3600 1", dbfilename="kept.rdb")
    server.say("SET one 1")
    (tmp_path / "one" / "kept.rdb").mkdir()
    server.say("BGSAVE")
    link = linked(server.url())
    for _ in range(100):
        if b"rdb_last_bgsave_status:err" in server.say("INFO persistence"):
            break
        time.sleep(0.05)
    assert (await reason(link)).startswith("MISCONF: it cannot save")


async def test_a_port_where_nobody_answers_is_told_in_time(linked: Linking) -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        said = await reason(linked(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
    assert "does not answer in time" in said


async def test_a_socket_of_this_machine_will_do(serving: Serving, linked: Linking, tmp_path: Path) -> None:
    serving(unixsocket=str(tmp_path / "one.sock"))
    await linked(f"unix://{tmp_path}/one.sock").probe(NOW)


@pytest.mark.parametrize("address", ["redis://:hidden@127.0.0.1:port/0", "redis://127.0.0.1/0?speed=high"])
async def test_an_address_that_cannot_be_read_is_told_without_its_password(
    linked: Linking, address: str
) -> None:
    said = await reason(linked(address))
    assert said == "redis.url is no address that the client can read"


async def test_the_steps_end_with_the_first_that_fails(serving: Serving, linked: Linking) -> None:
    server = serving()
    link = linked(server.url())
    steps = await link.steps(SystemClock())
    assert [(it.name, it.is_ok) for it in steps] == [
        ("connect", True), ("write", True), ("read", True), ("info", True),
    ]  # fmt: skip
    server.say("CONFIG SET maxmemory 1")
    steps = await link.steps(SystemClock())
    assert [(it.name, it.is_ok) for it in steps] == [("connect", True), ("write", False)]
    assert steps[-1].detail.startswith("OOM")


def test_a_policy_that_drops_keys_and_a_memory_that_fills_up_are_cautions() -> None:
    facts = {"maxmemory": 100, "used_memory": 95, "maxmemory_policy": "allkeys-lru"}
    assert cautions(facts) == [
        "maxmemory-policy is allkeys-lru: when it is full it drops keys; set noeviction",
        "its memory is 95 % full",
    ]


def test_saves_that_failed_are_cautions() -> None:
    facts = {"rdb_last_bgsave_status": "err", "aof_last_write_status": "err"}
    assert cautions(facts) == [
        "its last save to the disk failed",
        "its last write to the append-only file failed",
    ]


def test_a_sound_server_gives_no_caution() -> None:
    facts = {"rdb_last_bgsave_status": "ok", "maxmemory": 0, "maxmemory_policy": "noeviction"}
    assert cautions(facts) == []

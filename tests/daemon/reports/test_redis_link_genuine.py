"""A Redis as a link, on Redis' own server: the same words as on the fork, TLS, and a server that loads."""

import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.reports.link import LinkDown
from daemon.reports.redis_link import RedisLink
from daemon.secret import Secret
from tests.valkey import Valkey, free_port, genuine, running

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
LONGEST_S = 6.0
LOADS_FOR_S = 10.0
KEYS, KEY_US = 1000, 2000  # of a server that takes two seconds to read them

Serving = Callable[..., Valkey]
Linking = Callable[[str], RedisLink]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with ExitStack() as servers:

        def start(name: str = "one", **settings: str) -> Valkey:
            return servers.enter_context(running(tmp_path / name, genuine(), **settings))

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


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for this machine that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("keys")
    asked = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    asked += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    asked += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")]
    subprocess.run(asked, check=True, capture_output=True, timeout=30)
    return folder


@pytest.fixture
def behind_tls(serving: Serving, keys: Path) -> Callable[..., str]:
    """Starts a server that speaks TLS, and gives its address without what it takes to trust it."""

    def start(password: str = "", **settings: str) -> str:
        port = free_port()
        files = {"tls_cert_file": str(keys / "ca.pem"), "tls_key_file": str(keys / "key.pem")}
        files |= {"tls_ca_cert_file": str(keys / "ca.pem"), "tls_auth_clients": "no"}
        serving(tls_port=str(port), **files, **settings)
        user = f":{password}@" if password else ""
        return f"rediss://{user}127.0.0.1:{port}/0"

    return start


async def reason(link: RedisLink) -> str:
    """Why it counts as down; told within the time that is promised."""
    began_s = time.monotonic()
    with pytest.raises(LinkDown) as raised:
        await link.probe(NOW)
    assert time.monotonic() - began_s < LONGEST_S
    assert "127.0.0.1" not in str(raised.value)
    return str(raised.value)


async def test_it_writes_and_reads_and_is_found_again_after_a_kill(serving: Serving, linked: Linking) -> None:
    server = serving()
    link = linked(server.url())
    assert (await link.probe(NOW))["role"] == "master"
    server.kill()
    assert "cannot be reached" in await reason(link)
    server.start()
    await link.probe(NOW)


async def test_each_refusal_has_its_word(serving: Serving, linked: Linking) -> None:
    locked = serving("locked", requirepass="hidden")
    for password, word in ((None, "NOAUTH: "), ("wrong", "WRONGPASS: ")):
        said = await reason(linked(locked.url(password)))
        assert said.startswith(word)
        assert "hidden" not in said and "wrong" not in said
    primary = serving("primary")
    replica = serving("replica", replicaof=f"127.0.0.1 {primary.port}")
    assert (await reason(linked(replica.url()))).startswith("READONLY: it is a replica")
    primary.say("CONFIG SET maxmemory 1")
    assert (await reason(linked(primary.url()))).startswith("OOM: its memory is full")
    primary.say("CONFIG SET maxmemory 0")
    primary.say("ACL SETUSER desk on >key ~nightdesk:* +get +ping +client")
    assert (await reason(linked(f"redis://desk:key@127.0.0.1:{primary.port}/0"))).startswith("NOPERM: ")


async def test_a_server_that_reads_its_data_is_down_until_it_has(serving: Serving, linked: Linking) -> None:
    server = serving(enable_debug_command="local", dbfilename="kept.rdb")
    server.say(f"DEBUG POPULATE {KEYS}")
    assert server.say("SAVE") == b"+OK\r\n"
    server.stop()
    # It answers while it reads only after each so many bytes, two megabytes by default.
    server.settings |= {"key_load_delay": str(KEY_US), "loading_process_events_interval_bytes": "1024"}
    server.start()
    link = linked(server.url())
    assert (await reason(link)).startswith("LOADING: it is reading its data")
    give_up_s = time.monotonic() + LOADS_FOR_S
    while server.say("PING") != b"+PONG\r\n":
        assert time.monotonic() < give_up_s
        time.sleep(0.05)
    await link.probe(NOW)


async def test_behind_tls_it_is_up_for_whoever_trusts_it(
    behind_tls: Callable[..., str], linked: Linking, keys: Path
) -> None:
    address = behind_tls("hidden", requirepass="hidden")
    facts = await linked(f"{address}?ssl_ca_certs={keys / 'ca.pem'}").probe(NOW)
    assert facts["role"] == "master"


async def test_a_certificate_that_nobody_vouches_for_is_told_with_what_to_do(
    behind_tls: Callable[..., str], linked: Linking
) -> None:
    said = await reason(linked(behind_tls("hidden", requirepass="hidden")))
    assert said == (
        "its certificate is not trusted; add ?ssl_ca_certs=FILE with its authority's to redis.url, or mend it"
    )


@pytest.mark.parametrize("is_tls", [True, False], ids=["TLS asked of a plain port", "plain asked of TLS"])
async def test_the_wrong_scheme_is_told_in_time(
    is_tls: bool, behind_tls: Callable[..., str], serving: Serving, linked: Linking
) -> None:
    if is_tls:
        said = await reason(linked(serving().url().replace("redis://", "rediss://")))
        assert said.startswith("it does not answer in time")
    else:
        said = await reason(linked(behind_tls().replace("rediss://", "redis://")))
        assert said.startswith("it cannot be reached: ")

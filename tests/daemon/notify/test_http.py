"""The shared client: bounded in time and size, led nowhere, telling no secret."""

import asyncio
import gzip
import socket
import subprocess
import sys
import traceback
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daemon.notify.base import ChannelError, Failure
from daemon.notify.http import LONGEST_ANSWER, HttpClient, is_public
from daemon.secret import Secret
from tests.daemon.notify.receivers import (
    PATH,
    TOKEN,
    Script,
    dripping_body,
    dripping_head,
    flooding,
    hanging_up,
    receiver,
    resetting,
    saying,
    silent,
    talking_nonsense,
)


@asynccontextmanager
async def client(*, allow_private: bool = True, silence_s: float = 0.3) -> AsyncIterator[HttpClient]:
    made = HttpClient(allow_private=allow_private, connect_s=0.5, silence_s=silence_s)
    try:
        yield made
    finally:
        await made.close()


async def failure_of(http: HttpClient, url: str, timeout_s: float = 1.0) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await http.post(Secret(url), body=b"{}", timeout_s=timeout_s)
    return caught.value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_request_arrives_as_it_was_meant_and_its_answer_comes_back() -> None:
    async with receiver(saying(201, "made", X_Id="7")) as there, client() as http:
        answer = await http.post(
            Secret(there.url),
            body=b'{"a":1}',
            headers={"Authorization": Secret("Bearer abc"), "X-Plain": "yes"},
        )
    assert (answer.status, answer.text, answer.headers["X-Id"]) == (201, "made", "7")
    assert there.bodies == [b'{"a":1}']
    head = there.heads[0].decode()
    assert head.startswith(f"POST {PATH} HTTP/1.1\r\n")
    assert "Authorization: Bearer abc\r\n" in head
    assert "X-Plain: yes\r\n" in head
    assert "User-Agent: nightdesk/" in head
    assert "Cookie" not in head


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with (
        receiver(saying(200, "inside")) as inside,
        receiver(saying(status, "", Location=inside.url)) as outside,
        client() as http,
    ):
        answer = await http.post(outside.url, body=b"{}")
    assert answer.status == status
    assert inside.connections == 0


@pytest.mark.parametrize("script", [resetting, hanging_up, silent, dripping_head, talking_nonsense])
async def test_without_an_answer_to_what_was_sent_the_outcome_is_unknown(script: Script) -> None:
    async with receiver(script) as there, client() as http:
        error = await failure_of(http, there.url)
    assert error.failure is Failure.UNKNOWN
    assert str(error).startswith("127.0.0.1: no answer (")
    assert len(there.bodies) == 1


async def test_a_refused_connection_is_known_not_to_have_sent() -> None:
    async with client() as http:
        error = await failure_of(http, f"http://127.0.0.1:{free_port()}{PATH}")
    assert error.failure is Failure.TRANSIENT
    assert "nothing was sent" in str(error)


async def test_a_name_without_an_address_is_known_not_to_have_sent() -> None:
    async with client() as http:
        error = await failure_of(http, f"https://no-such-host.invalid{PATH}")
    assert error.failure is Failure.TRANSIENT
    assert "no-such-host.invalid" in str(error)


async def test_a_failed_handshake_is_known_not_to_have_sent() -> None:
    async with receiver(hanging_up) as there, client() as http:
        error = await failure_of(http, there.url.replace("http:", "https:"))
    assert error.failure is Failure.TRANSIENT
    assert there.bodies == []


async def test_a_handshake_that_never_ends_is_known_not_to_have_sent() -> None:
    never = asyncio.Event()

    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await never.wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with client() as http:
        port = server.sockets[0].getsockname()[1]
        error = await failure_of(http, f"https://127.0.0.1:{port}{PATH}")
    assert error.failure is Failure.TRANSIENT
    never.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("script", [silent, dripping_head])
async def test_the_whole_is_bounded_however_the_receiver_drips(script: Script) -> None:
    async with receiver(script) as there, client(silence_s=5.0) as http:
        began = asyncio.get_running_loop().time()
        error = await failure_of(http, there.url, timeout_s=0.3)
        took_s = asyncio.get_running_loop().time() - began
    assert error.failure is Failure.UNKNOWN
    assert took_s < 1.5


async def test_no_channel_may_ask_for_more_than_the_client_gives() -> None:
    async with receiver(dripping_head) as there:
        http = HttpClient(allow_private=True, longest_s=0.3)
        began = asyncio.get_running_loop().time()
        error = await failure_of(http, there.url, timeout_s=600)
        took_s = asyncio.get_running_loop().time() - began
        await http.close()
    assert error.failure is Failure.UNKNOWN
    assert took_s < 1.5


async def test_an_accepting_status_counts_even_if_its_body_never_ends() -> None:
    async with receiver(dripping_body) as there, client() as http:
        answer = await http.post(there.url, body=b"{}", timeout_s=0.4)
    assert answer.status == 200
    assert set(answer.text) == {"o"}


@pytest.mark.parametrize("packed", ["gzip", "deflate", "identity"])
async def test_a_flood_is_cut(packed: str) -> None:
    flood = b"A" * 50_000_000
    body = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": lambda it: it[:5_000_000]}[packed](
        flood
    )
    async with receiver(saying(200, body, Content_Encoding=packed)) as there, client() as http:
        answer = await http.post(there.url, body=b"{}")
    assert answer.status == 200
    assert len(answer.text) == LONGEST_ANSWER


async def test_an_endless_flood_is_left_at_once() -> None:
    async with receiver(flooding) as there, client(silence_s=30) as http:
        async with asyncio.timeout(3):
            answer = await http.post(there.url, body=b"{}", timeout_s=30)
    assert len(answer.text) == LONGEST_ANSWER


async def test_a_body_that_is_not_what_it_says_changes_nothing_in_the_status() -> None:
    async with receiver(saying(200, b"not gzip", Content_Encoding="gzip")) as there, client() as http:
        answer = await http.post(there.url, body=b"{}")
    assert answer.status == 200


async def test_a_cancelled_request_ends_at_once() -> None:
    async with receiver(silent) as there, client(silence_s=30) as http:
        request = asyncio.ensure_future(http.post(there.url, body=b"{}", timeout_s=30))
        await there.arrived.wait()
        request.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await request


async def test_each_request_has_a_connection_of_its_own() -> None:
    async with receiver(saying(200, "ok")) as there, client() as http:
        for _ in range(3):
            await http.post(there.url, body=b"{}")
    assert all(b"Connection: close" in head for head in there.heads)


async def test_only_https_leaves_the_house() -> None:
    async with receiver(saying(200)) as there, client(allow_private=False) as http:
        error = await failure_of(http, there.url)
    assert error.failure is Failure.PERMANENT
    assert "only https" in str(error)
    assert there.bodies == []


PRIVATE_SPELLINGS = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0.0.0.0",
    "[::]",
    "10.0.0.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fd00::1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
)


@pytest.mark.parametrize("host", PRIVATE_SPELLINGS)
async def test_no_spelling_of_a_private_address_is_reached(host: str) -> None:
    async with receiver(saying(200)) as there, client(allow_private=False) as http:
        error = await failure_of(http, f"https://{host}:{there.port}{PATH}")
    assert error.failure is Failure.PERMANENT
    assert "network.allowPrivate" in str(error) or "no web address" in str(error)
    assert there.connections == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("192.168.1.1", False),
        ("64:ff9b::a00:1", False),
        ("::ffff:10.0.0.1", False),
        ("2001:0:7f00:1:0:0:80ff:fffe", False),
        ("fe80::1%eth0", False),
        ("239.1.1.1", False),
        ("ff0e::1", False),
        ("240.0.0.1", False),
        ("not an address", False),
    ],
)
def test_an_address_is_judged_by_what_is_in_its_wrapping(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example/x",
        "https://",
        "https://[::1",
        "https://a b/",
        "http://a:99999/",
    ],
)
async def test_what_is_no_web_address_is_refused_for_good(url: str) -> None:
    async with client() as http:
        error = await failure_of(http, url)
    assert error.failure in (Failure.PERMANENT, Failure.TRANSIENT)
    assert "nothing was sent" in str(error) or "no web address" in str(error)


@pytest.mark.parametrize("script", [resetting, hanging_up, silent, dripping_head, talking_nonsense])
async def test_no_failure_tells_the_secret_in_any_of_its_parts(script: Script) -> None:
    async with receiver(script) as there, client() as http:
        error = await failure_of(http, there.url + "?token=" + TOKEN, timeout_s=0.4)
    assert TOKEN not in everything_told(error)


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:1{PATH}",
        f"https://no-such-host.invalid{PATH}",
        f"nonsense{PATH}",
        f"http://[::1{PATH}",
    ],
)
async def test_no_failure_to_connect_tells_the_secret(url: str) -> None:
    async with client() as http:
        assert TOKEN not in everything_told(await failure_of(http, url))


def everything_told(error: BaseException | None) -> str:
    """All that a careless log could show of an error: its chain too, shown or suppressed."""
    told = ""
    while error is not None:
        told += repr(error) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return told


async def test_an_answer_that_echoes_the_request_loses_the_secrets_in_it() -> None:
    echo = f"no hook at {PATH}?key=K3YK3YK3Y and {TOKEN}, auth Bearer B34R3RB34R3R, K3YK3YK3Y"
    async with receiver(saying(404, echo)) as there, client() as http:
        answer = await http.post(
            Secret(there.url + "?key=K3YK3YK3Y"),
            body=b"{}",
            headers={"Authorization": Secret("Bearer B34R3RB34R3R")},
        )
    for secret in (TOKEN, "K3YK3YK3Y", "B34R3RB34R3R"):
        assert secret not in answer.text
        assert secret not in repr(answer)
    assert "no hook at" in answer.text


async def test_a_closed_client_refuses() -> None:
    http = HttpClient(allow_private=True)
    await http.close()
    error = await failure_of(http, "http://127.0.0.1:1/")
    assert "closed" in str(error)
    assert error.failure is Failure.TRANSIENT


async def test_an_environment_full_of_proxies_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with receiver(saying(200, "ok")) as there, client() as http:
        assert (await http.post(there.url, body=b"{}")).status == 200


async def test_one_silent_receiver_delays_no_other() -> None:
    async with receiver(silent) as sick, receiver(saying(200, "ok")) as well, client(silence_s=30) as http:
        stuck = [asyncio.ensure_future(http.post(sick.url, body=b"{}", timeout_s=30)) for _ in range(4)]
        await sick.arrived.wait()
        async with asyncio.timeout(2):
            assert (await http.post(well.url, body=b"{}")).status == 200
        for request in stuck:
            request.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


def test_a_client_that_has_sent_nothing_has_not_loaded_the_library() -> None:
    code = (
        "import sys, daemon.notify\n"
        "assert not {'pydantic', 'aiohttp'} & set(sys.modules), 'the table is heavy'\n"
        "from daemon.notify.http import HttpClient\n"
        "HttpClient()\n"
        "assert 'aiohttp' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)

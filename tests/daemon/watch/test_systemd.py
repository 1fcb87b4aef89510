"""What systemd hears, over real datagram sockets."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.clock import SystemClock, VirtualClock
from daemon.loops import repeat
from daemon.watch.systemd import LONGEST_PERIOD, Systemd, SystemdBeat

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)


class Listener:
    """The end of the line that systemd holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(5)

    def heard(self) -> list[str]:
        """Every datagram that has arrived since the last look."""
        self.socket.setblocking(False)
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return datagrams


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@nightdesk-test-{secrets.token_hex(8)}"
    listener = Listener(name)
    yield listener
    listener.socket.close()


def environ(listener: Listener, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": listener.name, **more}


def test_systemd_hears_ready_status_watchdog_reloading_and_stopping(listener: Listener) -> None:
    with Systemd(environ(listener)) as systemd:
        assert systemd.ready("six schedules")
        assert systemd.status("3 tasks wait")
        assert systemd.watchdog()
        assert systemd.reloading(12.5)
        assert systemd.stopping("on request")

    assert listener.heard() == [
        "READY=1\nSTATUS=six schedules\n",
        "STATUS=3 tasks wait\n",
        "WATCHDOG=1\n",
        "RELOADING=1\nMONOTONIC_USEC=12500000\n",
        "STOPPING=1\nSTATUS=on request\n",
    ]


@pytest.mark.parametrize("name", ["", "relative/path", "@", "vsock:2:1234"])
def test_without_a_socket_it_understands_nothing_is_sent_and_nothing_raised(name: str) -> None:
    with Systemd({"NOTIFY_SOCKET": name}) as systemd:
        assert not systemd.ready("up")
    with Systemd({}) as systemd:
        assert not systemd.watchdog()
        assert systemd.watchdog_interval is None


def test_a_systemd_that_is_gone_does_not_hurt(tmp_path: Path) -> None:
    with Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")}) as systemd:
        assert not systemd.watchdog()
    with Systemd({"NOTIFY_SOCKET": "/" + "x" * 200}) as systemd:
        assert not systemd.ready("a path no socket can have")


def test_a_full_queue_neither_blocks_nor_raises(listener: Listener) -> None:
    with Systemd(environ(listener)) as systemd:
        taken = [systemd.status(f"line {number} " + "x" * 800) for number in range(5_000)]
        assert taken[0]
        assert not taken[-1]

        listener.heard()
        assert systemd.watchdog()
        assert listener.heard() == ["WATCHDOG=1\n"]


def test_what_is_said_after_closing_reaches_nobody(listener: Listener) -> None:
    systemd = Systemd(environ(listener))
    systemd.close()
    systemd.close()

    assert not systemd.ready("too late")
    assert listener.heard() == []


@pytest.mark.parametrize(
    "text", ["fine\nWATCHDOG=trigger", "fine\rREADY=1", "fine\x0bSTOPPING=1", "fine\u2028STOPPING=1"]
)
def test_a_status_cannot_forge_a_field(listener: Listener, text: str) -> None:
    with Systemd(environ(listener)) as systemd:
        systemd.status(text)

    [heard] = listener.heard()
    assert heard.startswith("STATUS=fine ")
    assert len(heard.splitlines()) == 1


def test_a_long_status_is_cut_below_the_size_systemd_drops(listener: Listener) -> None:
    with Systemd(environ(listener)) as systemd:
        systemd.ready("\N{CLOCK FACE TEN OCLOCK}" * 10_000)
        systemd.status("a lone half of a pair: \ud83d")

    long, odd = listener.heard()
    assert len(long.encode()) < 4096
    assert odd == "STATUS=a lone half of a pair: ?\n"


@pytest.mark.parametrize(
    ("variables", "interval"),
    [
        ({"WATCHDOG_USEC": "60000000"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "60s"}, None),
        ({"WATCHDOG_USEC": "٣٠"}, None),
        ({"WATCHDOG_USEC": "9" * 40}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time_and_only_where_it_is_ours(
    variables: dict[str, str], interval: timedelta | None
) -> None:
    assert Systemd(variables).watchdog_interval == interval


async def test_the_beat_feeds_the_watchdog_and_tells_a_status_only_when_it_changed(
    listener: Listener,
) -> None:
    statuses = ["starting"]
    clock = VirtualClock(NOW)
    with Systemd(environ(listener, WATCHDOG_USEC="4000000")) as systemd:
        beat = SystemdBeat(systemd, clock, lambda: statuses[-1])
        looping = asyncio.create_task(repeat(beat, clock))
        await clock.advance(seconds=5)
        assert listener.heard() == ["WATCHDOG=1\n", "STATUS=starting\n", "WATCHDOG=1\n", "WATCHDOG=1\n"]

        statuses.append("2 tasks wait")
        await clock.advance(seconds=2)
        assert listener.heard() == ["WATCHDOG=1\n", "STATUS=2 tasks wait\n"]
        await stop(looping)


async def test_the_beat_goes_on_when_the_wall_clock_is_put_back(listener: Listener) -> None:
    clock = VirtualClock(NOW)
    with Systemd(environ(listener, WATCHDOG_USEC="4000000")) as systemd:
        looping = asyncio.create_task(repeat(SystemdBeat(systemd, clock, lambda: "fine"), clock))
        await clock.advance(seconds=1)
        await clock.step(-timedelta(hours=1))
        listener.heard()

        for _ in range(10):  # the kernel holds about ten datagrams for a listener that does not read
            await clock.advance(seconds=6)
            assert listener.heard() == ["WATCHDOG=1\n"] * 3
        await stop(looping)


async def test_without_a_watchdog_the_beat_still_tells_the_status(listener: Listener) -> None:
    with Systemd(environ(listener)) as systemd:
        beat = SystemdBeat(systemd, VirtualClock(NOW), lambda: "idle")

        assert await beat.step() == NOW + LONGEST_PERIOD
        assert listener.heard() == ["STATUS=idle\n"]


async def test_a_status_that_did_not_get_through_is_told_again(tmp_path: Path) -> None:
    clock = VirtualClock(NOW)
    with Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")}) as systemd:
        beat = SystemdBeat(systemd, clock, lambda: "idle")
        await beat.step()
        listener = Listener(str(tmp_path / "notify"))

        await beat.step()

        assert listener.heard() == ["STATUS=idle\n"]
        listener.socket.close()


async def test_a_loop_that_stands_still_sends_no_beat(listener: Listener) -> None:
    clock = SystemClock()
    with Systemd(environ(listener, WATCHDOG_USEC="40000")) as systemd:
        looping = asyncio.create_task(repeat(SystemdBeat(systemd, clock, lambda: "fine"), clock))
        await clock.sleep(0.2)
        beating = len(listener.heard())

        held_until = clock.monotonic() + 0.3
        while clock.monotonic() < held_until:
            pass
        held = len(listener.heard())
        await stop(looping)

    assert beating >= 3
    assert held == 0


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

"""The daemon as a process: real signals, a real socket to systemd, and handlers that mean it no good."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.desk import NEVER, Desk, open_desk

# The program itself, but for the grace it gives to running work.
HASTY = """
import daemon.app
daemon.app.STOP_GRACE_S = 0.5
from daemon.__main__ import main
raise SystemExit(main())
"""
ROGUE = """
import asyncio, sys, time
from daemon.engine.handler import Done, handler


@handler("patient", max_attempts=1)
async def patient(ctx):
    await asyncio.sleep(600)


@handler("stubborn", timeout="1h")
async def stubborn(ctx):
    ctx.log.info("work.begun")
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            pass


@handler("threaded", timeout="1h")
async def threaded(ctx):
    ctx.log.info("work.begun")
    await asyncio.to_thread(time.sleep, 600)


@handler("leaving", max_attempts=1)
async def leaving(ctx):
    async def leave():
        sys.exit(3)

    child = asyncio.create_task(leave())
    await asyncio.sleep(0.1)
    return Done(survived=child.done())
"""


class HastyDesk(Desk):
    """An installation whose daemon gives running work half a second at a stop."""

    def argv(self, *argv: str) -> list[str]:
        return [sys.executable, "-c", HASTY, *super().argv(*argv)[3:]]

    def executing(self) -> list[str]:
        return [row["handler"] for row in self.rows("SELECT handler FROM task WHERE state = 'executing'")]

    def promise(self, handler: str, **fields: Any) -> str:
        answer = self.client.post("/api/tasks", {"handler": handler, **fields})
        return str(answer["id"])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[HastyDesk]:
    with open_desk(tmp_path) as plain:
        desk = HastyDesk(plain.folder)
        (desk.folder / "rogue.py").write_text(ROGUE)
        desk.write_config(handlers=["handlers", "rogue"], heartbeatSchedule=NEVER)
        yield desk
        if desk.process is not None:
            desk.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean_and_puts_work_back(desk: HastyDesk, number: signal.Signals) -> None:
    desk.start()
    task = desk.promise("patient")
    desk.wait_for("the work to begin", lambda: desk.executing() == ["patient"])
    began = time.monotonic()

    os.kill(desk.pid, number)
    assert desk.process is not None
    assert desk.process.wait(timeout=20) == 0

    assert time.monotonic() - began < 10
    [row] = desk.rows("SELECT id, state, attempt FROM task")
    assert tuple(row) == (task, "available", 0)
    assert [it["state"] for it in desk.state()["queue"]] == ["available"]
    desk.process = None
    desk.start()
    desk.wait_for("the work to begin again", lambda: desk.executing() == ["patient"])
    assert desk.alerts("daemon.unclean-stop") == []


@pytest.mark.parametrize("handler", ["stubborn", "threaded"])
def test_a_handler_that_will_not_end_does_not_keep_the_daemon_from_ending(
    desk: HastyDesk, handler: str
) -> None:
    desk.start()
    desk.promise(handler)
    # What is executing on the disk may not have begun yet, and is put back without ever having run.
    desk.wait_for("the work to begin", lambda: '"event":"work.begun"' in desk.home.log_file.read_text())
    began = time.monotonic()

    desk.stop()

    assert time.monotonic() - began < 15
    assert [row["state"] for row in desk.rows("SELECT state FROM task")] == ["available"]
    assert '"event":"stop.left-behind"' in desk.home.log_file.read_text()


def test_a_handlers_own_task_that_exits_does_not_end_the_daemon(desk: HastyDesk) -> None:
    desk.start()
    task = desk.promise("leaving")

    row = desk.wait_for("the task to end", lambda: desk.rows("SELECT * FROM run WHERE id = ?", task))[0]

    assert (row["state"], row["summary"]) == ("completed", '{"survived":true}')
    assert desk.poll() is None
    assert '"event":"exit.refused"' in desk.home.log_file.read_text()
    desk.stop()


def test_an_unclean_stop_is_told_with_what_was_in_flight(desk: HastyDesk) -> None:
    desk.start()
    task = desk.promise("patient", key="k")
    desk.wait_for("the work to begin", lambda: desk.executing() == ["patient"])
    desk.kill()

    desk.start()

    [alert] = desk.alerts("daemon.unclean-stop")
    assert task in alert["details"]
    assert '"inFlightTotal":1' in alert["details"]
    desk.wait_for("the work to begin again", lambda: desk.executing() == ["patient"])
    assert desk.client.post("/api/tasks", {"handler": "patient", "key": "k"})["duplicate"]
    desk.stop()
    desk.start()
    assert len(desk.alerts("daemon.unclean-stop")) == 1
    desk.stop()


def test_a_second_daemon_is_refused_and_the_first_unharmed(desk: HastyDesk) -> None:
    desk.start()

    second = desk.run("run")

    assert second.code == 75
    assert str(desk.pid) in second.err
    assert "Traceback" not in second.err
    assert desk.is_ready()
    desk.promise("leaving")
    desk.stop()


SIGNALLED = """
import asyncio, os, signal, sys
from daemon import service

# Told between the end of one turn of the loop and the begin of the next: the loop stands still.
service.log.critical = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)

async def main():
    stop = asyncio.Event()
    service.on_signal(signal.SIGTERM, stop.set)
    async def leave():
        sys.exit(3)
    task = asyncio.ensure_future(leave())
    async with asyncio.timeout(20):
        await stop.wait()
    print("stopped", task.exception().code)

service.run_to_the_end(main())
"""


def test_a_signal_is_heard_also_while_a_task_has_thrown_the_loop_out() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout == "stopped 3\n", ended.stderr


def test_systemd_hears_the_whole_life_of_a_daemon(desk: HastyDesk) -> None:
    name = str(desk.folder / "notify")
    desk.environ |= {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"}
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name)
        systemd.setblocking(False)

        def hear(word: str, count: int = 1) -> bool:
            try:
                while True:
                    heard.append(systemd.recv(65_536).decode())
            except BlockingIOError:
                return sum(word in line for line in heard) >= count

        desk.launch()
        desk.wait_for("READY", lambda: hear("READY=1"))
        assert not any("WATCHDOG" in line for line in heard[: first(heard, "READY=1")])
        desk.wait_for("the watchdog to be fed", lambda: hear("WATCHDOG=1", 4))

        for config in ('{"timezone": "Nowhere"}', desk.config.read_text()):
            heard.clear()
            desk.config.write_text(config)
            desk.reload()
            desk.wait_for("RELOADING, then READY", lambda: hear("RELOADING=1") and hear("READY=1"))
            assert first(heard, "RELOADING=1") < first(heard, "READY=1")
            assert "MONOTONIC_USEC=" in heard[first(heard, "RELOADING=1")]
        desk.wait_for("the end of the alert", lambda: desk.alerts("config.refused")[0]["resolved_at"])

        desk.stop()
        assert hear("STOPPING=1")


def test_a_burst_of_hangups_ends_with_the_newest_config_in_force(desk: HastyDesk) -> None:
    desk.start()
    for n in range(5):
        schedules = {f"s{n}": {"command": ["true"], "cron": NEVER}}
        desk.write_config(handlers=["handlers", "rogue"], heartbeatSchedule=NEVER, schedules=schedules)
        desk.reload()

    desk.wait_for("the newest", lambda: "s4" in desk.state()["schedules"])

    assert "s0" not in desk.state()["schedules"]
    desk.stop()


def first(lines: list[str], word: str) -> int:
    return next(index for index, line in enumerate(lines) if word in line)

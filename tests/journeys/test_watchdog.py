"""The second process beside a real daemon that hangs, is killed, and comes back; real messages, real time."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from daemon.watch.beat import BeatState, read_beat
from tests.daemon.notify.receivers import saying
from tests.journeys.desk import NEVER, PATIENCE_S, Desk
from tests.journeys.slack_stand_in import StandIn, slack_stand_in

HUNG_AFTER_S = 3.0
MARGIN_S = 15.0
HANGS, GONE, BACK = "the daemon hangs", "the daemon is gone", "the daemon is back"


class Watchdog:
    """The second process over one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin it, and return once it watches."""
        lines = len(self.events("watchdog.ready"))
        with (self.desk.folder / "watchdog.txt").open("ab") as log:
            self.process = subprocess.Popen(
                self.desk.argv("watchdog"),
                cwd=self.desk.folder,
                env=self.desk.surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.desk.wait_for("a watchdog", lambda: len(self.events("watchdog.ready")) > lines)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None

    def events(self, name: str) -> list[dict[str, Any]]:
        path = self.desk.folder / "watchdog.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [it for it in found if it["event"] == name]


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with slack_stand_in() as made:
        yield made


@contextmanager
def watched(desk: Desk, hung_after_s: float = HUNG_AFTER_S, **channels: str) -> Iterator[Watchdog]:
    """A daemon at work and a watchdog over it, with these channels in their order."""
    desk.write_config(
        heartbeatSchedule=NEVER,
        channels={name: {"type": "slack", "url": f"env:{name.upper()}"} for name in channels},
        # What the daemon tells by itself finds no route: here the watchdog alone is listened to.
        alerts={
            "receivers": {"oncall": list(channels)},
            "routes": [{"match": {"name": "daemon.down"}, "receiver": "oncall"}],
        },
        watchdog={"hungAfter": f"{hung_after_s}s"},
        network={"allowPrivate": True},
    )
    desk.environ |= {name.upper(): url for name, url in channels.items()}
    watchdog = Watchdog(desk)
    desk.start()
    watchdog.start()
    try:
        yield watchdog
    finally:
        watchdog.kill()


def told(slack: StandIn, *titles: str) -> list[str]:
    """Which of these was told, in the order in which it was."""
    said = [post["text"].splitlines()[0] for post in slack.posts]
    return [title for line in said for title in titles if title in line]


def wait_until_told(desk: Desk, slack: StandIn, title: str, times: int = 1) -> float:
    """Wait until it has been told so often; how long that took."""
    began_s = time.monotonic()
    desk.wait_for(
        title,
        lambda: told(slack, title).count(title) >= times,
        patience_s=HUNG_AFTER_S + MARGIN_S,
        pause_s=0.02,
    )
    return time.monotonic() - began_s


def test_a_daemon_that_hangs_is_told_and_so_is_its_recovery(desk: Desk, slack: StandIn) -> None:
    with watched(desk, ops=slack.url):
        os.kill(desk.pid, signal.SIGSTOP)
        try:
            took_s = wait_until_told(desk, slack, HANGS)
        finally:
            os.kill(desk.pid, signal.SIGCONT)
        wait_until_told(desk, slack, BACK)
        assert HUNG_AFTER_S - 1.5 < took_s < HUNG_AFTER_S + MARGIN_S
        desk.stop()
        beat = read_beat(desk.home.beat)
        assert beat is not None
        assert beat.state is BeatState.STOPPED
        time.sleep(HUNG_AFTER_S + 1)  # a stop in good order is nothing to tell of
    assert told(slack, HANGS, GONE, BACK) == [HANGS, BACK]
    assert slack.refused == []


def test_a_daemon_that_is_killed_is_told_and_so_is_its_return(desk: Desk, slack: StandIn) -> None:
    with watched(desk, ops=slack.url):
        desk.kill()
        assert wait_until_told(desk, slack, GONE) < HUNG_AFTER_S + MARGIN_S
        desk.start()
        wait_until_told(desk, slack, BACK)
    assert told(slack, HANGS, GONE, BACK) == [GONE, BACK]


def test_a_daemon_that_is_back_within_moments_is_no_alert(desk: Desk, slack: StandIn) -> None:
    moments_s = 8.0
    with watched(desk, moments_s, ops=slack.url):
        desk.kill()
        desk.start()
        time.sleep(moments_s + 1)
    assert slack.posts == []


def test_the_second_channel_stands_in_for_the_first(desk: Desk, slack: StandIn) -> None:
    with slack_stand_in() as dead:
        dead.answers(saying(404, "no_service"))
        with watched(desk, first=dead.url, second=slack.url):
            desk.kill()
            assert wait_until_told(desk, slack, GONE) < HUNG_AFTER_S + MARGIN_S
            desk.start()
            wait_until_told(desk, slack, BACK)
        assert len(dead.posts) == 1
    assert told(slack, GONE, BACK) == [GONE, BACK]


def test_a_watchdog_that_is_killed_meanwhile_neither_repeats_nor_forgets(desk: Desk, slack: StandIn) -> None:
    with watched(desk, ops=slack.url) as watchdog:
        os.kill(desk.pid, signal.SIGSTOP)
        try:
            wait_until_told(desk, slack, HANGS)
            watchdog.kill()
            watchdog.start()
            time.sleep(2.0)
        finally:
            os.kill(desk.pid, signal.SIGCONT)
        wait_until_told(desk, slack, BACK)
    assert 1 <= told(slack, HANGS).count(HANGS) <= 2
    assert told(slack, BACK) == [BACK]


def test_what_nobody_could_be_told_is_told_once_somebody_listens(desk: Desk, slack: StandIn) -> None:
    slack.answers(saying(503), saying(200, "ok"))
    with watched(desk, ops=slack.url) as watchdog:
        desk.kill()
        desk.wait_for("a try", lambda: watchdog.events("watchdog.not-told"))
        watchdog.kill()  # what is owed is on the disk
        watchdog.start()
        wait_until_told(desk, slack, GONE, times=2)
        desk.start()
        wait_until_told(desk, slack, BACK)
    assert len({post["text"] for post in slack.posts}) == 2

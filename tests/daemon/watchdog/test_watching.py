"""A watch over a real home: its beat file, its lock, its config."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import VirtualClock
from daemon.watch.beat import BeatFile, BeatState
from daemon.watchdog.book import Book, Told
from daemon.watchdog.judging import Verdict
from daemon.watchdog.settings import ConfigRefused, Limits, Settings
from daemon.watchdog.watching import Config, Watch
from state.home import Home, locked

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
HOOK = {"HOOK": "https://hooks.slack.com/services/T0/B0/x"}


@dataclass
class Scene:
    """A home, a daemon that beats in it as it is told to, and the watch."""

    home: Home
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOW))
    told: int = 0

    def __post_init__(self) -> None:
        self.home.make_folders()
        self.file = BeatFile(self.home.beat, self.clock)
        self.watch = self.new_watch()

    def new_watch(self) -> Watch:
        limits = Limits(hung_after=timedelta(seconds=10), stopped_after=timedelta(minutes=1))
        self.book = Book.opened(self.home.watchdog_state)
        return Watch(self.home, self.book, self.clock, lambda: Settings(limits=limits), self.tell)

    def tell(self) -> None:
        self.told += 1

    async def pass_by(self, seconds: int, *, beats: bool = False) -> Verdict:
        for _ in range(seconds):
            await self.clock.advance(seconds=1)
            if beats:
                self.file.say()
            await self.watch.step()
        return self.watch.verdict

    @property
    def titles(self) -> list[str]:
        return [it.message.title.split(": ", 1)[1] for it in self.book.pages.owed]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(Home(tmp_path / "home", tmp_path / "logs"))
    yield made
    made.file.close()


async def test_a_daemon_that_beats_is_alive_and_nobody_is_told(scene: Scene) -> None:
    assert await scene.pass_by(300, beats=True) is Verdict.ALIVE
    assert (scene.titles, scene.told) == ([], 0)
    assert not scene.home.watchdog_state.exists()


async def test_one_that_holds_its_home_and_beats_no_more_hangs(scene: Scene) -> None:
    with locked(scene.home):
        await scene.pass_by(3, beats=True)
        assert await scene.pass_by(10) is Verdict.QUIET
        assert await scene.pass_by(60) is Verdict.HUNG
        assert (scene.titles, scene.told) == (["the daemon hangs"], 1)
        assert await scene.pass_by(1, beats=True) is Verdict.ALIVE
    assert scene.titles == ["the daemon hangs", "the daemon is back"]


async def test_one_whose_home_nobody_holds_is_gone_whoever_has_its_process_id(scene: Scene) -> None:
    await scene.pass_by(3, beats=True)  # the process id is this very process, which is alive
    assert await scene.pass_by(11) is Verdict.GONE
    assert scene.titles == ["the daemon is gone"]


async def test_one_whose_home_another_process_holds_is_gone_too(scene: Scene) -> None:
    holds = (
        "import sys, pathlib; from state.home import Home, locked\n"
        "with locked(Home(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    await scene.pass_by(3, beats=True)
    with subprocess.Popen(
        [sys.executable, "-c", holds, scene.home.folder, scene.home.logs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert await scene.pass_by(11) is Verdict.GONE
        other.communicate()


async def test_one_that_was_stopped_in_good_order_may_rest_for_a_while(scene: Scene) -> None:
    await scene.pass_by(3, beats=True)
    scene.file.state = BeatState.STOPPED
    scene.file.say()
    assert await scene.pass_by(60) is Verdict.RESTING
    assert await scene.pass_by(2) is Verdict.STOPPED
    assert scene.titles == ["the daemon was stopped and not started again"]


async def test_one_that_never_came_is_told(scene: Scene) -> None:
    assert await scene.pass_by(10) is Verdict.QUIET
    assert await scene.pass_by(2) is Verdict.NEVER_STARTED
    assert await scene.pass_by(2, beats=True) is Verdict.ALIVE
    assert scene.titles == ["the daemon was never started", "the daemon is back"]


async def test_an_incident_outlives_the_watchdog(scene: Scene) -> None:
    await scene.pass_by(3, beats=True)
    await scene.pass_by(15)
    told = Told(id="x", thread=scene.book.pages.owed[0].message.thread, channel="ops", at=NOW, proof="200")
    scene.book.turn(replace(scene.book.pages, owed=(), told=(told,)))

    scene.watch = scene.new_watch()
    assert await scene.pass_by(15) is Verdict.GONE
    assert scene.titles == []
    await scene.pass_by(1, beats=True)
    assert scene.titles == ["the daemon is back"]
    assert scene.book.pages.owed[0].wanted == ("ops",)
    assert scene.book.pages.owed[0].message.thread == told.thread


async def test_what_a_full_disk_did_not_take_is_saved_when_there_is_room(scene: Scene) -> None:
    blocked = scene.home.folder / "watchdog.json.tmp"
    blocked.mkdir()
    await scene.pass_by(3, beats=True)
    await scene.pass_by(15)
    assert (scene.titles, scene.told, scene.book.is_saved) == (["the daemon is gone"], 1, False)
    blocked.rmdir()
    await scene.pass_by(1)
    assert Book.opened(scene.home.watchdog_state).pages == scene.book.pages


async def test_what_stays_wrong_is_told_again_each_hour(scene: Scene) -> None:
    await scene.pass_by(3, beats=True)
    await scene.pass_by(3700)
    assert scene.titles == ["the daemon is gone", "still: the daemon is gone"]


async def test_a_clock_that_is_put_on_or_back_tells_nobody(scene: Scene) -> None:
    for hours in (5, -9):
        await scene.pass_by(5, beats=True)
        await scene.clock.step(timedelta(hours=hours))
        await scene.watch.step()
    assert await scene.pass_by(5, beats=True) is Verdict.ALIVE
    assert scene.titles == []


class Watched:
    """A config file that is changed under a running watchdog."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changes = 0

    def write(self, **config: Any) -> None:
        self.path.write_text(json.dumps(config))

    def opened(self) -> Config:
        return Config(self.path, HOOK, VirtualClock(NOW), self.changed)

    def changed(self) -> None:
        self.changes += 1


async def test_a_changed_config_is_taken_and_a_bad_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = Watched(tmp_path / "config.json")
    file.write(channels={"one": {"type": "slack", "url": "env:HOOK"}})
    config = file.opened()

    def names() -> list[str]:
        return [channel.name for channel in config.settings.channels]

    await config.step()
    assert (names(), file.changes) == (["one"], 0)
    file.write(channels={"another": {"type": "slack", "url": "env:HOOK"}})
    await config.step()
    assert (names(), file.changes) == (["another"], 1)
    file.path.write_text("{")
    await config.step()
    await config.step()
    assert (names(), file.changes) == (["another"], 1)
    assert [record.message for record in caplog.records].count("watchdog.config-refused") == 1
    file.path.unlink()
    await config.step()
    assert names() == ["another"]
    file.write(channels={"back": {"type": "slack", "url": "env:HOOK"}})
    await config.step()
    assert (names(), file.changes) == (["back"], 2)


def test_a_config_that_is_bad_from_the_start_is_refused(tmp_path: Path) -> None:
    file = Watched(tmp_path / "config.json")
    file.write(watchdog={"hungAfter": "soon"})
    with pytest.raises(ConfigRefused):
        file.opened()

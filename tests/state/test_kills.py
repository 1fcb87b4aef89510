"""Killed in the middle of its work, the store has lost nothing that it acknowledged."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.recovery import open_home
from tests.state.sample import NOW, home_in

ROOT = Path(__file__).parents[2]
KILLS = 24


def names_in(database: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM task UNION SELECT id FROM item")}


class Lives:
    """Processes that insert until they are killed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def begin(self) -> int:
        self._in.write("again\n")
        self._in.flush()
        return int(self._out.readline().removeprefix("ready "))

    def acknowledged(self) -> list[str]:
        """Wait for the end, and say what had been acknowledged until then."""
        names = []
        while (line := self._out.readline()) != "dead\n":
            assert line, "the program that starts the others has ended"
            names.append(line.strip())
        return names


@pytest.fixture
def lives(home_folder: Path) -> Iterator[Lives]:
    program = ROOT / "tests" / "state" / "inserter.py"
    with subprocess.Popen(
        [sys.executable, str(program), str(home_folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        yield Lives(process)
        process.kill()


def test_nothing_acknowledged_is_lost_however_often_the_process_is_killed(
    lives: Lives, home_folder: Path
) -> None:
    chance, acknowledged, generation = random.Random(7), set[str](), 0
    for _ in range(KILLS):
        pid = lives.begin()
        time.sleep(chance.uniform(0.0, 0.04))
        os.kill(pid, signal.SIGKILL)
        acknowledged.update(lives.acknowledged())
        opening = open_home(home_in(home_folder), NOW)
        assert opening.problems == []
        assert opening.generation > generation
        generation = opening.generation
        assert acknowledged <= names_in(home_folder / "nightdesk.db")
    assert len(acknowledged) > KILLS

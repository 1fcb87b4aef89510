"""Killed at any instant, an embedded ledger sends nothing twice and forgets nothing."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from state.ledger.records import Status
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import NOW, TODAY, owed

T = TypeVar("T")
ROOT = Path(__file__).parents[3]
COMPANIES = 150
LONGEST_LIFE_S = 0.08
MOST_LIVES = 60


def test_every_obligation_ends_once_however_often_its_workers_are_killed(home_folder: Path) -> None:
    home_folder.mkdir()
    names = [f"c{number:03}" for number in range(COMPANIES)]
    run_with(home_folder, lambda ledger: ledger.plan([owed(name) for name in names], NOW))
    said = live_and_die(home_folder)
    gone = Counter(line.removeprefix("gone ") for line in said if line.startswith("gone "))
    done = {line.removeprefix("done ") for line in said if line.startswith("done ")}
    assert set(gone.values()) == {1}, "something has left twice"
    rows = run_with(home_folder, lambda ledger: ledger.obligations(TODAY))
    ends = {row.company_id: row.status for row in rows}
    assert sorted(ends) == names
    assert set(ends.values()) <= {Status.DELIVERED, Status.UNKNOWN}
    assert all(ends[name] is Status.DELIVERED for name in done), "something acknowledged is forgotten"
    assert all(name in gone for name, status in ends.items() if status is Status.DELIVERED)
    assert said.count("dead") > 5


def live_and_die(folder: Path) -> list[str]:
    """Kill one life after the other until nothing is left to do; all that they said."""
    chance, said = random.Random(3), list[str]()
    program = [sys.executable, str(ROOT / "tests/state/ledger/workers.py"), str(folder)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for life in range(MOST_LIVES):
            process.stdin.write("again\n")
            process.stdin.flush()
            pid = int(process.stdout.readline().removeprefix("ready "))
            # Later lives may be longer: on a busy machine the shortest get nothing done.
            time.sleep(chance.uniform(0, LONGEST_LIFE_S * (1 + life / 20)))
            os.kill(pid, signal.SIGKILL)
            while (line := process.stdout.readline().strip()) != "dead":
                assert line, "the program that starts the others has ended"
                said.append(line)
            said.append(line)
            if "idle" in said:
                break
        process.stdin.close()
    assert "idle" in said, "there was not enough time to serve them all"
    return said


def run_with(folder: Path, work: Callable[[SqliteLedger], Coroutine[Any, Any, T]]) -> T:
    """Make one call on the ledger while nobody else has it."""

    async def opened() -> T:
        ledger = SqliteLedger(folder / "ledger.db", folder)
        await ledger.open(NOW)
        try:
            return await work(ledger)
        finally:
            await ledger.close()

    return asyncio.run(opened())

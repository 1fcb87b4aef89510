"""A process that sends reports by a real mail server, killed at any moment, and started again."""

import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from state.ledger.records import Status
from tests.daemon.notify.mail_servers import real
from tests.handlers.reporting.kill_me import DATES
from tests.handlers.reporting.newsroom import company, newsroom

PROJECT = Path(__file__).parents[3]
NAMES = [f"c{number:02}" for number in range(30)]
KILLS = 4
LONGEST_S = 100.0


async def started(folder: Path, port: int) -> asyncio.subprocess.Process:
    """Start the program."""
    program = "tests.handlers.reporting.kill_me"
    environ = {**os.environ, "PYTHONPATH": str(PROJECT)}
    argv = (sys.executable, "-m", program, str(folder), str(port))
    return await asyncio.create_subprocess_exec(*argv, cwd=folder, env=environ)


@pytest.mark.one_loop  # the program that is killed has a loop of its own
async def test_killed_at_any_moment_each_report_is_there_and_shows_once(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room:
        await room.roster(*(company(name, recipients=(f"{name}@x.example",)) for name in NAMES))
        for day in DATES:
            await room.owe(*NAMES, on=day)
    chance = random.Random(20261121)
    async with real("none") as there, asyncio.timeout(LONGEST_S):
        for _ in range(KILLS):
            before = len(there.bodies)
            process = await started(tmp_path, there.port)
            wanted = before + chance.randrange(1, 12)
            while len(there.bodies) < wanted and process.returncode is None:
                await asyncio.sleep(0.005)
            if process.returncode is None:
                process.kill()
            await process.wait()
        last = await started(tmp_path, there.port)
        assert await last.wait() == 0
        copies = Counter(str(mail["Message-ID"]) for mail in there.mails)
    async with newsroom(tmp_path) as room:
        rows = [one for day in DATES for one in await room.ledger.obligations(day)]
        assert [(one.date, one.company_id) for one in rows] == [
            (day, name) for day in DATES for name in NAMES
        ]
        left = [one for one in rows if not one.status.is_delivered]
        # Killed twice while one report was on its way: then only a person can say.
        assert [one for one in left if one.status is not Status.UNKNOWN] == []
        assert len(left) <= KILLS
    delivered = {f"<{one.stable_id}@example.com>" for one in rows if one.status.is_delivered}
    assert delivered <= set(copies)
    # Only what was on its way at a kill may have been sent once more, by the same id.
    assert sum(copies.values()) - len(copies) <= 2 * KILLS
    assert max(copies.values()) <= 2

"""The embedded ledger's file: full, locked, damaged, lost; and its backups."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from state import database as database_module
from state.ledger.errors import LedgerConflict, LedgerDamaged, LedgerDown, LedgerError, LedgerReadOnly
from state.ledger.keeping import fault_of, ledger_backups, take_ledger_backup
from state.ledger.records import Status
from state.ledger.script import Query, Script
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, key, outcome, owed, sent

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def opened(folder: Path, after: timedelta = timedelta()) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger(folder / "ledger.db", folder)
    await ledger.open(NOW + after)
    try:
        yield ledger
    finally:
        await ledger.close()


async def back_up(folder: Path, after: timedelta = timedelta()) -> Path:
    return await asyncio.to_thread(take_ledger_backup, folder / "ledger.db", folder, NOW + after)


def spoil(path: Path) -> bytes:
    """Change a few bytes in the middle; what the file holds now."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64) if any(data[middle : middle + 64]) else b"x" * 64
    path.write_bytes(data)
    return bytes(data)


async def test_what_it_holds_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.plan([owed("a")], NOW)
    async with opened(tmp_path) as ledger:
        assert ledger.problems == []
        assert await ledger.migrate(NOW, check=True) == []
        assert (await ledger.obligation(key("a"))) is not None


async def test_a_ledger_that_is_not_open_says_so(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    with pytest.raises(LedgerError, match="not open"):
        await ledger.probe(NOW)
    assert await ledger.migrate(NOW, check=True) == ["0001_first.sql"]
    assert list(tmp_path.iterdir()) == []


async def test_every_commit_is_synced_to_a_log_beside_the_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        assert ledger._database is not None
        settings = await ledger._database.run(
            lambda it: [
                it.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
            ]
        )
    assert settings == ["wal", 2]


async def test_a_file_that_takes_no_writes_or_is_locked_is_told_and_used_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.1)
    async with opened(tmp_path) as ledger:
        assert ledger._database is not None
        ledger._database._connection.execute("PRAGMA query_only = on")
        with pytest.raises(LedgerReadOnly):
            await ledger.plan([owed("a")], NOW)
        ledger._database._connection.execute("PRAGMA query_only = off")
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerDown):
                await ledger.plan([owed("a")], NOW)
            other.execute("ROLLBACK")
        assert await ledger.plan([owed("a")], NOW) == 1


async def test_a_damaged_file_is_kept_and_the_backup_takes_its_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.plan([owed("a"), owed("b"), owed("c", TODAY + DAY)], NOW)
        (a,) = await sent(ledger, "w", limit=1)
        await ledger.record_outcomes("w", [outcome(a)])
        await back_up(tmp_path)
        (b,) = await sent(ledger, "w", limit=1)
        await ledger.record_outcomes("w", [outcome(b)])
    damaged = spoil(tmp_path / "ledger.db")
    async with opened(tmp_path, timedelta(hours=1)) as ledger:
        (problem,) = ledger.problems
        assert "Restored from ledger-20261121T050000Z.db; 1 reports" in problem
        (kept,) = tmp_path.glob("ledger.db.damaged-*")
        assert kept.read_bytes() == damaged
        rows = [*await ledger.obligations(TODAY), *await ledger.obligations(TODAY + DAY)]
        # What may have been sent since the backup is not sent again by anybody who does not look.
        assert [row.status for row in rows] == [Status.DELIVERED, Status.UNKNOWN, Status.PLANNED]
        assert await ledger.claim("w", NOW + timedelta(hours=1), LEASE, 10) == []
        assert await ledger.record_outcomes("w", [outcome(b)]) == {b.key}
    async with opened(tmp_path) as ledger:
        assert ledger.problems == []


async def test_a_lost_file_comes_back_from_the_newest_backup_that_is_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.plan([owed("a")], NOW - DAY)
        await back_up(tmp_path)
        await ledger.plan([owed("b")], NOW)
        spoil(await back_up(tmp_path, timedelta(hours=1)))
    (tmp_path / "ledger.db").unlink()
    async with opened(tmp_path, timedelta(hours=2)) as ledger:
        assert "it is gone" in ledger.problems[0]
        assert [row.company_id for row in await ledger.obligations(TODAY)] == ["a"]


async def test_a_damaged_file_without_a_backup_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.plan([owed("a")], NOW)
    damaged = spoil(tmp_path / "ledger.db")
    with pytest.raises(LedgerDamaged, match="no whole backup"):
        async with opened(tmp_path):
            pass
    assert (tmp_path / "ledger.db").read_bytes() == damaged


async def test_three_backups_are_kept_each_whole_and_sealed(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        for hour in (9, 1, 2, 3, 4):
            await ledger.plan([owed(f"c{hour}")], NOW)
            await back_up(tmp_path, timedelta(hours=hour))
        assert [path.name[-10:-6] for path in ledger_backups(tmp_path)] == ["0700", "0800", "0900"]
        assert [fault_of(path) for path in ledger_backups(tmp_path)] == [None] * 3
        assert len(list(tmp_path.glob("ledger-*.sha256"))) == 3


async def test_a_backup_is_one_instant_of_a_ledger_that_is_being_written(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.plan([owed(f"c{n}", reason="x" * 200) for n in range(3000)], NOW)
        writing = asyncio.create_task(_keep_planning(ledger))
        path = await back_up(tmp_path)
        await writing
    with contextlib.closing(sqlite3.connect(path)) as copy:
        pairs = copy.execute(
            "SELECT count(*) FROM obligation GROUP BY date HAVING count(*) < 3000"
        ).fetchall()
    assert {count for (count,) in pairs} <= {2}


async def _keep_planning(ledger: SqliteLedger) -> None:
    for day in range(1, 60):
        await ledger.plan([owed(name, TODAY + DAY * day) for name in ("a", "b")], NOW)


async def test_what_is_there_already_and_differs_is_a_conflict_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        assert ledger._database is not None
        with pytest.raises(LedgerConflict):
            await ledger._write(_twice)


def _twice() -> Script[None]:
    for _ in range(2):
        yield Query("INSERT INTO note VALUES ('same', '')")


def test_a_full_disk_is_told_as_one_and_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    program = str(ROOT / "tests/state/ledger/full_ledger.py")
    ran = subprocess.run(
        ["unshare", *as_root, "--mount", sys.executable, program, str(tmp_path)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, f"a full disk could not be tried\n{ran.stderr}"
    told = json.loads(ran.stdout)
    assert told["refusal"].startswith("LedgerFull: ledger: the disk is full")
    assert told["readable"] == 2
    assert told["backup"] in ("StoreFull", "OSError")
    assert told["left_over"] == []
    assert (told["refused_after"], told["claimed_after"]) == (0, ["b"])

"""Opening a home: whole, restored, fresh or refused; never silently reset, never overwritten."""

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from state import database as database_module
from state.backups import take_backup
from state.codec import from_json, to_json
from state.database import StoreError, StoreTooNew
from state.home import Home
from state.recovery import StateUnreadable, open_home, whole_backups
from tests.state.sample import (
    LATER,
    NOW,
    add_round,
    everything,
    generation_in,
    home_in,
    make_task,
    opened,
    save,
)


@pytest.fixture
async def home(home_folder: Path) -> AsyncIterator[Home]:
    """A home with everything in it: database, both JSON files, two backups; stopped in good order."""
    async with opened(home_folder) as store:
        await add_round(store, 0)
        take_backup(store.home, NOW)
        await save(store)
        await add_round(store, 1)
        take_backup(store.home, NOW + timedelta(hours=1))
        await add_round(store, 2)
        await save(store)
    yield store.home


def files(folder: Path) -> dict[str, bytes]:
    return {str(it.relative_to(folder)): it.read_bytes() for it in folder.rglob("*") if it.is_file()}


def kept(home: Home, name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(home.folder.glob(f"{name}.damaged-*"))]


def with_checksum(state: dict[str, object]) -> bytes:
    body = to_json({name: value for name, value in state.items() if name != "checksum"})[:-1]
    return body + b',"checksum":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'


def test_a_new_home_is_fresh_and_the_second_start_finds_it_whole(home_folder: Path) -> None:
    home = home_in(home_folder)
    first = open_home(home, NOW)
    assert (first.is_fresh, first.problems, first.generation) == (True, [], 1)
    second = open_home(home, NOW)
    assert (second.is_fresh, second.problems) == (False, [])


async def test_a_whole_home_opens_without_a_word_and_nothing_is_touched(home: Home) -> None:
    before = files(home.folder)
    generations = []
    for _ in range(2):
        opening = open_home(home, LATER)
        assert (opening.problems, opening.kept_aside, opening.restored) == ([], [], None)
        assert not opening.is_fresh
        generations.append(opening.generation)
    assert generations == [generation_in(home.database) + 1] * 2
    assert files(home.folder) == before


@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "cut"])
async def test_a_damaged_database_is_kept_aside_and_restored(home: Home, content: bytes | None) -> None:
    damaged = home.database.read_bytes()[:9000] if content is None else content
    generation = generation_in(home.database)
    home.database.write_bytes(damaged)
    opening = open_home(home, LATER)
    assert len(opening.problems) == 1
    assert opening.problems[0].startswith("nightdesk.db: ")
    assert opening.restored is not None
    assert opening.restored.lost == 0
    assert opening.generation > generation
    assert kept(home, "nightdesk.db") == [damaged]
    async with opened(home.folder, LATER) as store:
        assert len(store.tasks) == 9
    again = open_home(home, LATER)
    assert (again.problems, again.restored) == ([], None)


async def test_a_lost_database_is_restored_and_said_to_be_missing(home: Home) -> None:
    home.database.unlink()
    opening = open_home(home, LATER)
    assert opening.problems == ["nightdesk.db: it is missing"]
    assert opening.restored is not None


@pytest.mark.parametrize("name", ["orchestrator_state.json", "orchestrator_state.prev.json"])
async def test_a_damaged_state_file_is_kept_aside_and_the_database_goes_on(home: Home, name: str) -> None:
    damaged = (home.folder / name).read_bytes()[:-10]
    (home.folder / name).write_bytes(damaged)
    before = everything(home.database)
    opening = open_home(home, LATER)
    assert opening.problems == [f"{name}: it does not end in a checksum"]
    assert opening.restored is None
    assert [path.name for path in opening.kept_aside] == [f"{name}.damaged-20261122T200000Z"]
    assert kept(home, name) == [damaged]
    assert everything(home.database) == before


async def test_of_two_state_files_the_one_that_is_whole_is_used(home: Home) -> None:
    generation = from_json(home.previous_state_file.read_bytes())["generation"]
    shutil.rmtree(home.backups)
    home.backups.mkdir()
    home.database.unlink()
    home.state_file.write_bytes(b"{")
    opening = open_home(home, LATER)
    assert opening.restored is not None
    assert (opening.restored.backup, opening.restored.snapshot_generation) == (None, generation)
    async with opened(home.folder, LATER) as store:
        assert sorted(store.tasks) == ["task-0-1", "task-0-2", "task-0-3"]


async def test_a_damaged_backup_is_passed_over(home: Home) -> None:
    older, newer = sorted(home.backups.glob("*.db"))
    newer.write_bytes(newer.read_bytes()[:5000])
    damaged = newer.read_bytes()
    home.database.unlink()
    opening = open_home(home, LATER)
    assert opening.restored is not None
    assert opening.restored.backup == older.name
    assert newer.read_bytes() == damaged
    assert list(whole_backups(home)) == [older]


async def test_where_nothing_can_be_read_it_refuses_and_loses_nothing(home: Home) -> None:
    for path in (home.database, home.state_file, home.previous_state_file, *home.backups.glob("*.db")):
        path.write_bytes(b"garbage of " + path.name.encode())
    for _ in range(3):
        with pytest.raises(StateUnreadable, match=r"none of it can be read .*Put a backup in place"):
            open_home(home, LATER)
    for name in ("nightdesk.db", "orchestrator_state.json", "orchestrator_state.prev.json"):
        assert kept(home, name) == [f"garbage of {name}".encode()]
    assert not home.database.exists()


async def test_after_a_refusal_a_backup_put_in_place_is_taken(home: Home) -> None:
    whole = sorted(home.backups.glob("*.db"))[0].read_bytes()
    for path in (home.database, home.state_file, home.previous_state_file, *home.backups.glob("*.db")):
        path.write_bytes(b"garbage")
    with pytest.raises(StateUnreadable):
        open_home(home, LATER)
    home.database.write_bytes(whole)
    assert open_home(home, LATER).problems == []


async def test_after_a_refusal_moving_the_damaged_files_away_starts_afresh(home: Home) -> None:
    for path in (home.database, home.state_file, home.previous_state_file):
        path.write_bytes(b"garbage")
    shutil.rmtree(home.backups)
    home.backups.mkdir()
    with pytest.raises(StateUnreadable):
        open_home(home, LATER)
    for path in home.folder.glob("*.damaged-*"):
        path.unlink()
    assert open_home(home, LATER).is_fresh


def folder_as_killed(folder: Path, to: Path) -> Home:
    """What a kill would leave: the log beside the file, no seal."""
    shutil.copytree(folder, to)
    return Home(to, to / "logs")


async def test_a_log_that_was_cut_is_known_by_the_generation_and_brought_forward(
    home: Home, tmp_path: Path
) -> None:
    async with opened(home.folder, LATER) as store:
        await add_round(store, 3)
        await save(store)
        dead = folder_as_killed(home.folder, tmp_path / "dead")
    log = dead.database.with_name("nightdesk.db-wal")
    cut = log.read_bytes()[: log.stat().st_size // 2]
    log.write_bytes(cut)
    opening = open_home(dead, LATER + timedelta(hours=1))
    assert opening.problems[0].startswith("nightdesk.db: it ends at generation ")
    assert opening.restored is not None
    assert opening.restored.backup == "nightdesk-20261122T210000Z.db"
    assert opening.restored.lost == 0
    assert kept(dead, "nightdesk.db-wal") == [cut]
    async with opened(dead.folder, LATER) as store:
        assert len(store.tasks) == 12
        assert store.runs_total == 4


async def test_a_log_without_its_database_is_kept_and_never_replayed(home: Home, tmp_path: Path) -> None:
    async with opened(home.folder, LATER) as store:
        await add_round(store, 3)
        dead = folder_as_killed(home.folder, tmp_path / "dead")
    log = dead.database.with_name("nightdesk.db-wal").read_bytes()
    assert log
    dead.database.unlink()
    opening = open_home(dead, LATER)
    assert opening.restored is not None
    assert kept(dead, "nightdesk.db-wal") == [log]
    async with opened(dead.folder, LATER) as store:
        assert len(store.tasks) == 9


def test_a_log_alone_is_a_trace_too(home_folder: Path) -> None:
    home = home_in(home_folder)
    log = home.database.with_name("nightdesk.db-wal")
    log.write_bytes(b"all that is left")
    for _ in range(2):
        with pytest.raises(StateUnreadable):
            open_home(home, NOW)
        assert kept(home, "nightdesk.db-wal") == [b"all that is left"]


async def test_a_start_that_was_killed_leaves_nothing_that_looks_damaged(home_folder: Path) -> None:
    home = home_in(home_folder)
    for suffix in ("", "-wal", "-shm"):
        (home.folder / f"nightdesk.db.building.tmp{suffix}").write_bytes(b"half")
    assert open_home(home, NOW).is_fresh


async def test_a_database_put_back_from_the_past_is_brought_forward(home: Home) -> None:
    past = sorted(home.backups.glob("*.db"))[0].read_bytes()
    home.database.with_name("nightdesk.db.sha256").unlink()
    home.database.write_bytes(past)
    opening = open_home(home, LATER)
    assert "the JSON state knows" in opening.problems[0]
    assert opening.restored is not None
    assert opening.restored.lost == 0
    async with opened(home.folder, LATER) as store:
        assert len(store.tasks) == 9


async def test_a_newer_database_is_refused_and_nothing_at_all_is_changed(home: Home) -> None:
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA user_version = 3")
    home.database.with_name("nightdesk.db.sha256").unlink()
    home.state_file.write_bytes(b"damaged as well")
    (home.folder / "a.tmp").write_bytes(b"left over")
    before = files(home.folder)
    with pytest.raises(StoreTooNew, match="install that version again, nothing was changed"):
        open_home(home, LATER)
    assert files(home.folder) == before


async def test_a_newer_state_file_is_refused_and_nothing_at_all_is_changed(home: Home) -> None:
    state = from_json(home.state_file.read_bytes())
    home.state_file.write_bytes(with_checksum({**state, "schema": 3}))
    before = files(home.folder)
    with pytest.raises(StoreTooNew, match=r"orchestrator_state\.json: written by a newer"):
        open_home(home, LATER)
    assert files(home.folder) == before


async def test_a_state_file_whose_content_is_no_state_is_kept_aside_and_the_next_one_used(home: Home) -> None:
    state = from_json(home.state_file.read_bytes())
    state["queue"] = [{"id": "x"}]
    home.state_file.write_bytes(with_checksum(state))
    generation = from_json(home.previous_state_file.read_bytes())["generation"]
    home.database.unlink()
    for path in home.backups.glob("*.db"):
        path.unlink()
    opening = open_home(home, LATER)
    assert opening.restored is not None
    assert opening.restored.snapshot_generation == generation
    assert any("cannot be taken over" in it for it in opening.problems)
    assert kept(home, "orchestrator_state.json") == [with_checksum(state)]
    # What the refused file knew of is not used again, or a generation would be given twice.
    assert opening.generation > state["generation"]


async def test_a_file_that_another_program_holds_is_not_taken_for_a_damaged_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.05)
    before = files(home.folder)
    with contextlib.closing(sqlite3.connect(home.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            open_home(home, LATER)
        connection.execute("ROLLBACK")
    assert files(home.folder).keys() == before.keys()
    assert open_home(home, LATER).problems == []


async def test_an_opening_that_commits_nothing_is_not_taken_for_a_loss(home_folder: Path) -> None:
    for _ in range(3):
        async with opened(home_folder) as store:
            await save(store)
        assert open_home(home_in(home_folder), NOW).problems == []


async def test_every_start_goes_on_from_a_higher_generation(home: Home) -> None:
    seen = []
    for number in range(3):
        async with opened(home.folder) as store:
            seen.append(store.generation)
            await store.commit(make_task(f"n{number}"))
            await save(store)
            seen.append(from_json(home.state_file.read_bytes())["generation"])
        home.database.write_bytes(b"gone") if number == 1 else None
    assert seen == sorted(set(seen))

"""A database of an older version is brought forward whole or not at all, and a copy of it is kept."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from state import migration
from state.backups import backups_of, take_backup
from state.database import StoreError, StoreFull, StoreTooNew, version_of
from state.examination import examine
from state.home import Home
from state.migration import bring_up, migrate
from state.records import Alert, replace
from state.recovery import open_home
from state.seal import seal_of
from state.tables import SCHEMA_VERSION, STEPS
from tests.state.first import GENERATION, RECORDS, make_first, write_first, write_first_state
from tests.state.sample import (
    LATER,
    NOW,
    add_round,
    everything,
    home_in,
    make_notice,
    make_silence,
    make_task,
    memory_of,
    opened,
)

NEW_TABLES = {"silence", "telling", "notice"}
TOLD_OF = ("over@", "over", "", None, None, 3, None, None, None, None, "it was over before alerts were sent")


def version_in(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return version_of(connection)


def rows_in(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows there are, with the generation."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        notes = connection.execute("SELECT * FROM note ORDER BY name").fetchall()
    return {**everything(database), "note": notes}


def test_a_database_of_the_first_version_keeps_every_row_and_gets_the_new_tables(home_folder: Path) -> None:
    home = make_first(home_folder)
    before = everything(home.database)
    assert all(before.values())

    opening = open_home(home, LATER)

    assert (opening.older_schema, opening.problems, opening.kept_aside) == (1, [], [])
    assert opening.generation == GENERATION + 1
    after = everything(home.database)
    assert {name: rows for name, rows in after.items() if name not in NEW_TABLES} == before
    assert {name: after[name] for name in NEW_TABLES} == {"silence": [], "telling": [TOLD_OF], "notice": []}
    assert version_in(home.database) == SCHEMA_VERSION
    assert examine(home.database) is None


async def test_it_opens_works_and_takes_the_new_records(home_folder: Path) -> None:
    make_first(home_folder)
    async with opened(home_folder, LATER) as store:
        assert list(store.tasks) == ["waits"]
        assert {name: it.is_open for name, it in store.alerts.items()} == {"open": True, "over": False}
        assert list(store.tellings) == ["over@"]
        await store.commit(make_notice("n"), make_silence("s"))
        await add_round(store, 0)
        before = memory_of(store)
    async with opened(home_folder, LATER) as store:
        assert memory_of(store) == before


def test_a_copy_of_what_it_was_is_kept_and_can_be_gone_back_to(home_folder: Path) -> None:
    home = make_first(home_folder)
    before = rows_in(home.database)
    open_home(home, LATER)

    [copy] = backups_of(home)

    assert (version_in(copy), examine(copy), rows_in(copy)) == (1, None, before)


def test_older_backups_are_not_pushed_out_by_it(home_folder: Path) -> None:
    home = make_first(home_folder)
    for hour in range(3):
        take_backup(home, NOW + timedelta(hours=hour))
    with contextlib.closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("UPDATE note SET value = '99' WHERE name = 'generation'")
    seal_of(home.database).unlink()

    open_home(home, LATER)

    assert len(backups_of(home)) == 4


def test_the_second_opening_finds_nothing_to_do(home_folder: Path) -> None:
    home = make_first(home_folder)
    open_home(home, LATER)
    before = everything(home.database)

    again = open_home(home, LATER + timedelta(hours=1))

    assert again.older_schema is None
    assert len(backups_of(home)) == 1
    assert everything(home.database) == before


def test_a_database_as_a_kill_left_it_is_brought_forward_with_what_its_log_holds(
    home_folder: Path, tmp_path: Path
) -> None:
    first = home_in(tmp_path / "first")
    home = home_in(home_folder)
    write_first(first.database)
    with contextlib.closing(sqlite3.connect(first.database, isolation_level=None)) as connection:
        connection.execute("INSERT INTO note VALUES ('late', 'in the log')")
        for suffix in ("", "-wal"):
            data = first.database.with_name(first.database.name + suffix).read_bytes()
            home.database.with_name(home.database.name + suffix).write_bytes(data)
    assert home.database.with_name("nightdesk.db-wal").stat().st_size > 0

    assert open_home(home, LATER).older_schema == 1

    assert ("late", "in the log") in everything(home.database)["note"]
    assert ("late", "in the log") in everything(backups_of(home)[0])["note"]


def test_one_that_is_killed_between_two_statements_has_not_happened(home_folder: Path) -> None:
    home = make_first(home_folder)
    before = rows_in(home.database)
    for position in range(5):
        process = multiprocessing.get_context("spawn").Process(target=die_within, args=(home, position))
        process.start()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL

        assert examine(home.database) is None
        assert (version_in(home.database), rows_in(home.database)) == (1, before)
    # Of a start that is killed again and again one copy is kept, not one of each.
    assert len(backups_of(home)) == 1
    assert open_home(home, LATER).older_schema == 1
    assert everything(home.database)["telling"] == [TOLD_OF]


def die_within(home: Home, position: int) -> None:
    """Open the home, and be killed before the statement of that number."""
    statements = STEPS[2].split(";")
    killing = f"{';'.join(statements[:position])}; SELECT die(); {';'.join(statements[position:])};"
    migration.STEPS = {**STEPS, 2: killing.removeprefix(";")}
    connect = migration.connect

    def with_death(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
        return connection

    migration.connect = with_death  # type: ignore[assignment]
    open_home(home, LATER)


def test_a_step_that_fails_leaves_no_half_of_it(home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_first(home_folder)
    before = rows_in(home.database)
    with monkeypatch.context() as patch:
        patch.setitem(migration.STEPS, 2, STEPS[2] + "INSERT INTO nowhere VALUES (1);")
        with pytest.raises(StoreError, match="no such table: nowhere"):
            open_home(home, LATER)
    assert (version_in(home.database), rows_in(home.database)) == (1, before)
    assert open_home(home, LATER).older_schema == 1


def test_steps_are_taken_one_after_the_other_and_what_is_done_stays(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_first(home_folder)
    monkeypatch.setattr(migration, "SCHEMA_VERSION", 3)
    with monkeypatch.context() as patch:
        patch.setitem(migration.STEPS, 3, "CREATE TABLE third (id TEXT); INSERT INTO nowhere VALUES (1);")
        with pytest.raises(StoreError):
            migrate(home, LATER)
        assert version_in(home.database) == 2
        patch.setitem(migration.STEPS, 3, "CREATE TABLE third (id TEXT);")
        assert migrate(home, LATER) == 2
    assert everything(home.database)["third"] == []
    assert everything(home.database)["telling"] == [TOLD_OF]


def test_a_full_disk_is_told_clearly_and_nothing_is_changed(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_first(home_folder)
    before = rows_in(home.database)
    connect = migration.connect

    def with_little_room(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(migration, "connect", with_little_room)
        with pytest.raises(StoreFull, match=r"full: .*nightdesk\.db could not be brought from schema 1"):
            open_home(home, LATER)
    assert (version_in(home.database), rows_in(home.database)) == (1, before)
    assert open_home(home, LATER).older_schema == 1


async def test_a_backup_of_the_first_version_is_restored_from(home_folder: Path) -> None:
    home = make_first(home_folder)
    take_backup(home, NOW)
    home.database.write_bytes(b"garbage")

    opening = open_home(home, LATER)

    assert opening.restored is not None
    assert (opening.restored.backup, opening.restored.lost) == ("nightdesk-20261121T200000Z.db", 0)
    async with opened(home_folder, LATER) as store:
        assert list(store.tasks) == ["waits"]
        assert list(store.tellings) == ["over@"]
        await add_round(store, 0)


@pytest.mark.parametrize("has_backup", [True, False], ids=["with a backup", "with nothing else"])
async def test_a_state_file_of_the_first_version_is_restored_from(
    home_folder: Path, has_backup: bool
) -> None:
    # In the backup all alerts are open still; the state file knows that one is over.
    home = make_first(home_folder, tuple(still_open(it) for it in RECORDS))
    if has_backup:
        take_backup(home, NOW)
    write_first_state(home, (make_task("newer"),))
    home.database.write_bytes(b"garbage")

    opening = open_home(home, LATER)

    assert opening.restored is not None
    assert (opening.restored.snapshot_generation, opening.restored.lost) == (GENERATION + 1, 0)
    async with opened(home_folder, LATER) as store:
        assert set(store.tasks) == {"waits", "newer"}
        assert {name: it.is_open for name, it in store.alerts.items()} == {"open": True, "over": False}
        # It ended before anybody could be told, and nobody is to be told of it now; of the open one they are.
        assert list(store.tellings) == ["over@"]
        assert list(store.deliveries) == ["delivery"]


def still_open(record: Any) -> Any:
    return replace(record, resolved_at=None) if isinstance(record, Alert) else record


def test_a_newer_database_is_still_refused_and_left_alone(home_folder: Path) -> None:
    home = make_first(home_folder)
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    seal_of(home.database).unlink()
    before = home.database.read_bytes()
    with pytest.raises(StoreTooNew):
        open_home(home, LATER)
    assert home.database.read_bytes() == before


def test_one_that_says_it_is_older_than_it_is_counts_as_damaged(home_folder: Path) -> None:
    home = make_first(home_folder)
    open_home(home, LATER)
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert examine(home.database) == "it is marked as schema 1, and has notice, silence, telling"


def test_bringing_up_what_is_new_changes_nothing(home_folder: Path) -> None:
    home = make_first(home_folder)
    open_home(home, LATER)
    before = everything(home.database)
    bring_up(home.database)
    assert everything(home.database) == before

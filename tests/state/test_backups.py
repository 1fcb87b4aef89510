"""Online backups: whole, sealed, three of them, and never the whole ones lost to a bad one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from state.backups import backups_of, newest_backup_at, take_backup
from state.database import StoreDamaged, StoreError
from state.examination import examine
from state.seal import is_seal_broken, seal_of
from state.store import Store
from tests.state.sample import NOW, add_round, everything, make_task, opened

HOUR = timedelta(hours=1)


@pytest.fixture
async def store(home_folder: Path) -> AsyncIterator[Store]:
    async with opened(home_folder) as store:
        await add_round(store, 0)
        yield store


async def test_a_backup_holds_what_was_committed_and_is_one_whole_sealed_file(store: Store) -> None:
    path = take_backup(store.home, NOW)
    assert path.name == "nightdesk-20261121T200000Z.db"
    assert sorted(it.name for it in store.home.backups.iterdir()) == [path.name, seal_of(path).name]
    assert examine(path) is None
    assert everything(path) == everything(store.home.database)


async def test_a_backup_changed_by_one_letter_is_noticed(store: Store) -> None:
    path = take_backup(store.home, NOW)
    path.write_bytes(path.read_bytes().replace(b"How do I?", b"How do U?", 1))
    assert is_seal_broken(path)
    assert examine(path) is not None


async def test_a_backup_is_taken_beside_a_writer_that_goes_on(store: Store) -> None:
    stop = asyncio.Event()

    async def keep_committing() -> int:
        number = 0
        while not stop.is_set():
            await store.commit(make_task(f"t{number}"), make_task(f"u{number}"))
            number += 1
        return number

    committing = asyncio.create_task(keep_committing())
    for number in range(5):
        path = await asyncio.to_thread(take_backup, store.home, NOW + number * HOUR)
        names = {row[0] for row in everything(path)["task"]}
        # A change is in it with all of its rows or with none.
        assert {it[1:] for it in names if it[0] == "u"} == {
            it[1:] for it in names if it[0] == "t" and it[1] != "a"
        }
    stop.set()
    assert await committing > 0


async def test_three_are_kept_and_the_oldest_go_with_their_seals(store: Store) -> None:
    paths = [take_backup(store.home, NOW + number * HOUR) for number in range(5)]
    assert backups_of(store.home) == paths[2:]
    assert len(list(store.home.backups.iterdir())) == 6
    assert newest_backup_at(store.home) == NOW + 4 * HOUR


async def test_a_new_backup_outlives_those_of_a_clock_that_was_ahead(store: Store) -> None:
    ahead = [take_backup(store.home, NOW + timedelta(days=400) + number * HOUR) for number in range(3)]
    right = take_backup(store.home, NOW)
    assert right in backups_of(store.home)
    assert backups_of(store.home) == [right, *ahead[1:]]
    newer = [take_backup(store.home, NOW + number * HOUR) for number in (1, 2)]
    assert backups_of(store.home) == [right, *newer]


async def test_all_are_kept_where_that_is_asked(store: Store) -> None:
    for number in range(5):
        take_backup(store.home, NOW + number * HOUR, keep_all=True)
    assert len(backups_of(store.home)) == 5


async def test_there_is_no_newest_of_none_and_other_files_do_not_count(store: Store) -> None:
    assert newest_backup_at(store.home) is None
    (store.home.backups / "nightdesk-mine.db").touch()
    assert newest_backup_at(store.home) is None


async def test_a_damaged_database_pushes_out_no_backup(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        await add_round(store, 0)
        taken = [take_backup(store.home, NOW + number * HOUR) for number in range(3)]
    home = store.home
    data = bytearray(home.database.read_bytes())
    data[8 * 4096 : 9 * 4096] = bytes(4096)
    home.database.write_bytes(data)
    with pytest.raises(StoreDamaged):
        take_backup(home, NOW + 3 * HOUR)
    assert backups_of(home) == taken
    assert len(list(home.backups.iterdir())) == 6


async def test_a_missing_database_is_an_error_and_leaves_nothing(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        pass
    store.home.database.unlink()
    with pytest.raises(StoreError, match="unable to open"):
        take_backup(store.home, NOW)
    assert list(store.home.backups.iterdir()) == []

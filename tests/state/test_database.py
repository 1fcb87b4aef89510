"""The writer: what it acknowledges is on the disk, and one caller's fault is no other's."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from state import database as database_module
from state.database import (
    Database,
    StoreBusy,
    StoreConflict,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    as_store_error,
    connect,
)
from state.records import SlotRecord, SlotState, TaskState
from state.seal import is_seal_broken, seal_of
from state.store import Change, Store
from tests.state.sample import NOW, generation_in, make_task, opened


@pytest.fixture
async def store(home_folder: Path) -> AsyncIterator[Store]:
    async with opened(home_folder) as store:
        yield store


@asynccontextmanager
async def busy_writer(store: Store) -> AsyncIterator[None]:
    """Hold the writer, so that all that is submitted inside goes out as one group after."""
    held, let_go = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        held.set()
        assert let_go.wait(10)

    holding = asyncio.create_task(store.run(hold))
    await asyncio.to_thread(held.wait, 10)
    try:
        yield
        await asyncio.sleep(0)  # those who were created inside have submitted by now
    finally:
        let_go.set()
        await holding


async def results(*waiting: Any) -> list[Any]:
    return await asyncio.gather(*waiting, return_exceptions=True)


def slot(name: str = "one") -> SlotRecord:
    return SlotRecord(schedule="nightly", slot=name, state=SlotState.FIRED, decided_at=NOW)


def names_in(database: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM task")}


async def test_what_piles_up_while_a_commit_runs_goes_out_as_one_group(store: Store) -> None:
    before = store.generation
    async with busy_writer(store):
        commits = asyncio.gather(*(store.commit(make_task(f"t{n}")) for n in range(50)))
    await commits
    assert len(store.tasks) == 50
    assert store.generation == before + 2


async def test_a_change_counts_only_once_it_is_durable(store: Store) -> None:
    generation, committing = store.generation, asyncio.create_task(store.commit(make_task("a")))
    await asyncio.sleep(0)
    # The loop is held on purpose: the writer gets ahead of what this thread has heard.
    deadline = time.monotonic() + 10
    while generation_in(store.home.database) == generation and time.monotonic() < deadline:
        time.sleep(0.001)
    assert generation_in(store.home.database) == generation + 1
    assert store.generation == generation
    assert store.tasks == {}
    await committing
    assert store.generation == generation + 1
    assert set(store.tasks) == {"a"}


async def test_a_caller_that_goes_away_leaves_memory_and_disk_alike(store: Store) -> None:
    async with busy_writer(store):
        leaving = asyncio.create_task(store.commit(make_task("a")))
        await asyncio.sleep(0)
        leaving.cancel()
    await store.quiet()
    assert leaving.cancelled()
    assert set(store.tasks) == names_in(store.home.database) == {"a"}


async def test_a_slot_decided_twice_is_refused_and_nobody_beside_it_is_harmed(store: Store) -> None:
    async with busy_writer(store):
        waiting = asyncio.gather(
            store.commit(slot(), make_task("a")),
            store.commit(slot(), make_task("b")),
            store.commit(make_task("c")),
            store.run(lambda connection: connection.execute("INSERT INTO note VALUES ('d', '')").rowcount),
            return_exceptions=True,
        )
    first, second, *others = await waiting
    assert first is None
    assert isinstance(second, StoreConflict)
    assert others == [None, 1]
    assert set(store.tasks) == names_in(store.home.database) == {"a", "c"}


async def test_work_that_raises_is_undone_alone_and_tells_only_its_caller(store: Store) -> None:
    def half_done(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('half', '')")
        raise KeyError("mine")

    def broken_sql(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('broken', '')")
        connection.execute("SELECT * FROM nowhere")

    async with busy_writer(store):
        waiting = asyncio.gather(
            store.commit(make_task("a")),
            store.run(half_done),
            store.run(broken_sql),
            store.run(lambda connection: connection.execute("INSERT INTO note VALUES ('kept', '')").rowcount),
            return_exceptions=True,
        )
    kept_a, mine, broken, kept = await waiting
    assert (kept_a, kept) == (None, 1)
    assert isinstance(mine, KeyError)
    assert isinstance(broken, StoreError)
    notes = await store.read(lambda connection: connection.execute("SELECT name FROM note").fetchall())
    assert {row["name"] for row in notes} == {"generation", "kept"}


async def test_work_that_ends_the_transaction_is_refused_and_the_writer_goes_on(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.run(lambda connection: connection.execute("ROLLBACK"))
    await store.commit(make_task("a"))
    assert names_in(store.home.database) == {"a"}


@pytest.mark.parametrize(
    "fields",
    [
        {"error": "\ud800"},
        {"attempt": 2**70},
        {"state": "available"},
        {"args": {"n": 2**70}},
        {"scheduled_at": "soon"},
        {"scheduled_at": NOW.replace(tzinfo=None)},
        {"handler": None},
        {"error": object()},
    ],
    ids=[
        "half a character",
        "a huge number",
        "a bare word",
        "a huge number inside",
        "no time",
        "no zone",
        "no handler",
        "an object",
    ],
)
async def test_a_record_that_has_no_row_is_refused_and_nobody_beside_it(
    store: Store, fields: dict[str, Any]
) -> None:
    async with busy_writer(store):
        waiting = asyncio.gather(
            store.commit(make_task("odd", **fields)), store.commit(make_task("a")), return_exceptions=True
        )
    odd, fine = await waiting
    assert isinstance(odd, StoreError)
    assert not isinstance(odd, (StoreConflict, StoreDamaged, StoreFull))
    assert fine is None
    assert set(store.tasks) == names_in(store.home.database) == {"a"}


async def test_a_start_without_its_time_or_its_task_is_refused(store: Store) -> None:
    await store.commit(make_task("a"))
    for task in (make_task("a"), make_task("b", started_at=NOW)):
        change = Change()
        change.start(task)
        with pytest.raises(StoreError):
            await store.commit_change(change)
    assert store.tasks == {"a": make_task("a")}


async def test_an_attempt_is_recorded_once(store: Store) -> None:
    run = make_task("a", state=TaskState.COMPLETED, finished_at=NOW, attempt=1)
    change = Change()
    change.record_run(run)
    await store.commit_change(change)
    with pytest.raises(StoreConflict):
        await store.commit_change(change)
    assert list(store.history) == [run]
    assert store.runs_total == 1


async def test_a_callback_that_raises_keeps_nobody_else_from_hearing(store: Store) -> None:
    heard: list[StoreError | None] = []
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    def fail(error: StoreError | None) -> None:
        raise ZeroDivisionError

    async with busy_writer(store):
        store.submit(Change(make_task("a")), fail)
        store.submit(Change(make_task("b")), heard.append)
    await store.commit(make_task("c"))
    assert heard == [None]
    assert [type(it["exception"]) for it in faults] == [ZeroDivisionError]
    assert set(store.tasks) == {"a", "b", "c"}


@contextmanager
def locked_by_another(database: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_a_file_that_another_program_holds_refuses_everybody_once_and_works_after(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.1)
    async with opened(home_folder) as store:
        with locked_by_another(store.home.database):
            began = time.monotonic()
            refused = await results(*(store.commit(make_task(f"t{n}")) for n in range(50)))
            # One wait for all of them, or two where they came as two groups; not one for each.
            assert time.monotonic() - began < 2.5
        assert all(isinstance(it, StoreError) and "locked" in str(it) for it in refused)
        assert store.tasks == {}
        await store.commit(make_task("a"))
        assert set(store.tasks) == names_in(store.home.database) == {"a"}


async def test_a_reader_sees_what_is_committed_and_nothing_else(store: Store) -> None:
    inserted, let_go = threading.Event(), threading.Event()

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('new', '')")
        inserted.set()
        assert let_go.wait(10)

    def count(connection: sqlite3.Connection) -> int:
        (found,) = connection.execute("SELECT count(*) FROM note WHERE name = 'new'").fetchone()
        return int(found)

    writing = asyncio.create_task(store.run(insert))
    await asyncio.to_thread(inserted.wait, 10)
    assert await store.read(count) == 0
    let_go.set()
    await writing
    assert await store.read(count) == 1


async def test_a_reader_can_change_nothing(store: Store) -> None:
    await store.commit(make_task("a"))
    with pytest.raises(StoreError, match="readonly"):
        await store.read(lambda connection: connection.execute("DELETE FROM task"))
    assert names_in(store.home.database) == {"a"}


async def test_closing_commits_what_was_submitted_and_leaves_one_sealed_file(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        await store.read(lambda connection: connection.execute("SELECT 1").fetchone())
        for number in range(20):
            store.submit(Change(make_task(f"t{number}")), lambda _: None)
    assert len(store.tasks) == 20
    assert sorted(path.name for path in home_folder.iterdir() if path.is_file()) == [
        "nightdesk.db",
        "nightdesk.db.sha256",
    ]
    assert len(names_in(home_folder / "nightdesk.db")) == 20
    assert not is_seal_broken(home_folder / "nightdesk.db")


async def test_a_closed_database_says_so(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        pass
    await store.close()
    for call in (store.commit(make_task("a")), store.run(lambda _: None), store.read(lambda _: None)):
        with pytest.raises(StoreError, match="closed"):
            await call


async def test_an_open_database_bears_no_seal(home_folder: Path) -> None:
    for _ in range(2):
        async with opened(home_folder) as store:
            assert not seal_of(store.home.database).exists()
        assert seal_of(store.home.database).exists()


async def test_generations_grow_with_every_group_and_never_go_back_over_a_restart(home_folder: Path) -> None:
    seen = []
    for life in range(3):
        async with opened(home_folder) as store:
            seen.append(store.generation)
            assert generation_in(store.home.database) == store.generation
            for number in range(3):
                await store.commit(make_task(f"{life}-{number}"))
                seen.append(store.generation)
                assert generation_in(store.home.database) == store.generation
    assert seen == sorted(set(seen))


async def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "nightdesk.db").mkdir()
    with pytest.raises(StoreError, match="unable to open"):
        Database(tmp_path / "nightdesk.db", 1)


async def test_damage_that_shows_on_the_way_is_told_and_the_file_is_not_sealed(home_folder: Path) -> None:
    told: list[StoreDamaged] = []
    async with opened(home_folder) as store:
        store.on_damage(told.append)
        await store.commit(*(make_task(f"t{n}", error="x" * 300) for n in range(200)))
        await store.run(lambda connection: None)
    with contextlib.closing(connect(store.home.database)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'task'").fetchone()[0]
    database = Database(store.home.database, store.generation)
    database.on_damage = told.append
    with store.home.database.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StoreDamaged):
        await database.read(lambda connection: connection.execute("SELECT * FROM task").fetchall())
    await asyncio.sleep(0)
    await database.close()
    assert len(told) == 1
    assert not seal_of(store.home.database).exists()


def error_of(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFull),
        (sqlite3.SQLITE_CORRUPT, StoreDamaged),
        (sqlite3.SQLITE_NOTADB, StoreDamaged),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreDamaged),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, StoreConflict),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, StoreConflict),
        (sqlite3.SQLITE_CONSTRAINT_NOTNULL, StoreError),
        (sqlite3.SQLITE_BUSY, StoreBusy),
        (sqlite3.SQLITE_READONLY, StoreReadOnly),
    ],
)
def test_an_error_of_sqlite_is_named_for_what_happened(code: int, named: type[StoreError]) -> None:
    assert type(as_store_error(error_of(code))) is named


def test_an_error_without_a_code_is_a_refusal() -> None:
    assert type(as_store_error(sqlite3.ProgrammingError("said"))) is StoreError

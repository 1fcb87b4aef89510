"""Looking a database over: what is damage, what is not, and what is not ours to judge."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from state import database as database_module
from state.database import StoreError, StoreTooNew
from state.examination import examine
from state.seal import seal, unseal
from tests.state.sample import add_round, everything, opened, take_batch


@pytest.fixture
async def database(home_folder: Path) -> AsyncIterator[Path]:
    async with opened(home_folder) as store:
        await add_round(store, 0)
        await take_batch(store, "batch")
        await add_round(store, 1)
    unseal(home_folder / "nightdesk.db")
    yield home_folder / "nightdesk.db"


def change(database: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)


async def test_a_database_as_it_was_closed_is_whole_and_stays_as_it_is(database: Path) -> None:
    before = database.read_bytes()
    assert examine(database) is None
    assert database.read_bytes() == before


async def test_a_database_changed_after_it_was_closed_is_damaged(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        await add_round(store, 0)
    database = home_folder / "nightdesk.db"
    damaged = database.read_bytes().replace(b"How do I?", b"How do U?", 1)
    database.write_bytes(damaged)
    assert examine(database) == "its checksum does not fit its content"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE task SET args = '{\"n\":' WHERE id = 'task-1-1'",
        "UPDATE task SET args = '[' || char(1) WHERE id = 'task-1-1'",
        "UPDATE task SET state = 'availabel' WHERE id = 'task-1-1'",
        "UPDATE task SET lane = 'norma' WHERE id = 'task-1-1'",
        "UPDATE task SET scheduled_at = '2026-13-01T00:00:00Z' WHERE id = 'task-1-1'",
        "UPDATE task SET handler = CAST(x'ff41' AS TEXT) WHERE id = 'task-1-1'",
        "UPDATE run SET summary = 'x' WHERE id = 'task-1-0'",
        "UPDATE run SET finished_at = '2026' || char(0) WHERE id = 'task-1-0'",
        "UPDATE task_key SET created_at = ''",
        "UPDATE handler SET last_state = 'o'",
        "UPDATE schedule SET next_fire_at = 'noon'",
        "UPDATE alert SET labels = '{'",
        "UPDATE delivery SET state = 'sent'",
        "UPDATE silence SET ends_at = 'never'",
        "UPDATE telling SET severity = 'loud'",
        "UPDATE notice SET alerts = '[\"a'",
        "UPDATE notice SET message = '{'",
        "UPDATE notice SET state = 'sent'",
        "DROP TABLE telling",
        "PRAGMA user_version = 1",
        "UPDATE note SET value = '1r' WHERE name = 'generation'",
        "UPDATE item SET body = '{\"id\":\"x' WHERE id = 'lead-1-0'",
        "UPDATE item SET body = CAST(x'7b22ff227d' AS TEXT) WHERE id = 'lead-1-0'",
        "UPDATE batch SET date = '2026-11-41'",
        "UPDATE batch SET generated_at = 'x'",
        "UPDATE batch SET sent_at = 'x'",
        "DROP TABLE delivery",
        "ALTER TABLE task RENAME COLUMN args TO arguments",
        "PRAGMA user_version = 0",
    ],
)
async def test_what_a_start_could_not_read_is_damage(database: Path, statement: str) -> None:
    change(database, statement)
    assert examine(database) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE item SET body = 'x' WHERE id = 'lead-0-0'",
        "UPDATE item SET reasons = '{' WHERE id = 'lead-0-0'",
        "UPDATE item SET added_at = 'x' WHERE id = 'lead-0-0'",
        "UPDATE slot SET decided_at = 'x'",
        "PRAGMA writable_schema = 1; DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_item_1'",
    ],
)
async def test_what_a_start_does_not_read_is_looked_at_where_no_seal_vouches_for_it(
    database: Path, statement: str
) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(statement)
    assert examine(database) is not None
    seal(database)
    if "schema" not in statement:
        assert examine(database) is None


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"garbage" * 1000, bytes(65536)])
def test_what_is_no_database_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nightdesk.db"
    path.write_bytes(content)
    assert examine(path) is not None
    assert path.read_bytes() == content


@pytest.mark.parametrize("offset", [18, 19])
async def test_a_file_that_only_looks_read_only_is_damage(database: Path, offset: int) -> None:
    damaged = bytearray(database.read_bytes())
    damaged[offset] = 66
    database.write_bytes(damaged)
    assert examine(database) == "its header is damaged"


async def test_a_newer_schema_is_not_ours_to_judge_and_left_as_it_is(database: Path) -> None:
    change(database, "PRAGMA user_version = 3")
    before = database.read_bytes()
    with pytest.raises(StoreTooNew, match=r"newer nightdesk \(schema 3, this one knows 2\)"):
        examine(database)
    assert database.read_bytes() == before


async def test_a_file_that_another_program_holds_is_not_called_damaged(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.05)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            examine(database)
        connection.execute("ROLLBACK")


async def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "nightdesk.db").mkdir()
    with pytest.raises(OSError):
        examine(tmp_path / "nightdesk.db")


async def test_a_log_that_was_not_folded_back_is_read_too(home_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    async with opened(home_folder) as store:
        await add_round(store, 0)
        for suffix in ("", "-wal"):
            data = (home_folder / f"nightdesk.db{suffix}").read_bytes()
            (copy / f"nightdesk.db{suffix}").write_bytes(data)
    assert (copy / "nightdesk.db-wal").stat().st_size > 0
    assert examine(copy / "nightdesk.db") is None
    assert len(everything(copy / "nightdesk.db")["task"]) == 3

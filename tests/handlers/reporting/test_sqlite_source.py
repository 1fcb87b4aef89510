"""Facts from SQLite: read, and nothing but read."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from daemon.notify.base import Failure
from handlers.reporting.base import Facts, SourceError
from tests.handlers.reporting.shops import source

DAY = date(2026, 11, 21)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE sales (company TEXT, n INT)")
        connection.execute("INSERT INTO sales VALUES ('acme', 1)")
        connection.commit()
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE hidden (company TEXT, n INT)")
        connection.commit()
    return tmp_path


async def asked(folder: Path, facts: str, path: str = "shop.db") -> Facts:
    """The facts of acme by this question."""
    opened = source(folder, type="sqlite", path=path, facts=facts)
    try:
        return (await opened.facts(DAY, ["acme"]))["acme"]
    finally:
        await opened.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM sales",
        "UPDATE sales SET n = 2 RETURNING company",
        "DROP TABLE sales",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "SELECT 'acme' AS company, * FROM pragma_database_list",
        "SELECT 'acme' AS company, load_extension('x')",
        "SELECT 'acme' AS company; DELETE FROM sales",
        "COMMIT",
        "BEGIN IMMEDIATE",
        "WITH x AS (SELECT 1) INSERT INTO sales SELECT 'x', 1",
    ],
)
async def test_what_does_not_only_read_is_refused(folder: Path, sql: str) -> None:
    before = (folder / "shop.db").read_bytes()
    with pytest.raises(SourceError, match=r"^source\.facts: ") as caught:
        await asked(folder, sql)
    assert caught.value.failure is Failure.PERMANENT
    assert (folder / "shop.db").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["other.db", "shop.db"]


async def test_the_date_is_text_and_the_companies_are_json(folder: Path) -> None:
    sql = "SELECT value AS company, $date AS day FROM json_each($companies)"
    assert (await asked(folder, sql)).values == {"day": "2026-11-21"}


@pytest.mark.parametrize(("name", "said"), [("none.db", "is not there"), ("empty.db", "is empty")])
async def test_a_missing_or_empty_database_is_an_honest_line(folder: Path, name: str, said: str) -> None:
    (folder / "empty.db").touch()
    facts = await asked(folder, "SELECT company, n FROM sales", name)
    assert facts.problem == f'There are no figures for 2026-11-21: the database "{name}" {said}.'
    assert not (folder / "none.db").exists()


async def test_a_file_that_is_no_database_is_named(folder: Path) -> None:
    (folder / "text.db").write_text("no database, " * 100)
    with pytest.raises(SourceError, match=r'^source\.path: file is not a database \(in "text\.db"\)'):
        await asked(folder, "SELECT company, n FROM sales", "text.db")


async def test_a_writer_in_between_is_waited_for_and_then_said(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA locking_mode = EXCLUSIVE")
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="cannot be read now") as caught:
            await asked(folder, "SELECT company, n FROM sales")
    assert caught.value.failure is Failure.TRANSIENT


async def test_reading_beside_a_writer_in_wal_mode_works(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO sales VALUES ('acme', 2)")
        assert (await asked(folder, "SELECT company, n FROM sales")).values == {"n": 1}
        writer.execute("ROLLBACK")


def test_without_a_path_it_says_what_to_write(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"source\.path: a sqlite source needs it; name the database file"):
        source(folder, type="sqlite", facts="SELECT 1")

"""Facts from files: what DuckDB is asked, what it may see, and what it says of broken files."""

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from daemon.notify.base import Failure
from handlers.reporting.base import Facts, SourceError
from tests.handlers.reporting.shops import source

DAY = date(2026, 11, 21)
SECRET = "a-line-of-the-secret-file"
Ask = Callable[[str], "Facts"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A config's folder with data in it, and a secret outside it."""
    made = tmp_path / "it's ours, all"
    (made / "data").mkdir(parents=True)
    (made / "data" / "good.csv").write_text("company,n\nacme,1\nzoo,2\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret.csv").write_text(f"company,n\nacme,{SECRET}\n")
    (made / "data" / "link.csv").symlink_to(tmp_path / "out" / "secret.csv")
    (made / "data" / "door").symlink_to(tmp_path / "out")
    return made


async def asked(folder: Path, facts: str, **more: object) -> Facts:
    """The facts of acme by this question."""
    opened = source(folder, type="files", facts=facts, **more)
    try:
        return (await opened.facts(DAY, ["acme"]))["acme"]
    finally:
        await opened.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT company, n FROM read_csv('data/good.csv')",
        "SELECT company, n FROM 'data/good.csv'",
        "select company, n\nfrom  -- a 'comment'\n  read_csv_auto( 'data/goo*.csv' , header = true)",
        "FROM read_csv(['data/good.csv'], delim = ',')",
        "WITH a AS (FROM 'data/good.csv') SELECT company, n FROM a",
        "SELECT company, n FROM read_csv('data/' || 'good.csv')",
        "SELECT company, n FROM read_csv('data/good.csv') WHERE company <> 'data/good.csv'",
    ],
    ids=["function", "name", "pattern", "list", "with", "joined", "text"],
)
async def test_names_of_files_start_at_the_folder_of_the_config_wherever_the_daemon_is(
    folder: Path, sql: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "data").mkdir(parents=True)
    (tmp_path / "elsewhere" / "data" / "good.csv").write_text("company,n\nacme,99\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (await asked(folder, sql)).values == {"n": 1}


ATTACKS = {
    "absolute": "SELECT 'acme' AS company, * FROM read_csv('/etc/passwd')",
    "upwards": "SELECT * FROM read_csv('data/../../out/secret.csv')",
    "link to a file": "SELECT * FROM read_csv('data/link.csv')",
    "link to a folder": "SELECT * FROM read_csv('data/door/secret.csv')",
    "link and pattern": "SELECT * FROM read_csv('data/door/*.csv')",
    "every file": "SELECT * FROM read_csv('data/*.csv', union_by_name = true)",
    "file address": "SELECT 'acme' AS company, * FROM read_text('file:///etc/passwd')",
    "environment": "SELECT 'acme' AS company, content FROM read_text('/proc/self/environ')",
    "blob": "SELECT 'acme' AS company, content FROM read_blob('data/door/secret.csv')",
    "list of files": "SELECT 'acme' AS company, file FROM glob('/etc/*')",
    "sniffing": "SELECT 'acme' AS company, * FROM sniff_csv('/etc/passwd')",
    "home": "SELECT * FROM read_csv('~/.bashrc')",
    "network": "SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')",
    "getenv": "SELECT 'acme' AS company, getenv('HOME') AS home",
    "variable of Python": "SELECT 'acme' AS company, * FROM SECRET",
    "copy": "COPY (SELECT 1) TO 'data/new.csv'",
    "copy in two": "SELECT 'acme' AS company; COPY (SELECT 1) TO 'data/new.csv'",
    "attach": "ATTACH 'data/new.db'",
    "export": "EXPORT DATABASE 'data/new'",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "setting": "SET enable_external_access = true",
    "pragma": "PRAGMA enable_profiling = 'json'",
    "create": "CREATE TABLE x AS SELECT 1",
    "logging": "SELECT 'acme' AS company, * FROM enable_logging(storage = 'file', storage_path = 'data/new')",
    "logging, quoted": "SELECT 'acme' AS company, * FROM \"enable_logging\" (storage = 'file')",
    "query in text": "SELECT 'acme' AS company, * FROM query('FROM enable_' || 'logging()')",
    "call": "CALL enable_logging(storage = 'file', storage_path = 'data/new')",
    "explain": "EXPLAIN ANALYZE SELECT 1",
    "import": "SELECT 'acme' AS company; PRAGMA import_database('data')",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_question_sees_nothing_outside_and_changes_nothing_inside(
    folder: Path, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    sql = ATTACKS[attack].replace(
        "storage_path = 'data", f"storage_path = '{str(folder).replace(chr(39), chr(39) * 2)}/data"
    )
    with pytest.raises((SourceError, ValueError), match=r"^(reports\.)?source\.facts: ") as caught:
        await asked(folder, sql)
    assert SECRET not in str(caught.value)
    assert "root:" not in str(caught.value)
    assert sorted(path.name for path in folder.rglob("*")) == before


async def test_only_the_named_folders_are_read(folder: Path) -> None:
    (folder / "config.json").write_text('{"company": "acme"}')
    with pytest.raises(SourceError, match=r"source\.folders and nothing else"):
        await asked(folder, "SELECT company FROM read_json('config.json')", folders=("data",))
    assert (await asked(folder, "FROM 'data/good.csv'", folders=("data",))).values == {"n": 1}


def test_a_folder_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r'source\.folders: "nowhere" is no folder in .*; make it'):
        source(folder, type="files", facts="SELECT 1 AS company", folders=("nowhere",))


@pytest.mark.parametrize("name", ["none.csv", "none*.csv", "none.csv.gz", "none.parquet"])
async def test_a_missing_file_is_an_honest_line(folder: Path, name: str) -> None:
    facts = await asked(folder, f"SELECT company, n FROM 'data/{name}'")
    assert facts.values == {}
    assert facts.problem == f'There are no figures for 2026-11-21: there is no file "data/{name}".'


@pytest.mark.parametrize("name", ["empty.csv", "empty.csv.gz", "empty.json", "empty.parquet"])
async def test_an_empty_file_is_an_honest_line(folder: Path, name: str) -> None:
    (folder / "data" / name).touch()
    facts = await asked(folder, f"SELECT company, n FROM 'data/{name}'")
    assert facts.values == {}
    assert facts.problem == f'There are no figures for 2026-11-21: the file "data/{name}" is empty.'


async def test_a_file_of_a_heading_alone_gives_no_row(folder: Path) -> None:
    (folder / "data" / "heading.csv").write_text("company,n\n")
    facts = await asked(folder, "SELECT company, n FROM 'data/heading.csv'")
    assert facts.problem == "There are no figures for 2026-11-21: source.facts gives no row for acme."


async def test_a_missing_file_of_a_table_leaves_the_figures(folder: Path) -> None:
    tables = {"Routes": "SELECT company, route FROM 'data/routes.csv'"}
    facts = await asked(folder, "FROM 'data/good.csv'", tables=tables)
    assert facts.values == {"n": 1}
    assert facts.tables == {}
    assert facts.problem == 'There is no table "Routes" for 2026-11-21: there is no file "data/routes.csv".'


async def test_a_broken_line_is_named_with_its_file(folder: Path) -> None:
    (folder / "data" / "broken.csv").write_text("company,n\nacme,1\nzoo,many\n")
    sql = "FROM read_csv('data/broken.csv', columns = {'company': 'VARCHAR', 'n': 'INT'})"
    with pytest.raises(SourceError) as caught:
        await asked(folder, sql)
    assert "data/broken.csv" in str(caught.value)
    assert "Line: 3" in str(caught.value)
    assert str(folder) not in str(caught.value)
    assert caught.value.failure is Failure.PERMANENT


@pytest.mark.parametrize("kind", ["json", "parquet"])
async def test_a_file_of_another_kind_is_named(folder: Path, kind: str) -> None:
    (folder / "data" / f"wrong.{kind}").write_text("this is neither\n")
    with pytest.raises(SourceError, match=rf"^source\.facts: .*data/wrong\.{kind}"):
        await asked(folder, f"SELECT company FROM 'data/wrong.{kind}'")


async def test_a_missing_column_is_named(folder: Path) -> None:
    with pytest.raises(SourceError, match=r'^source\.facts: .*"profit" not found.*correct the query'):
        await asked(folder, "SELECT company, profit FROM 'data/good.csv'")


async def test_values_of_every_type_become_plain(folder: Path) -> None:
    sql = (
        "SELECT 'acme' AS company, 12::DECIMAL(10, 2) AS whole, 12.50::DECIMAL(10, 2) AS price, "
        "'nan'::DOUBLE AS nan, 'inf'::DOUBLE AS inf, NULL AS nothing, -0.0::DOUBLE AS zero, "
        "170141183460469231731687303715884105727::HUGEINT AS huge, $date AS day, "
        "TIMESTAMP '2026-11-21 05:00:00' AS at, TIMESTAMPTZ '2026-11-21 05:00:00+02' AS instant, "
        "INTERVAL 90 SECOND AS took, [1, NULL] AS list, {'a': 1.5} AS struct, 'x'::BLOB AS raw, true AS yes"
    )
    assert (await asked(folder, sql)).values == {
        "whole": 12,
        "price": 12.5,
        "nan": None,
        "inf": None,
        "nothing": None,
        "zero": 0.0,
        "huge": "170141183460469231731687303715884105727",
        "day": "2026-11-21",
        "at": "2026-11-21T05:00:00",
        "instant": "2026-11-21T03:00:00Z",
        "took": 90.0,
        "list": (1, None),
        "struct": {"a": 1.5},
        "raw": "78",
        "yes": True,
    }


async def test_a_parquet_file_is_read(folder: Path) -> None:
    path = str(folder / "data" / "good.parquet").replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'acme' AS company, 5 AS n) TO '{path}'")
    assert (await asked(folder, "SELECT company, n FROM 'data/good.parquet'")).values == {"n": 5}


async def test_more_memory_than_allowed_is_an_error_that_says_so(folder: Path) -> None:
    sql = "SELECT 'acme' AS company, count(*) AS n FROM (SELECT DISTINCT i, uuid() FROM range(50000000) r(i))"
    with pytest.raises(SourceError, match="takes more than 512MB of memory"):
        await asked(folder, sql)


@pytest.mark.parametrize("sql", ["SELECT $day AS company", "SELECT $company AS company, $companies AS all"])
def test_parameters_that_cannot_be_are_refused_at_once(folder: Path, sql: str) -> None:
    with pytest.raises(
        ValueError, match=r"^reports\.source\.facts: \$(day is no parameter|company asks for one)"
    ):
        source(folder, type="files", facts=sql)


def test_the_folder_of_these_tests_is_hostile_to_quoting(folder: Path) -> None:
    assert {"'", ",", " "} <= set(folder.name)
    assert (folder / "data" / "link.csv").is_symlink()


def test_without_duckdb_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ValueError, match=r'needs DuckDB, .*; install "nightdesk\[duckdb\]"'):
        source(folder, type="files", facts="SELECT 1 AS company")

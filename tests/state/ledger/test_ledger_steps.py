"""The numbered steps of the ledger's tables: taken once, never changed, never taken back."""

import sqlite3
from pathlib import Path

import pytest

from state.home import Home
from state.ledger.choice import make_ledger
from state.ledger.errors import LedgerError, LedgerTooNew
from state.ledger.migrating import Step, Taken, statements, steps_for, steps_to_take
from state.ledger.records import Company, Obligation, Plan, Send
from state.ledger.script import columns_of
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import NOW

ONE, TWO = Step(1, "0001_first.sql", "CREATE TABLE a (b);"), Step(2, "0002_more.sql", "CREATE TABLE c (d);")


def taken(*steps: Step) -> dict[int, Taken]:
    return {step.number: Taken(step.name, step.checksum) for step in steps}


def test_only_what_was_not_taken_is_to_be_taken() -> None:
    assert steps_to_take([ONE, TWO], {}) == [ONE, TWO]
    assert steps_to_take([ONE, TWO], taken(ONE)) == [TWO]
    assert steps_to_take([ONE, TWO], taken(ONE, TWO)) == []


def test_a_step_that_says_something_else_now_is_named() -> None:
    with pytest.raises(LedgerError, match=r"0001_first\.sql is not what the ledger was made by"):
        steps_to_take([ONE._replace(sql="CREATE TABLE x (y);"), TWO], taken(ONE))


def test_an_older_version_keeps_its_hands_off() -> None:
    with pytest.raises(LedgerTooNew, match=r"newer nightdesk \(0002_more\.sql\); install that version again"):
        steps_to_take([ONE], taken(ONE, TWO))


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_the_steps_of_both_databases_are_numbered_without_a_gap(dialect: str) -> None:
    assert [step.number for step in steps_for(dialect)] == list(range(1, len(steps_for("sqlite")) + 1))


def test_a_step_is_cut_into_its_statements() -> None:
    sql = "-- one; two\nCREATE TABLE a (b);\nINSERT INTO a\nVALUES (';');\n"
    assert list(statements(sql)) == ["-- one; two\nCREATE TABLE a (b);\n", "INSERT INTO a\nVALUES (';');\n"]


async def test_a_ledger_of_a_newer_version_is_not_opened_and_not_changed(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    await ledger.open(NOW)
    await ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("INSERT INTO migration VALUES (9, '0009_later.sql', 'x', '')")
    connection.close()
    (tmp_path / "ledger.db.sha256").unlink()
    before = (tmp_path / "ledger.db").read_bytes()
    for _ in range(2):
        with pytest.raises(LedgerTooNew, match=r"0009_later\.sql"):
            await ledger.open(NOW)
    assert (tmp_path / "ledger.db").read_bytes() == before


@pytest.mark.parametrize(
    ("record", "table"),
    [(Company, "company"), (Obligation, "obligation"), (Send, "send"), (Plan, "plan")],
    ids=["company", "obligation", "send", "plan"],
)
def test_each_field_of_a_record_is_a_column(record: type, table: str) -> None:
    connection = sqlite3.connect(":memory:")
    for step in steps_for("sqlite"):
        connection.executescript(step.sql)
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    connection.close()
    assert {name for name, _ in columns_of(record)} <= columns


@pytest.mark.parametrize(
    ("url", "name"), [("sqlite", "sqlite"), ("", "sqlite"), ("postgresql://u:hush@h/d", "postgres")],
    ids=["sqlite", "nothing", "postgres"],
)  # fmt: skip
def test_an_address_names_its_ledger(url: str, name: str, tmp_path: Path) -> None:
    assert make_ledger(url, Home(tmp_path, tmp_path)).name == name


def test_an_address_that_names_no_ledger_is_refused_without_being_repeated(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="neither") as caught:
        make_ledger("mysql://u:hush@h/d", Home(tmp_path, tmp_path))
    assert "hush" not in str(caught.value)

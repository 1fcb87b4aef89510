"""The embedded ledger looked at while nobody has it open."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from state.ledger.at_rest import LedgerAtRest
from state.ledger.errors import LedgerDamaged, LedgerError, LedgerReadOnly
from state.ledger.records import Status
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import NOW, TODAY, key, owed


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger(path, tmp_path)
    await ledger.open(NOW)
    await ledger.plan([owed("acme"), owed("blue")], NOW)
    await ledger.close()
    return path


async def test_it_is_read_and_left_as_it_lies_there(path: Path, tmp_path: Path) -> None:
    before = {it.name: it.read_bytes() for it in tmp_path.iterdir()}
    rows = [one.company_id async for page in LedgerAtRest(path).rows_of(TODAY) for one in page]
    assert rows == ["acme", "blue"]
    assert {it.name: it.read_bytes() for it in tmp_path.iterdir()} == before


async def test_a_file_that_somebody_changed_is_read_though_it_would_not_be_opened(
    path: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE obligation SET status = 'delivered' WHERE company_id = 'blue'")
    with pytest.raises(LedgerDamaged):
        await SqliteLedger(path, tmp_path).open(NOW)
    found = await LedgerAtRest(path).obligation(key("blue"))
    assert found is not None
    assert found.status is Status.DELIVERED


async def test_nothing_is_written_to_it(path: Path) -> None:
    with pytest.raises(LedgerReadOnly):
        await LedgerAtRest(path).plan([owed("calm")], NOW)


async def test_a_file_that_is_none_is_an_error_of_the_ledger(path: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        await LedgerAtRest(tmp_path / "absent.db").obligation(key("acme"))
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError):
        await LedgerAtRest(path).obligation(key("acme"))

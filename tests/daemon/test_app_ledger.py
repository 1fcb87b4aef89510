"""The ledger of a house: opened with it, backed up with it, and never silently lost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.config.reporting import ReportsSection
from daemon.upkeep.keeper import Keeper
from state.ledger.keeping import ledger_backups
from state.recovery import StateUnreadable
from tests.house import House


@pytest.fixture
def desk(house: House) -> House:
    house.config = replace(house.config, reports=ReportsSection())
    return house


async def test_without_reports_there_is_no_ledger(house: House) -> None:
    await house.open()
    assert house.app.ledger is None
    assert not house.home.ledger.exists()


async def test_with_reports_it_is_opened_and_handed_to_handlers(desk: House) -> None:
    await desk.open()
    assert desk.app.ledger is desk.app._services.ledger is not None
    await desk.app.ledger.probe(desk.clock.now())
    assert desk.home.ledger.exists()


def keeper(house: House) -> Keeper:
    [made] = [part for part in house.app.parts if isinstance(part, Keeper)]
    return made


async def test_it_is_backed_up_with_the_database(desk: House) -> None:
    await desk.open()
    for _ in range(5):
        await keeper(desk).step()
        await desk.clock.advance(hours=1)
    assert len(ledger_backups(desk.home.backups)) == 3


async def test_a_damaged_one_comes_back_from_its_backup_and_somebody_hears(desk: House) -> None:
    await desk.open()
    await keeper(desk).step()
    await desk.close()
    desk.home.ledger.write_bytes(b"not a ledger" * 1000)
    await desk.open()
    [told] = [it for it in desk.app.alerts.known() if it.name == "ledger.restored"]
    assert told.details["problems"]
    assert desk.app.ledger is not None
    await desk.app.ledger.probe(desk.clock.now() + timedelta(seconds=1))


async def test_a_damaged_one_without_a_backup_is_refused_and_kept(desk: House) -> None:
    await desk.open()
    await desk.close()
    desk.home.ledger.write_bytes(b"not a ledger" * 1000)
    with pytest.raises(StateUnreadable, match=r"ledger\.db"):
        await desk.open()
    assert any(b"not a ledger" in path.read_bytes() for path in desk.home.folder.glob("ledger.db*"))

"""The attic: what the ledger has kept for 400 days goes, date by date, and nothing younger."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.reports.certificates import certificate_file
from daemon.upkeep.attic import BREATH, CLEAR_EVERY, RETRY, Attic
from state.ledger.errors import LedgerDown
from tests.contracts.ledgers import DAY, TODAY, owed
from tests.daemon.reports.owing import Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    days = [owed("acme", TODAY - n * DAY) for n in (402, 401, 400, 1)]
    await made.ledger.plan(days, made.now - 410 * DAY)
    yield made
    await made.house.close()


def attic(office: Office) -> Attic:
    [made] = [part for part in office.app.parts if isinstance(part, Attic)]
    return made


async def left(office: Office) -> list[int]:
    days = await office.ledger.counts(TODAY - 500 * DAY, TODAY)
    return sorted((TODAY - day).days for day in days)


async def cleared(office: Office) -> list[timedelta]:
    """Step it until it has nothing to do; how long it wanted to wait each time."""
    waits: list[timedelta] = []
    while BREATH in (waits or [BREATH])[-1:]:
        waits.append(await attic(office).step() - office.now)
    return waits


async def test_what_is_older_than_400_days_goes_a_date_at_a_time(office: Office) -> None:
    assert await cleared(office) == [BREATH, BREATH, CLEAR_EVERY]
    assert await left(office) == [1, 400]
    assert certificate_file(office.house.home, TODAY - 402 * DAY).exists()


async def test_a_longer_history_keeps_it_longer_and_a_shorter_one_no_shorter(office: Office) -> None:
    office.house.limit(history_days=401)
    office.app.config = office.house.config
    await cleared(office)
    assert await left(office) == [1, 400, 401]
    office.house.limit(history_days=30)
    office.app.config = office.house.config
    await cleared(office)
    assert await left(office) == [1, 400]


async def test_an_old_date_that_somebody_has_asked_for_since_stays_as_long_as_a_new_one(
    office: Office,
) -> None:
    await office.ledger.plan([owed("blue", TODAY - 402 * DAY)], office.now)
    await cleared(office)
    assert await left(office) == [1, 400, 402]
    await office.house.clock.advance(days=399)
    await cleared(office)
    assert 402 in await left(office)
    await office.house.clock.advance(days=2)
    await cleared(office)
    assert 402 not in await left(office)


async def test_what_cannot_be_sealed_stays(office: Office) -> None:
    folder = certificate_file(office.house.home, TODAY).parent
    folder.write_text("in the way")
    assert await cleared(office) == [RETRY]
    assert await left(office) == [1, 400, 401, 402]


async def test_a_ledger_that_is_away_is_asked_later(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object) -> None:
        raise LedgerDown("the ledger is away")

    monkeypatch.setattr(office.ledger, "oldest_unchanged", down)
    assert await cleared(office) == [RETRY]


async def test_without_reports_there_is_none(tmp_path: Path) -> None:
    office = Office(tmp_path / "another")
    office.house.config = replace(office.house.config, reports=None)
    await office.open()
    assert not [part for part in office.app.parts if isinstance(part, Attic)]
    await office.house.close()

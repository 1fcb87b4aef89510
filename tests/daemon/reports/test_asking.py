"""Reports of days before a company was on the roster: owed because a person asks, and not otherwise."""

from collections.abc import AsyncIterator
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from daemon.reports.asking import count_asked, plan_asked
from daemon.reports.calendar import Timing
from state.ledger.base import Ledger
from state.ledger.records import Status
from state.ledger.sqlite import SqliteLedger
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, company, key

TIMING = Timing(time(5), time(7), "UTC")
LONG_AGO = date(2013, 1, 9)  # a Wednesday


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = SqliteLedger(tmp_path / "ledger.db", tmp_path)
    await ledger.open(NOW)
    given = [company("a"), company("b", weekdays=(1,)), company("c", active=False), company("d")]
    await ledger.import_companies([given], import_id="i", now=NOW, on=TODAY, source="x")
    yield ledger
    await ledger.close()


async def test_a_day_of_the_past_is_due_at_once_and_has_as_long_as_any(ledger: Ledger) -> None:
    assert await plan_asked(ledger, [LONG_AGO], None, TIMING, NOW) == 2
    found = await ledger.obligations(LONG_AGO)
    assert [it.company_id for it in found] == ["a", "d"]
    assert {(it.status, it.due_at, it.deadline_at) for it in found} == {
        (Status.PLANNED, NOW, NOW + timedelta(hours=2))
    }
    assert await plan_asked(ledger, [LONG_AGO], None, TIMING, NOW + DAY) == 0


async def test_it_is_of_the_companies_that_were_named_and_of_no_day_they_were_there(ledger: Ledger) -> None:
    dates = [LONG_AGO, LONG_AGO + DAY, LONG_AGO + 2 * DAY, TODAY]
    assert await plan_asked(ledger, dates, ["a", "nobody"], TIMING, NOW) == 3
    assert await ledger.obligation(key("a", TODAY)) is None


async def test_what_would_be_written_is_counted_without_writing_it(ledger: Ledger) -> None:
    assert await count_asked(ledger, LONG_AGO, None, TIMING, NOW) == 2
    assert await count_asked(ledger, LONG_AGO, ["d"], TIMING, NOW) == 1
    assert await count_asked(ledger, TODAY, None, TIMING, NOW) == 0
    assert await ledger.obligations(LONG_AGO) == []
    await plan_asked(ledger, [LONG_AGO], ["d"], TIMING, NOW)
    assert await count_asked(ledger, LONG_AGO, None, TIMING, NOW) == 1
    assert await count_asked(ledger, LONG_AGO, ["d"], TIMING, NOW) == 0


async def test_what_was_asked_for_is_not_superseded_by_a_newer_day(ledger: Ledger) -> None:
    await plan_asked(ledger, [LONG_AGO, LONG_AGO + DAY], ["a"], TIMING, NOW)
    assert await ledger.supersede_older(NOW) == 0
    assert len(await ledger.claim("me", NOW, LEASE, 10)) == 2

"""Who has no obligation and should: found and planned as the planner would have."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.reports.calendar import timing_of
from daemon.reports.unplanned import plan_missing
from state.ledger.records import Obligation
from tests.contracts.ledgers import DAY, company
from tests.daemon.reports.owing import TODAY, Office, companies


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    yield made
    await made.house.close()


async def planned(office: Office, **about: object) -> list[Obligation]:
    timing = timing_of(office.house.config)
    return await plan_missing(office.ledger, TODAY, timing, office.now, since=office.now - DAY, **about)  # type: ignore[arg-type]


async def test_only_those_are_planned_who_are_not(office: Office) -> None:
    await office.roster(*companies("a", "b", "c"))
    await office.plan("b")
    assert [it.company_id for it in await planned(office)] == ["a", "c"]
    assert await planned(office) == []


async def test_who_is_excused_is_planned_so_and_not_counted(office: Office) -> None:
    await office.roster(company("a", channel="log"), company("b", channel="log"))
    await office.ledger.pause("b", TODAY + DAY, "moving")
    assert [it.company_id for it in await planned(office)] == ["a"]
    assert await office.standing() == {"a": "planned", "b": "excused"}


async def test_who_joined_after_the_deadline_is_owed_nothing_for_that_day(office: Office) -> None:
    await office.house.clock.advance(hours=3)
    await office.roster(*companies("late"), ago=timedelta(0))
    assert await planned(office) == []
    assert await office.standing() == {"late": "excused"}


async def test_it_can_be_asked_for_some_only_and_for_a_few_at_a_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.reports.unplanned.PAGE", 2)
    await office.roster(*companies("a", "b", "c", "d", "e"))
    assert [it.company_id for it in await planned(office, company_ids=["d"])] == ["d"]
    assert [it.company_id for it in await planned(office, most=1)] == ["a", "b"]
    assert [it.company_id for it in await planned(office)] == ["c", "e"]


async def test_a_roster_that_was_changed_after_the_last_pass_makes_no_report_of_the_past(
    office: Office,
) -> None:
    await office.roster(*companies("a"))
    await office.house.clock.advance(hours=3)
    assert await office.ledger.missing(TODAY) == ["a"]
    office_since = office.now - 20 * DAY  # before the import: nobody has looked since
    timing = timing_of(office.house.config)
    found = await plan_missing(office.ledger, TODAY - 9 * DAY, timing, office.now, since=office_since)
    assert [it.company_id for it in found] == ["a"]
    await office.ledger.import_companies(
        [companies("a", "b")], import_id="b", now=office.now, on=TODAY - 9 * DAY, source="test"
    )
    assert await planned(office) == []
    assert set((await office.standing()).values()) == {"excused"}

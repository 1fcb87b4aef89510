"""Reports that somebody wants to be owed."""

from collections.abc import AsyncIterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.reports import ensuring
from daemon.reports.calendar import Timing
from daemon.reports.ensuring import Ensured, companies_of, ensure
from state.ledger.base import Ledger
from state.ledger.records import Release, Status
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, company, key, making, owed

TIMING = Timing(due=time(5), deadline=time(7), zone="UTC")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    made = making("sqlite", tmp_path, lambda: pytest.fail("no server is needed"))()
    await made.open(NOW)
    companies = [company(f"c{number:03}") for number in range(30)]
    companies.append(company("idle", weekdays=(1,)))  # TODAY is a Saturday
    await made.import_companies(
        [companies], import_id="i", now=NOW - 9 * DAY, on=TODAY - 9 * DAY, source="test"
    )
    yield made
    await made.close()


async def test_whatever_is_missing_is_planned_once(ledger: Ledger) -> None:
    await ledger.plan([owed("c001")], NOW)
    first = await ensure(ledger, [TODAY, TODAY - DAY], timing=TIMING, now=NOW, since=NOW - DAY)
    missing = 2 * 30 - 1
    assert first.planned == missing
    assert await ensure(ledger, [TODAY, TODAY - DAY], timing=TIMING, now=NOW, since=NOW - DAY) == Ensured()
    assert await ledger.count_missing(TODAY) == 0


async def test_who_joined_after_the_deadline_of_a_day_is_owed_nothing_for_it_by_any_way_of_planning(
    ledger: Ledger,
) -> None:
    noon = NOW + timedelta(hours=7)
    roster = [company(f"c{number:03}") for number in range(30)] + [company("late")]
    await ledger.import_companies([roster], import_id="j", now=noon, on=TODAY, source="test")
    made = await ensure(ledger, [TODAY], ["late"], timing=TIMING, now=noon, since=noon)
    assert made == Ensured()
    one = await ledger.obligation(key("late"))
    assert one is not None
    assert (one.status, one.reason) == (
        Status.EXCUSED,
        "joined at 2026-11-21 12:00 UTC, after the deadline of that day",
    )


async def test_only_those_named_are_planned(ledger: Ledger) -> None:
    assert await ensure(
        ledger, [TODAY], ["c003", "nobody"], timing=TIMING, now=NOW, since=NOW - DAY
    ) == Ensured(planned=1)
    one = await ledger.obligation(key("c003"))
    assert one is not None
    assert (one.due_at, one.deadline_at) == (NOW, NOW + timedelta(hours=2))


async def test_what_failed_is_owed_again_and_what_arrived_or_is_unknown_is_not(ledger: Ledger) -> None:
    await ledger.plan([owed("c001")], NOW)
    [one] = await ledger.claim("me", NOW, LEASE, 10)
    given_up = Release(company_id="c001", date=TODAY, epoch=one.epoch, at=NOW, error="no")
    await ledger.release("me", [given_up])
    assert await ensure(ledger, [TODAY], ["c001"], timing=TIMING, now=NOW, since=NOW - DAY) == Ensured(
        reopened=1
    )
    assert await ensure(ledger, [TODAY], ["c001"], timing=TIMING, now=NOW, since=NOW - DAY) == Ensured()
    again = await ledger.obligation(key("c001"))
    assert again is not None
    assert again.status is Status.DUE


async def test_days_before_a_company_was_there_are_planned_only_where_a_person_asks(ledger: Ledger) -> None:
    long_ago = TODAY - 4000 * DAY
    about: dict[str, Any] = {"timing": TIMING, "now": NOW, "since": NOW - DAY}
    assert await ensure(ledger, [long_ago], ["c001"], **about) == Ensured()
    assert await ensure(ledger, [long_ago], ["c001"], **about, is_asked=True) == Ensured(planned=1)


async def test_companies_are_found_wherever_they_lie(ledger: Ledger) -> None:
    wanted = {"c000", "c001", "c029", "idle"}
    assert set(await companies_of(ledger, wanted | {"nobody"})) == wanted
    assert await companies_of(ledger, ()) == {}


async def test_companies_far_apart_are_found_too(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensuring, "BESIDE", 0)
    assert set(await companies_of(ledger, {"c005", "c025"})) == {"c005", "c025"}

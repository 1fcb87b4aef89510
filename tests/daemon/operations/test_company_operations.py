"""The roster as operators change it: what follows at once for what is planned, and on whose word it was."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config.reporting import ReportsSection
from daemon.operations import Operations, Unfit, Unknown
from daemon.operations.companies import CompanyOperations
from daemon.reports.planner import Planner
from state.ledger.base import Ledger
from state.ledger.records import Key, Release, Status
from state.records import Severity
from tests.house import House

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)
TODAY = date(2026, 11, 21)
TOMORROW = TODAY + timedelta(days=1)
ROWS = [{"id": name, "timezone": "UTC", "channel": "log"} for name in ("a", "b", "c", "d", "e", "f")]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path, NOW)
    house.config = replace(house.config, folder=tmp_path, reports=ReportsSection())
    await house.open()
    yield house
    await house.close()


@pytest.fixture
def companies(house: House) -> CompanyOperations:
    return Operations(house.app).companies


@pytest.fixture
def ledger(house: House) -> Ledger:
    assert house.app.ledger is not None
    return house.app.ledger


async def take(companies: CompanyOperations, rows: list[dict[str, Any]], **about: bool) -> dict[str, Any]:
    return await companies.import_roster(
        io.BytesIO(json.dumps(rows).encode()), "roster.json", "anna", **about
    )


async def standing(ledger: Ledger, name: str) -> list[tuple[Status, str | None]]:
    found = [await ledger.obligation(Key(name, day)) for day in (TODAY, TOMORROW)]
    return [(it.status, it.reason) for it in found if it is not None]


PLANNED = (Status.PLANNED, None)


async def test_an_import_plans_at_once_and_is_in_the_audit(
    companies: CompanyOperations, ledger: Ledger
) -> None:
    done = await take(companies, ROWS)
    assert (done["applied"], done["added"], done["version"]) == (True, 6, 1)
    assert await standing(ledger, "a") == [PLANNED, PLANNED]
    gone = await take(companies, ROWS[1:])
    assert gone["departed"] == 1
    assert await standing(ledger, "a") == [(Status.EXCUSED, "left the roster on 2026-11-21")] * 2
    entries = [(it.actor, it.action, it.subject) for it in await ledger.audit()]
    assert entries == [("anna", "roster.imported", "roster.json")] * 2
    assert [it["id"] for it in await companies.listing("", 2)] == ["b", "c"]
    assert [it["id"] for it in await companies.listing("", 2, is_all=True)] == ["a", "b"]


async def test_an_import_after_days_without_a_daemon_excuses_nothing_that_was_owed(
    house: House, companies: CompanyOperations, ledger: Ledger
) -> None:
    await take(companies, ROWS)
    await house.clock.advance(days=3, hours=12)
    await take(companies, [{**it, "name": "New"} for it in ROWS])
    for n in range(5):
        one = await ledger.obligation(Key("a", TODAY + timedelta(days=n)))
        assert one is not None
        assert one.status is Status.PLANNED


async def test_what_was_alerted_is_over_once_a_good_roster_is_confirmed(
    house: House, companies: CompanyOperations
) -> None:
    for name in ("roster.shrunk", "roster.refused"):
        await house.app.alerts.fire(name, severity=Severity.ERROR, summary="x")
    await take(companies, ROWS, is_trial=True)
    assert len(house.alerts) == 2
    await take(companies, [*ROWS, {"id": "../x"}])
    assert house.alerts == ["roster.refused"]
    assert (await take(companies, ROWS[:2]))["applied"] is False
    await take(companies, ROWS[:2], is_confirmed=True)
    assert house.alerts == []


async def test_a_pause_excuses_what_is_planned_and_its_end_owes_it_again(
    companies: CompanyOperations, ledger: Ledger
) -> None:
    await take(companies, ROWS)
    paused = await companies.pause("a", TOMORROW.isoformat(), "moving", "anna")
    assert (paused["pausedUntil"], paused["pauseReason"]) == ("2026-11-22", "moving")
    assert await standing(ledger, "a") == [(Status.EXCUSED, "paused until 2026-11-22: moving"), PLANNED]
    await companies.resume("a", "anna")
    assert await standing(ledger, "a") == [PLANNED, PLANNED]
    actions = [(it.action, it.subject, it.reason) for it in await ledger.audit(limit=2)]
    assert sorted(actions) == [("company.paused", "a", "moving"), ("company.resumed", "a", None)]


async def test_a_pause_ends_what_would_be_tried_again_but_not_what_is_being_done(
    house: House, companies: CompanyOperations, ledger: Ledger
) -> None:
    await take(companies, ROWS)
    await house.clock.advance(hours=4)
    now = house.clock.now()
    held = {it.company_id: it for it in await ledger.claim("me", now, timedelta(minutes=1), 2)}
    again = Release(company_id="a", date=TODAY, epoch=held["a"].epoch, at=now, error="x", retry_at=now)
    await ledger.release("me", [again])
    for name in ("a", "b"):
        await companies.pause(name, "2026-12-01", "moving", "anna")
    assert (await standing(ledger, "a"))[0] == (Status.EXCUSED, "paused until 2026-12-01: moving")
    assert (await standing(ledger, "b"))[0] == (Status.LEASED, None)


@pytest.mark.parametrize(
    ("until", "said"),
    [("2026-11-21", "is not after today, which is 2026-11-21 in UTC"), ("tomorrow", '"tomorrow" is no date')],
)
async def test_a_pause_ends_on_a_date_that_is_ahead(
    companies: CompanyOperations, until: str, said: str
) -> None:
    await take(companies, ROWS)
    with pytest.raises(Unfit, match=said):
        await companies.pause("a", until, "moving", "anna")


async def test_who_is_not_on_the_roster_is_told_with_the_nearest(companies: CompanyOperations) -> None:
    await take(companies, [{"id": "acme", "timezone": "UTC", "channel": "log"}])
    with pytest.raises(Unknown, match='no company "acne"; did you mean "acme"'):
        await companies.resume("acne", "anna")


async def test_a_file_that_is_no_roster_is_refused_by_its_name(companies: CompanyOperations) -> None:
    with pytest.raises(Unfit, match=r"roster\.json: it is empty"):
        await companies.import_roster(io.BytesIO(b""), "roster.json", "anna")


async def test_an_import_that_moves_companies_gives_what_is_ahead_its_new_times_at_once(
    companies: CompanyOperations, ledger: Ledger, house: House
) -> None:
    await take(companies, ROWS)
    moved = [{**ROWS[0], "timezone": "America/New_York"}, {**ROWS[1], "deadline": "09:00"}, *ROWS[2:]]
    planner = next(it for it in house.app.parts if isinstance(it, Planner))
    planner.woken.clear()
    await take(companies, moved)
    found = {name: [await ledger.obligation(Key(name, day)) for day in (TODAY, TOMORROW)] for name in "abc"}
    due_at = {name: [it.due_at.isoformat()[8:16] for it in rows if it] for name, rows in found.items()}
    assert due_at == {
        "a": ["21T10:00", "22T10:00"],
        "b": ["21T05:00", "22T05:00"],
        "c": ["21T05:00", "22T05:00"],
    }
    assert [it.deadline_at.hour for it in found["b"] if it] == [9, 9]
    assert planner.woken.is_set()

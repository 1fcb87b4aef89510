"""Dates sealed for good when they have ended, and cleared away when they are old, on both ledgers."""

from collections.abc import AsyncIterator
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from daemon.reports.asking import plan_asked
from daemon.reports.calendar import Timing
from daemon.reports.certificates import KEPT, certificate_file, is_final, line_of, verify, write
from daemon.reports.closing import clear_oldest, seal_the_ended
from state.home import Home
from state.ledger import LEDGERS
from state.ledger.base import Ledger
from state.ledger.records import Obligation
from tests.contracts.ledgers import (
    DAY,
    LEASE,
    NOW,
    TODAY,
    Making,
    company,
    intent,
    key,
    making,
    outcome,
    owed,
    report,
)

MORNING = NOW + timedelta(hours=3)


@pytest.fixture
def home(home_folder: Path) -> Home:
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    return home


@pytest.fixture(params=sorted(LEDGERS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Making:
    return making(request.param, tmp_path, lambda: request.getfixturevalue("postgres"))


@pytest.fixture
async def ledger(place: Making) -> AsyncIterator[Ledger]:
    made = place()
    await made.open(NOW)
    yield made
    await made.close()


async def deliver(ledger: Ledger, *names: str) -> list[Obligation]:
    taken = await ledger.claim("me", MORNING, LEASE, 100, company_ids=names)
    await ledger.produced("me", [report(one) for one in taken])
    await ledger.intend_sends("me", [intent(one) for one in taken])
    await ledger.record_outcomes("me", [outcome(one) for one in taken])
    return taken


async def sound(ledger: Ledger, home: Home) -> bool:
    verdict = await verify(ledger, home, TODAY)
    assert verdict is not None
    return verdict.is_sound


async def test_a_date_that_was_open_in_the_morning_is_sealed_again_once_it_has_ended(
    ledger: Ledger, home: Home
) -> None:
    await ledger.plan([owed("acme"), owed("west")], NOW)
    await deliver(ledger, "acme")
    early = await write(ledger, home, TODAY, MORNING)
    assert not is_final(early)
    assert "(50 %) so far" in line_of(early)
    assert await seal_the_ended(ledger, home, TODAY + DAY, MORNING) == []
    await deliver(ledger, "west")
    assert not await sound(ledger, home)

    (late,) = await seal_the_ended(ledger, home, TODAY + DAY, MORNING + DAY)

    assert is_final(late)
    assert (late.date, late.previous_hash) == (TODAY, early.hash)
    assert line_of(late).startswith("2026-11-21: 2 of 2 (100 %), ")
    assert await sound(ledger, home)
    assert await seal_the_ended(ledger, home, TODAY + DAY, MORNING + DAY) == []


async def test_what_is_changed_after_the_end_is_not_sealed_by_itself(ledger: Ledger, home: Home) -> None:
    await ledger.plan([owed("acme"), owed("blue")], NOW)
    await deliver(ledger, "acme", "blue")
    assert is_final(await write(ledger, home, TODAY, MORNING))
    await ledger.force([key("blue")], "a-plan", MORNING, "again")
    await deliver(ledger, "blue")
    assert await seal_the_ended(ledger, home, TODAY + DAY, MORNING + DAY) == []
    assert not await sound(ledger, home)


async def test_a_date_whose_morning_there_was_no_daemon_is_sealed_by_the_next(
    ledger: Ledger, home: Home
) -> None:
    await ledger.plan([owed("acme"), owed("acme", TODAY - DAY)], NOW)
    await deliver(ledger, "acme")
    made = await seal_the_ended(ledger, home, TODAY + DAY, MORNING + DAY)
    assert [it.date for it in made] == [TODAY - DAY, TODAY]


async def test_a_date_of_which_somebody_has_no_obligation_has_not_ended(ledger: Ledger, home: Home) -> None:
    await ledger.import_companies(
        [[company("acme"), company("lost")]], import_id="i", now=NOW, on=TODAY, source="test"
    )
    await ledger.plan([owed("acme")], NOW)
    await deliver(ledger, "acme")
    assert not is_final(await write(ledger, home, TODAY, MORNING))
    assert await seal_the_ended(ledger, home, TODAY + DAY, MORNING + DAY) == []


async def test_old_dates_go_one_by_one_and_each_leaves_a_certificate_that_holds(
    ledger: Ledger, home: Home
) -> None:
    later = MORNING + KEPT + DAY
    await ledger.plan([owed("acme", TODAY - DAY), owed("acme"), owed("acme", TODAY + 9 * DAY)], NOW)
    await deliver(ledger, "acme")
    sealed = await write(ledger, home, TODAY, MORNING)

    assert await clear_oldest(ledger, home, KEPT, later) == TODAY - DAY
    assert await clear_oldest(ledger, home, KEPT, later) == TODAY
    assert await clear_oldest(ledger, home, KEPT, later) is None

    assert sorted(await ledger.counts(TODAY - DAY, TODAY + 9 * DAY)) == [TODAY + 9 * DAY]
    assert await ledger.sends_on(TODAY) == []
    assert await ledger.certificate(TODAY) == sealed
    assert certificate_file(home, TODAY - DAY).exists()
    for on in (TODAY - DAY, TODAY):
        verdict = await verify(ledger, home, on)
        assert verdict is not None
        assert (verdict.problems, verdict.is_cleared) == ([], True)


async def test_a_date_of_long_ago_that_was_asked_for_now_is_not_forgotten(ledger: Ledger, home: Home) -> None:
    long_ago = date(2013, 1, 15)
    roster = [company("acme"), company("blue")]
    await ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY, source="test")
    timing = Timing(time(5), time(7), "UTC")
    assert await plan_asked(ledger, [long_ago], None, timing, NOW) == 2
    await deliver(ledger, "acme", "blue")

    assert await clear_oldest(ledger, home, KEPT, MORNING) is None
    assert await plan_asked(ledger, [long_ago], None, timing, MORNING) == 0
    assert await ledger.claim("me", MORNING, LEASE, 100) == []

    assert await clear_oldest(ledger, home, KEPT, MORNING + KEPT + DAY) == long_ago
    verdict = await verify(ledger, home, long_ago)
    assert verdict is not None
    assert verdict.is_cleared


async def test_an_old_date_goes_though_an_older_one_is_still_wanted(ledger: Ledger, home: Home) -> None:
    later = MORNING + KEPT + DAY
    await ledger.plan([owed("acme"), owed("blue")], NOW)
    await ledger.plan([owed("acme", TODAY - DAY)], later)
    assert await clear_oldest(ledger, home, KEPT, later) == TODAY
    assert sorted(await ledger.counts(TODAY - DAY, TODAY)) == [TODAY - DAY]


async def test_rows_that_are_gone_before_their_time_are_missed(ledger: Ledger, home: Home) -> None:
    await ledger.plan([owed("acme")], NOW)
    await write(ledger, home, TODAY, MORNING)
    await ledger.prune(TODAY, MORNING)
    assert not await sound(ledger, home)
    await write(ledger, home, TODAY + DAY, MORNING + KEPT - DAY)
    assert not await sound(ledger, home)

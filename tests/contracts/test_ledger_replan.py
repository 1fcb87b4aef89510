"""What every ledger promises when the roster changes after a day was planned."""

from datetime import timedelta

from state.ledger.base import Ledger
from state.ledger.records import Obligation, Status
from state.records import replace
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, key, owed

TOMORROW = owed("a", TODAY + DAY)
PAUSED = replace(TOMORROW, status=Status.EXCUSED, reason="paused until 2026-12-01")


async def standing(ledger: Ledger) -> Obligation:
    found = await ledger.obligation(TOMORROW.key)
    assert found is not None
    return found


async def test_who_is_paused_is_owed_nothing_and_is_again_once_resumed(ledger: Ledger) -> None:
    await ledger.plan([TOMORROW], NOW)
    assert await ledger.replan([PAUSED], NOW) == 1
    assert (await standing(ledger)).reason == PAUSED.reason
    assert await ledger.claim("me", NOW + DAY, LEASE, 10) == []
    assert await ledger.replan([TOMORROW], NOW) == 1
    found = await standing(ledger)
    assert (found.status, found.reason) == (Status.PLANNED, None)
    assert [one.key for one in await ledger.claim("me", NOW + DAY, LEASE, 10)] == [TOMORROW.key]
    events = [(it.event, it.detail) for it in await ledger.events_of(TOMORROW.key)]
    assert ("obligation.excused", PAUSED.reason) in events
    assert ("obligation.replanned", "the roster has changed") in events


async def test_a_changed_time_is_taken_over_and_an_unchanged_one_is_no_change(ledger: Ledger) -> None:
    await ledger.plan([TOMORROW], NOW)
    later = replace(TOMORROW, due_at=TOMORROW.due_at + timedelta(hours=1))
    assert await ledger.replan([TOMORROW], NOW) == 0
    assert await ledger.replan([later], NOW) == 1
    assert await ledger.claim("me", TOMORROW.due_at, LEASE, 10) == []
    assert await ledger.replan([PAUSED], NOW) == 1
    assert await ledger.replan([replace(PAUSED, reason="another")], NOW) == 0


async def test_nothing_is_planned_anew_that_is_begun_or_past_its_deadline_or_not_there(
    ledger: Ledger,
) -> None:
    today = owed("a")
    await ledger.plan([today], NOW)
    assert await ledger.replan([owed("b")], NOW) == 0
    assert await ledger.obligation(key("b")) is None
    excused = replace(today, status=Status.EXCUSED, reason="paused")
    assert await ledger.replan([excused], today.deadline_at) == 0
    earlier = replace(today, due_at=NOW - DAY, deadline_at=NOW - timedelta(hours=1))
    assert await ledger.replan([earlier], NOW) == 0
    await ledger.claim("me", NOW, LEASE, 1)
    assert await ledger.replan([excused], NOW) == 0

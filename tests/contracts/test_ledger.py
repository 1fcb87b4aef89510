"""What every ledger promises of obligations, whatever database it is kept in."""

from datetime import timedelta

import pytest

from state.ledger.base import Ledger
from state.ledger.records import Held, Obligation, Release, Status
from state.records import DeliveryState, replace
from tests.contracts.ledgers import (
    DAY,
    LEASE,
    NOW,
    TODAY,
    held,
    intent,
    key,
    outcome,
    owed,
    report,
    sent,
    stable_id,
)

LATER = NOW + LEASE
RETRY_AT = NOW + timedelta(minutes=5)


def given_back(one: Obligation, **fields: object) -> Release:
    return Release(
        **{"company_id": one.company_id, "date": one.date, "epoch": one.epoch, "at": NOW, **fields}
    )  # type: ignore[arg-type]


async def status_of(ledger: Ledger, name: str) -> Status:
    found = await ledger.obligation(key(name))
    assert found is not None
    return found.status


async def test_what_is_planned_twice_is_there_once_and_as_it_was_first(ledger: Ledger) -> None:
    assert await ledger.plan([owed("a"), owed("b")], NOW) == 2
    assert await ledger.plan([owed("b", deadline_at=NOW), owed("c")], LATER) == 1
    found = await ledger.obligation(key("b"))
    assert found == owed("b", planned_at=NOW)


async def test_an_obligation_may_be_planned_as_excused_and_as_nothing_else(ledger: Ledger) -> None:
    await ledger.plan([owed("a", status=Status.EXCUSED, reason="paused")], NOW)
    assert await ledger.claim("w", NOW, LEASE, 10) == []
    with pytest.raises(ValueError, match="planned as delivered"):
        await ledger.plan([owed("b", status=Status.DELIVERED)], NOW)


async def test_a_record_comes_back_as_it_went_in(ledger: Ledger) -> None:
    odd = owed("a", reason="žluťoučký 'quoted' \"x\" \\ \n $1 ; --", roster_version=7, plan_id="p")
    await ledger.plan([odd], NOW)
    assert await ledger.obligation(key("a")) == replace(odd, planned_at=NOW)


async def test_nothing_is_handed_out_before_it_is_due(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW - DAY)
    early = NOW - timedelta(microseconds=1)
    assert await ledger.claim("w", early, LEASE, 10) == []
    assert await ledger.mark_due(early) == 0
    assert await ledger.mark_due(NOW) == 1
    assert await status_of(ledger, "a") is Status.DUE
    assert [one.company_id for one in await ledger.claim("w", NOW, LEASE, 10)] == ["a"]


async def test_the_earliest_deadline_is_handed_out_first(ledger: Ledger) -> None:
    hours = {"a": 3, "b": 1, "c": 2, "d": 1}
    await ledger.plan([owed(it, deadline_at=NOW + timedelta(hours=n)) for it, n in hours.items()], NOW)
    first, second = [await ledger.claim("w", NOW, LEASE, 2) for _ in range(2)]
    assert [one.company_id for one in (*first, *second)] == ["b", "d", "c", "a"]


async def test_a_claim_keeps_to_the_companies_dates_and_plan_it_is_told(ledger: Ledger) -> None:
    names = ["a", "b", "c"]
    await ledger.plan([owed(it, TODAY - DAY * back) for it in names for back in (0, 1)], NOW)
    assert await ledger.bind_plan("p", [TODAY], ["a", "b"]) == 2
    assert await ledger.claim("w", NOW, LEASE, 10, plan_id="other") == []
    by_plan = await ledger.claim("w", NOW, LEASE, 10, plan_id="p", company_ids=["b", "c"], dates=[TODAY])
    assert [one.key for one in by_plan] == [key("b")]
    assert await ledger.claim("w", NOW, LEASE, 10, company_ids=[]) == []
    by_name = await ledger.claim("w", NOW, LEASE, 10, company_ids=["c"])
    assert [one.key for one in by_name] == [key("c", TODAY - DAY), key("c")]


async def test_a_lease_that_ran_out_goes_to_the_next_with_a_higher_epoch(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (first,) = await ledger.claim("one", NOW, LEASE, 10)
    assert await ledger.claim("two", LATER - timedelta(seconds=1), LEASE, 10) == []
    (second,) = await ledger.claim("two", LATER, LEASE, 10)
    assert (first.epoch, second.epoch, second.attempts) == (1, 2, 2)
    assert second.first_attempt_ok is False
    assert "held by one" in [event.detail for event in await ledger.events_of(key("a"))]


async def test_a_renewed_lease_is_not_taken_and_a_lost_one_is_named(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    first, second = await ledger.claim("one", NOW, LEASE, 10)
    assert await ledger.renew("one", held([first]), NOW, LEASE * 2) == frozenset()
    (taken,) = await ledger.claim("two", LATER, LEASE, 10)
    assert taken.key == second.key
    lost = await ledger.renew("one", [*held([first, second]), Held("c", TODAY, 1)], LATER, LEASE)
    assert lost == {second.key, key("c")}


async def test_whoever_holds_an_older_lease_changes_nothing(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (old,) = await ledger.claim("one", NOW, LEASE, 10)
    await ledger.produced("one", [report(old)])
    (new,) = await ledger.claim("two", LATER, LEASE, 10)
    before = await ledger.obligation(key("a"))
    everything_refused = {key("a")}
    assert await ledger.produced("one", [report(old)]) == everything_refused
    assert await ledger.intend_sends("one", [intent(old)]) == everything_refused
    assert await ledger.record_outcomes("one", [outcome(old)]) == everything_refused
    assert await ledger.release("one", [given_back(old)]) == everything_refused
    assert await ledger.renew("one", held([old]), LATER, LEASE) == everything_refused
    assert await ledger.produced("one", [report(new)]) == everything_refused
    assert await ledger.obligation(key("a")) == before
    assert await ledger.sends_of(key("a")) == []


async def test_one_refused_does_not_hold_the_others_of_its_batch_back(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    a, b = await ledger.claim("w", NOW, LEASE, 10)
    assert await ledger.produced("w", [report(replace(a, epoch=9)), report(b)]) == {a.key}
    assert await ledger.intend_sends("w", [intent(a), intent(b)]) == {a.key}
    assert await ledger.record_outcomes("w", [outcome(a), outcome(b)]) == {a.key}
    assert [await status_of(ledger, it) for it in ("a", "b")] == [Status.LEASED, Status.DELIVERED]


async def test_a_delivery_is_recorded_with_its_proof_and_never_handed_out_again(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (one,) = await sent(ledger, "w")
    assert await ledger.record_outcomes("w", [outcome(one, proof="250 ok", at=LATER)]) == frozenset()
    found = await ledger.obligation(key("a"))
    assert found is not None
    assert (found.status, found.delivered_at, found.proof) == (Status.DELIVERED, LATER, "250 ok")
    assert (found.first_attempt_ok, found.channel, found.rung) == (True, "mail", "main")
    assert await ledger.claim("x", NOW + DAY * 9, LEASE, 10) == []
    assert await ledger.reopen([key("a")], NOW, "again") == frozenset()
    assert await ledger.intend_sends("w", [intent(one)]) == {key("a")}
    (send,) = await ledger.sends_of(key("a"))
    assert (send.state, send.attempts, send.ended_at, send.proof) == ("delivered", 1, LATER, "250 ok")
    assert await ledger.delivered_since(LATER) == 1


async def test_a_call_whose_answer_was_lost_may_be_repeated(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    both = await ledger.claim("w", NOW, LEASE, 10)
    a, b = both
    for _ in range(2):
        assert await ledger.produced("w", [report(one) for one in both]) == frozenset()
    for _ in range(2):
        assert await ledger.intend_sends("w", [intent(one) for one in both]) == frozenset()
    nowhere = outcome(b, DeliveryState.RETRYABLE, None, error="451")
    for _ in range(2):
        assert await ledger.record_outcomes("w", [outcome(a), nowhere]) == frozenset()
    for _ in range(2):
        assert await ledger.release("w", [given_back(b, retry_at=RETRY_AT, error="451")]) == frozenset()
    found = [await ledger.obligation(one.key) for one in both]
    assert [one and (one.status, one.attempts) for one in found] == [(Status.DELIVERED, 1), (Status.DUE, 1)]
    assert [send.attempts for one in both for send in await ledger.sends_of(one.key)] == [1, 1]
    assert [event.event for event in await ledger.events_of(key("b"))].count("attempt.failed") == 1


async def test_what_was_sent_by_somebody_who_went_away_is_unknown_and_not_handed_out(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    await sent(ledger, "one", limit=1)
    (other,) = await ledger.claim("two", LATER, LEASE, 10)
    assert other.company_id == "b"
    assert await status_of(ledger, "a") is Status.UNKNOWN
    (send,) = await ledger.sends_of(key("a"))
    assert (send.state, send.ended_at) == (DeliveryState.UNKNOWN, LATER)
    assert await ledger.claim("two", LATER + DAY, LEASE, 10, company_ids=["a"]) == []


async def test_an_answer_heard_late_still_counts_as_long_as_nobody_began_anew(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    a, b = await sent(ledger, "one")
    await ledger.claim("two", LATER, LEASE, 10)
    assert await ledger.record_outcomes("one", [outcome(a, at=LATER)]) == frozenset()
    assert await status_of(ledger, "a") is Status.DELIVERED
    assert await ledger.reopen([b.key], LATER, "looked into") == {b.key}
    (again,) = await ledger.claim("two", LATER, LEASE, 10)
    assert again.stable_id == stable_id(b)
    assert await ledger.record_outcomes("one", [outcome(b)]) == {b.key}
    assert await status_of(ledger, "b") is Status.LEASED


async def test_a_delivery_heard_of_after_it_was_reopened_keeps_it_from_going_out_again(
    ledger: Ledger,
) -> None:
    await ledger.plan([owed("a")], NOW)
    (one,) = await sent(ledger, "one")
    await ledger.claim("two", LATER, LEASE, 10)
    await ledger.reopen([one.key], LATER, "looked into")
    assert await ledger.record_outcomes("one", [outcome(one, at=LATER)]) == frozenset()
    assert await ledger.claim("two", LATER + DAY, LEASE, 10) == []


async def test_what_is_given_back_waits_for_its_time_or_has_failed(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b"), owed("c")], NOW)
    a, b, c = await ledger.claim("w", NOW, LEASE, 10)
    batch = [
        given_back(a, retry_at=RETRY_AT, error="no facts"), given_back(b, error="no such source"),
        given_back(c, retry_at=NOW, is_attempt=False),
    ]  # fmt: skip
    assert await ledger.release("w", batch) == frozenset()
    assert await status_of(ledger, "b") is Status.FAILED
    (c_again,) = await ledger.claim("w", NOW, LEASE, 10)
    assert (c_again.company_id, c_again.attempts, c_again.first_attempt_ok) == ("c", 1, None)
    assert await ledger.claim("w", RETRY_AT - timedelta(seconds=1), LEASE * 9, 10, company_ids=["a"]) == []
    (a_again,) = await ledger.claim("w", RETRY_AT, LEASE, 10, company_ids=["a"])
    assert (a_again.attempts, a_again.first_attempt_ok, a_again.error) == (2, False, "no facts")


async def test_what_may_have_left_is_not_given_back(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (one,) = await sent(ledger, "w")
    assert await ledger.release("w", [given_back(one, retry_at=RETRY_AT)]) == {one.key}
    lost = outcome(one, DeliveryState.UNKNOWN, Status.UNKNOWN, error="no answer")
    assert await ledger.record_outcomes("w", [lost]) == frozenset()
    assert await ledger.release("w", [given_back(one, retry_at=RETRY_AT)]) == {one.key}


async def test_a_channel_that_refused_is_followed_by_the_next_one(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (one,) = await sent(ledger, "w")
    await ledger.record_outcomes("w", [outcome(one, DeliveryState.FAILED, None, error="550")])
    assert await ledger.intend_sends("w", [intent(one, channel="hook")]) == frozenset()
    assert await ledger.record_outcomes("w", [outcome(one, channel="hook")]) == frozenset()
    assert [send.state for send in await ledger.sends_of(key("a"))] == ["delivered", "failed"]
    assert await status_of(ledger, "a") is Status.DELIVERED


async def test_nothing_is_sent_before_it_is_written_or_under_another_id(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (one,) = await ledger.claim("w", NOW, LEASE, 10)
    assert await ledger.intend_sends("w", [intent(one)]) == {one.key}
    await ledger.produced("w", [report(one)])
    assert await ledger.intend_sends("w", [replace(intent(one), stable_id="other")]) == {one.key}
    assert await ledger.sends_of(key("a")) == []

"""What every ledger promises of decisions, counts and proofs, whatever database it is kept in."""

import asyncio
from datetime import timedelta

import pytest

from state.ledger.base import Ledger
from state.ledger.errors import LedgerConflict
from state.ledger.records import (
    AuditEntry,
    Certificate,
    Event,
    Load,
    Plan,
    PlanState,
    Release,
    Status,
    Tally,
)
from state.records import DeliveryState, replace
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, intent, key, outcome, owed, report, sent

LATER = NOW + LEASE
LOST = (DeliveryState.UNKNOWN, Status.UNKNOWN)
PLAN = Plan(
    id="p1", reason="no reports today", owner="cli", dates=(TODAY,), scope=("b", "a"), created_at=NOW,
    starts_at=NOW + LEASE, delay_s=60.0,
)  # fmt: skip


async def status_of(ledger: Ledger, name: str, back: int = 0) -> Status:
    found = await ledger.obligation(key(name, TODAY - DAY * back))
    assert found is not None
    return found.status


async def test_what_is_excused_is_owed_no_longer_and_its_worker_is_refused(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    (a,) = await ledger.claim("w", NOW, LEASE, 1)
    asked = [key("a"), key("b"), key("nobody")]
    assert await ledger.excuse(asked, "left the roster", NOW) == {key("nobody")}
    assert await ledger.excuse([key("a")], "left the roster", NOW) == frozenset()
    assert await ledger.produced("w", [report(a)]) == {a.key}
    assert await ledger.claim("w", LATER, LEASE, 10) == []
    found = await ledger.obligation(key("b"))
    assert found is not None
    assert (found.status, found.reason) == (Status.EXCUSED, "left the roster")


async def test_what_has_left_cannot_be_excused(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    a, b = await sent(ledger, "w")
    await ledger.record_outcomes("w", [outcome(a)])
    assert await ledger.excuse([a.key, b.key], "too late", NOW) == {a.key, b.key}


async def test_of_several_days_missed_only_the_newest_is_still_owed(ledger: Ledger) -> None:
    await ledger.plan([owed("a", TODAY - DAY * back) for back in (-1, 0, 1, 2)], NOW)
    await ledger.plan([owed("b", TODAY - DAY)], NOW)
    assert await ledger.supersede_older(NOW) == 2
    assert await ledger.supersede_older(NOW) == 0
    assert [await status_of(ledger, "a", back) for back in (-1, 0, 1, 2)] == [
        Status.PLANNED, Status.PLANNED, Status.EXCUSED, Status.EXCUSED,
    ]  # fmt: skip
    older = await ledger.obligation(key("a", TODAY - DAY * 2))
    assert older is not None
    assert older.reason == f"superseded by {TODAY}"
    assert await status_of(ledger, "b", 1) is Status.PLANNED


async def test_a_person_settles_what_is_unknown_and_nothing_else(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b"), owed("c")], NOW)
    a, b, c = await sent(ledger, "w")
    await ledger.record_outcomes("w", [outcome(a, *LOST), outcome(b, *LOST), outcome(c)])
    settled = await ledger.resolve(a.key, "delivered", LATER, "ada")
    assert settled is not None
    assert (settled.status, settled.delivered_at) == (Status.DELIVERED, LATER)
    assert [send.state for send in await ledger.sends_of(a.key)] == [DeliveryState.DELIVERED]
    again = await ledger.resolve(b.key, "resend", LATER, "ada")
    assert again is not None
    assert again.status is Status.DUE
    assert await ledger.resolve(a.key, "resend", LATER, "ada") is None
    assert await ledger.resolve(c.key, "delivered", LATER, "ada") is None
    assert await ledger.resolve(key("nobody"), "delivered", LATER, "ada") is None
    with pytest.raises(ValueError, match="'never' is neither delivered nor resend"):
        await ledger.resolve(a.key, "never", LATER, "ada")


async def test_what_is_sent_again_keeps_its_id_and_counts_the_attempt(ledger: Ledger) -> None:
    await ledger.plan([owed("a")], NOW)
    (one,) = await sent(ledger, "w")
    await ledger.record_outcomes("w", [outcome(one, *LOST)])
    await ledger.reopen([one.key], LATER, "unknown for 15 min; its receiver knows the id")
    (again,) = await sent(ledger, "w", LATER)
    await ledger.record_outcomes("w", [outcome(again, status=Status.DELIVERED_LATE)])
    (send,) = await ledger.sends_of(one.key)
    assert (send.attempts, send.state, send.epoch) == (2, DeliveryState.DELIVERED, again.epoch)
    found = await ledger.obligation(one.key)
    assert found is not None
    assert (found.status, found.first_attempt_ok) == (Status.DELIVERED_LATE, False)


async def test_only_force_owes_again_what_was_delivered_and_under_a_new_id(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b")], NOW)
    (a,) = await sent(ledger, "w", limit=1)
    await ledger.record_outcomes("w", [outcome(a)])
    assert await ledger.force([key("a"), key("b")], "p", LATER, "by ada") == {key("a")}
    (again,) = await ledger.claim("w", LATER, LEASE, 10, plan_id="p")
    assert (again.company_id, again.stable_id, again.delivered_at) == ("a", None, None)
    await ledger.produced("w", [report(again)])
    assert await ledger.intend_sends("w", [intent(again)]) == {again.key}
    await ledger.produced("w", [replace(report(again), stable_id="a-2")])
    assert await ledger.intend_sends("w", [replace(intent(again), stable_id="a-2")]) == frozenset()


async def test_the_chain_behind_an_obligation_names_every_step_in_order(ledger: Ledger) -> None:
    await ledger.plan([owed("a", roster_version=3)], NOW - DAY)
    (one,) = await ledger.claim("w", NOW, LEASE, 1)
    failed = Release(company_id="a", date=TODAY, epoch=1, at=NOW, error="no facts", retry_at=NOW)
    await ledger.release("w", [failed])
    (one,) = await sent(ledger, "w", LATER)
    await ledger.record_outcomes("w", [outcome(one, at=LATER + LEASE, proof="250")])
    told = Event(company_id="a", date=TODAY, at=LATER + LEASE * 2, event="alert.told", detail="oncall")
    await ledger.add_events([told])
    chain = await ledger.events_of(key("a"))
    assert [event.event for event in chain] == [
        "obligation.planned", "attempt.failed", "lease.taken", "report.produced", "send.intended",
        "send.delivered", "alert.told",
    ]  # fmt: skip
    assert chain[0].detail == "roster 3, due 2026-11-21T05:00:00+00:00"
    assert chain[-1] == told
    assert await ledger.events_of(key("nobody")) == []


async def test_a_date_is_counted_paged_and_tallied(ledger: Ledger) -> None:
    names = ["a", "B", "c-1", "c_1", "d"]
    await ledger.plan([owed(name) for name in names], NOW)
    await ledger.plan([owed("a", TODAY - DAY)], NOW)
    (first,) = await sent(ledger, "w", limit=1)
    await ledger.record_outcomes("w", [outcome(first)])
    assert await ledger.counts(TODAY - DAY, TODAY) == {
        TODAY - DAY: {Status.DELIVERED: 1}, TODAY: {Status.PLANNED: 5},
    }  # fmt: skip
    pages = [await ledger.obligations(TODAY, after=after, limit=2) for after in ("", "a")]
    assert [[one.company_id for one in page] for page in pages] == [["B", "a"], ["c-1", "c_1"]]
    assert [one.company_id for page in [p async for p in ledger.rows_of(TODAY)] for one in page] == sorted(
        names
    )
    assert await ledger.obligations(TODAY, statuses=[Status.DELIVERED, Status.FAILED]) == []
    delivered = Tally(
        date=TODAY - DAY, status=Status.DELIVERED, rung="main", channel="mail", first_attempt_ok=True,
        error=None, count=1,
    )  # fmt: skip
    assert (await ledger.tallies(TODAY - DAY, TODAY))[0] == delivered
    assert [send.company_id for send in await ledger.sends_on(TODAY - DAY)] == ["a"]


async def test_a_tally_names_what_had_gone_wrong_before_a_delivery(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b"), owed("c")], NOW)
    taken = await ledger.claim("w", NOW, LEASE, 2)
    refused = [
        Release(company_id=one.company_id, date=TODAY, epoch=1, at=NOW, error="451 later", retry_at=NOW)
        for one in taken
    ]
    await ledger.release("w", refused)
    await ledger.claim("gone", NOW, LEASE, 1, company_ids=["c"])
    for one in await sent(ledger, "w", NOW + LEASE * 2):
        await ledger.record_outcomes("w", [outcome(one, at=NOW + LEASE * 2)])
    found = [
        (it.status, it.first_attempt_ok, it.error, it.count) for it in await ledger.tallies(TODAY, TODAY)
    ]
    assert found == [
        (Status.DELIVERED, False, "451 later", 2),
        (Status.DELIVERED, False, "the process that wrote it went away", 1),
    ]


async def test_the_newest_deliveries_are_told_by_their_times(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b"), owed("c")], NOW)
    taken = await sent(ledger, "w")
    for minutes, one in enumerate(taken[:2]):
        await ledger.record_outcomes("w", [outcome(one, at=NOW + timedelta(minutes=minutes))])
    assert await ledger.deliveries(NOW) == [NOW + timedelta(minutes=1), NOW]
    assert await ledger.deliveries(NOW, limit=1) == [NOW + timedelta(minutes=1)]
    assert await ledger.deliveries(NOW + timedelta(minutes=2)) == []


async def test_what_is_open_is_forecast_by_deadline(ledger: Ledger) -> None:
    late, early = NOW + timedelta(hours=2), NOW + timedelta(hours=1)
    await ledger.plan([owed("a"), owed("b"), owed("c", deadline_at=early), owed("d", TODAY + DAY)], NOW)
    (done,) = await sent(ledger, "w", limit=1)
    await ledger.record_outcomes("w", [outcome(done)])
    assert done.company_id == "c"
    assert await ledger.loads(NOW, NOW + DAY) == [Load(deadline_at=late, open=2, due=2)]
    assert (await ledger.loads(NOW, NOW + DAY * 2))[1] == Load(deadline_at=late + DAY, open=1, due=0)
    assert [one.company_id for one in await ledger.open_before(NOW, limit=1)] == ["a"]
    assert [one.company_id for one in await ledger.open_before(NOW, after=key("a"))] == ["b"]
    (a,) = await ledger.claim("w", NOW, LEASE, 1)
    assert await ledger.stuck(NOW - LEASE) == []
    assert [one.key for one in await ledger.stuck(NOW)] == [a.key]


async def test_the_same_wish_pressed_ten_times_at_once_is_one_plan(ledger: Ledger) -> None:
    pressed = await asyncio.gather(*(ledger.put_plan(replace(PLAN, id=f"p{n}")) for n in range(10)))
    (made,) = [plan for plan, is_new in pressed if is_new]
    assert [plan for plan, _ in pressed] == [made] * 10
    assert await ledger.put_plan(replace(PLAN, id=made.id, scope=("a", "b"))) == (made, False)
    _, is_new = await ledger.put_plan(replace(PLAN, id="other", key="again"))
    assert is_new
    with pytest.raises(LedgerConflict, match="is there already"):
        await ledger.put_plan(replace(PLAN, id=made.id, reason="something else"))


async def test_of_start_and_cancel_at_once_only_one_comes_first(ledger: Ledger) -> None:
    await ledger.put_plan(PLAN)
    waiting = [PlanState.WAITING]
    moved = await asyncio.gather(
        ledger.move_plan("p1", waiting, PlanState.CANARY, NOW, {"delivered": 3}),
        ledger.move_plan("p1", waiting, PlanState.CANCELLED, NOW),
    )
    (first,) = [plan for plan in moved if plan is not None]
    assert await ledger.plan_of("p1") == first
    assert first.ended_at == (NOW if first.state.is_final else None)
    assert await ledger.plans(states=[first.state]) == [first]
    assert await ledger.plans(states=waiting) == []
    assert await ledger.plan_of("nobody") is None


def certificate(day: int, previous: str | None, name: str) -> Certificate:
    return Certificate(
        date=TODAY + DAY * day, written_at=NOW, roster_version=1, counts={"delivered": 2, "expected": 2},
        rows_hash="r", previous_hash=previous, hash=name, body={"z": [1, {"a": "ř"}], "a": None},
    )  # fmt: skip


async def test_certificates_form_one_chain_and_none_is_replaced(ledger: Ledger) -> None:
    first, second, anew = certificate(0, None, "h1"), certificate(1, "h1", "h2"), certificate(0, "h2", "h3")
    for one in (first, second, anew, anew):
        await ledger.put_certificate(one)
    with pytest.raises(LedgerConflict, match="write it anew"):
        await ledger.put_certificate(certificate(2, "h2", "h4"))
    assert await ledger.certificate(TODAY) == anew
    assert await ledger.certificate(TODAY + DAY) == second
    assert await ledger.certificates() == [anew, second, first]
    assert await ledger.newest_certificate() == anew
    found = await ledger.certificate(TODAY)
    assert found is not None
    assert list(found.body) == ["z", "a"]


async def test_the_audit_lists_the_newest_first_page_by_page(ledger: Ledger) -> None:
    for n in range(3):
        await ledger.add_audit(
            AuditEntry(at=NOW, actor="ada", action="force", subject=f"s{n}", detail={"n": n})
        )
    newest, older = await ledger.audit(limit=2)
    (oldest,) = await ledger.audit(before=older.seq)
    assert [one.subject for one in (newest, older, oldest)] == ["s2", "s1", "s0"]
    assert oldest.detail == {"n": 0}


async def test_one_leads_until_it_steps_down_or_goes_silent(ledger: Ledger) -> None:
    reign = timedelta(seconds=15)
    assert await ledger.lead("daemon", "a", NOW, reign) == 1
    assert await ledger.lead("daemon", "b", NOW, reign) is None
    assert await ledger.lead("daemon", "a", NOW + reign / 2, reign) == 1
    assert await ledger.lead("daemon", "b", NOW + reign * 2, reign) == 2
    await ledger.yield_lead("daemon", "a", NOW)
    assert await ledger.lead("daemon", "a", NOW + reign * 2, reign) is None
    await ledger.yield_lead("daemon", "b", NOW + reign * 2)
    assert await ledger.lead("daemon", "a", NOW + reign * 2, reign) == 3


async def test_what_is_old_is_pruned_with_all_that_hangs_on_it(ledger: Ledger) -> None:
    await ledger.plan([owed("a", TODAY - DAY), owed("a")], NOW)
    both = await sent(ledger, "w")
    await ledger.record_outcomes("w", [outcome(one, *LOST) for one in both])
    assert await ledger.prune(TODAY - DAY, LATER) == 1
    assert await ledger.prune(TODAY - DAY, LATER) == 0
    assert await ledger.events_of(key("a", TODAY - DAY)) == []
    assert await ledger.sends_of(key("a", TODAY - DAY)) == []
    assert await status_of(ledger, "a") is Status.UNKNOWN


async def test_the_oldest_date_that_nobody_has_touched_since_is_found(ledger: Ledger) -> None:
    days = [TODAY - DAY * back for back in (5, 4, 3)]
    await ledger.plan([owed(name, day) for day in days for name in ("a", "b")], NOW - DAY * 9)
    assert await ledger.oldest_unchanged(TODAY, NOW) == days[0]
    assert await ledger.oldest_unchanged(days[0], NOW) is None
    assert await ledger.oldest_unchanged(TODAY, NOW - DAY * 9) is None
    await ledger.plan([owed("asked-for", days[0])], NOW)
    await ledger.excuse([key("b", days[1])], "closed", NOW)
    assert await ledger.oldest_unchanged(TODAY, NOW) == days[2]
    await ledger.claim("w", NOW, LEASE, 1, dates=[days[2]])
    assert await ledger.oldest_unchanged(TODAY, NOW) is None


async def test_what_was_changed_while_its_date_is_cleared_away_stays(ledger: Ledger) -> None:
    await ledger.plan([owed("a"), owed("b"), owed("c")], NOW - DAY)
    await ledger.plan([owed("asked-for")], NOW)
    await ledger.excuse([key("b")], "closed", NOW)
    assert await ledger.prune(TODAY, NOW) == 2
    assert [one.company_id for one in await ledger.obligations(TODAY)] == ["asked-for", "b"]


async def test_a_probe_writes_and_reads_back(ledger: Ledger) -> None:
    await ledger.probe(NOW)
    await ledger.probe(NOW)

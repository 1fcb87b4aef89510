"""Why a company's day stands as it does: every end there is, from real ledgers, word for word."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from daemon.reports.causes import Heard, account_of, newest_day
from state.ledger.base import Ledger
from state.ledger.records import Event, Held, Obligation, Outcome, Release, Status
from state.records import Alert, DeliveryState, Severity
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, company, intent, key, making, outcome, owed, sent
from tests.contracts.ledgers import report as produced

EVE = NOW - timedelta(hours=11)  # when it was planned
MINUTE = timedelta(minutes=1)
LATE = NOW + timedelta(hours=3)  # the deadline was an hour ago
Story = Callable[[Ledger], Awaitable[None]]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    made = making("sqlite", tmp_path, lambda: pytest.fail("no server is needed"))()
    await made.open(EVE)
    yield made
    await made.close()


async def plan(ledger: Ledger, **fields: object) -> None:
    await ledger.plan([owed("acme", roster_version=3, **fields)], EVE)


async def take(ledger: Ledger) -> Obligation:
    (one,) = await ledger.claim("anna", NOW, LEASE, 1)
    return one


async def end(ledger: Ledger, state: DeliveryState, status: Status | None, **fields: str) -> None:
    await plan(ledger)
    (one,) = await sent(ledger, "anna")
    ended: Outcome = outcome(one, state, status, at=NOW + MINUTE, **fields)
    assert await ledger.record_outcomes("anna", [ended]) == frozenset()


async def planned(ledger: Ledger) -> None:
    await plan(ledger, due_at=LATE + timedelta(hours=1), deadline_at=LATE + timedelta(hours=3))


async def due(ledger: Ledger) -> None:
    await plan(ledger)
    await ledger.mark_due(NOW)


async def leased(ledger: Ledger) -> None:
    await plan(ledger, deadline_at=LATE + DAY)
    one = await take(ledger)
    await ledger.renew("anna", [one_held(one)], LATE, LEASE)


def one_held(one: Obligation) -> Held:
    return Held(one.company_id, one.date, one.epoch)


async def abandoned(ledger: Ledger) -> None:
    await plan(ledger)
    await take(ledger)


async def written(ledger: Ledger) -> None:
    await plan(ledger, deadline_at=LATE + DAY)
    one = await take(ledger)
    await ledger.produced("anna", [produced(one, NOW + MINUTE)])
    await ledger.renew("anna", [one_held(one)], LATE, LEASE)


async def on_its_way(ledger: Ledger) -> None:
    await plan(ledger, deadline_at=LATE + DAY)
    (one,) = await sent(ledger, "anna")
    await ledger.renew("anna", [one_held(one)], LATE, LEASE)


async def retried(ledger: Ledger) -> None:
    await plan(ledger)
    one = await take(ledger)
    await ledger.release("anna", [given_back(one, retry_at=LATE + 5 * MINUTE)])


def given_back(one: Obligation, **fields: object) -> Release:
    return Release(
        company_id=one.company_id, date=one.date, epoch=one.epoch, at=NOW + MINUTE, error="503 slow", **fields
    )  # type: ignore[arg-type]


async def failed(ledger: Ledger) -> None:
    await plan(ledger)
    await ledger.release("anna", [given_back(await take(ledger))])


async def reopened(ledger: Ledger) -> None:
    await failed(ledger)
    await ledger.resolve(key("acme"), "resend", NOW + 2 * MINUTE, "bert")


async def delivered(ledger: Ledger) -> None:
    await end(ledger, DeliveryState.DELIVERED, Status.DELIVERED, proof="250 queued as 1")


async def delivered_late(ledger: Ledger) -> None:
    await plan(ledger, deadline_at=NOW - 4 * MINUTE)
    (one,) = await sent(ledger, "anna")
    ended = outcome(one, status=Status.DELIVERED_LATE, at=NOW + MINUTE, proof="250 queued as 1")
    await ledger.record_outcomes("anna", [ended])


async def degraded(ledger: Ledger) -> None:
    await plan(ledger)
    (one,) = await ledger.claim("anna", NOW, LEASE, 1)
    await ledger.produced("anna", [produced(one, NOW, "template")])
    await ledger.intend_sends("anna", [intent(one)])
    await ledger.record_outcomes(
        "anna", [outcome(one, status=Status.DELIVERED_DEGRADED, at=NOW + MINUTE, proof="250 queued as 1")]
    )


async def resolved(ledger: Ledger) -> None:
    await unknown(ledger)
    await ledger.resolve(key("acme"), "delivered", NOW + 5 * MINUTE, "bert")


async def unknown(ledger: Ledger) -> None:
    await end(ledger, DeliveryState.UNKNOWN, Status.UNKNOWN, error="the connection broke after the dot")


async def lost(ledger: Ledger) -> None:
    await plan(ledger)
    await sent(ledger, "anna")
    await ledger.claim("bert", NOW + 2 * MINUTE, LEASE, 1)


async def refused(ledger: Ledger) -> None:
    await end(ledger, DeliveryState.FAILED, Status.FAILED, error="550 no such user")


async def excused(ledger: Ledger) -> None:
    await plan(ledger, status=Status.EXCUSED, reason="paused until 2026-12-01: moving")


async def superseded(ledger: Ledger) -> None:
    await plan(ledger)
    await ledger.plan([owed("acme", TODAY + DAY, due_at=NOW + MINUTE)], EVE)
    await ledger.supersede_older(NOW + 2 * MINUTE)


STORIES: dict[str, tuple[Story, str]] = {
    "planned": (planned, "obligation.planned"),
    "due": (due, "obligation.due"),
    "leased": (leased, "lease.taken"),
    "abandoned": (abandoned, "lease.expired"),
    "produced": (written, "report.produced"),
    "sent": (on_its_way, "send.intended"),
    "to-be-retried": (retried, "attempt.failed"),
    "reopened": (reopened, "obligation.reopened"),
    "delivered": (delivered, "send.delivered"),
    "delivered-late": (delivered_late, "send.delivered"),
    "delivered-degraded": (degraded, "send.delivered"),
    "resolved": (resolved, "obligation.resolved"),
    "unknown": (unknown, "send.unknown"),
    "lost": (lost, "send.unknown"),
    "failed": (failed, "attempt.failed"),
    "refused": (refused, "send.failed"),
    "excused": (excused, "obligation.excused"),
    "superseded": (superseded, "obligation.excused"),
}
GOLDEN = dict(line.split(": ", 1) for line in Path(__file__).with_name("causes.txt").read_text().splitlines())


@pytest.mark.parametrize("name", list(STORIES))
async def test_the_line_names_what_decided(name: str, ledger: Ledger) -> None:
    story, decided_by = STORIES[name]
    await story(ledger)
    account = await account_of(ledger, key("acme"), LATE)
    assert account is not None
    assert account.ending.decided_by == decided_by
    assert account.line == GOLDEN[name]


def test_every_status_has_its_line() -> None:
    assert {line.split(" is ")[1].split(": ")[0] for line in GOLDEN.values()} == set(Status)


@pytest.mark.parametrize(
    ("fields", "day", "decided_by", "because"),
    [
        ({}, TODAY, "obligation.absent", "on the roster of that day, but nothing was planned for it"),
        ({}, TODAY - DAY, "roster.absent", "joined the roster on 2026-11-21"),
        ({}, TODAY + 2 * DAY, "planner.ahead", "obligations are written a day ahead"),
        ({"active": False}, TODAY, "roster.absent", "not active"),
        ({"weekdays": (1, 2)}, TODAY, "calendar.excused", "not on Saturdays"),
    ],
    ids=["forgotten", "before-it-joined", "far-ahead", "inactive", "weekday"],
)
async def test_where_nothing_happened_the_roster_says_why(
    fields: dict[str, object], day: date, decided_by: str, because: str, ledger: Ledger
) -> None:
    roster = [company("acme", **fields)]
    await ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY, source="test")
    account = await account_of(ledger, key("acme", day), NOW)
    assert account is not None
    assert account.ending.decided_by == decided_by
    assert because in account.line
    is_missing = decided_by == "obligation.absent"
    assert account.ending.status == ("missing" if is_missing else "not-owed")
    assert (account.ending.advice is not None) == is_missing


async def test_who_left_or_is_paused_is_owed_nothing(ledger: Ledger) -> None:
    roster = [company("acme"), company("blue")]
    await ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY - 9 * DAY, source="test")
    await ledger.import_companies([roster[1:]], import_id="j", now=NOW, on=TODAY, source="test")
    await ledger.pause("blue", TODAY + DAY, "moving")
    left, paused = [await account_of(ledger, key(name), NOW) for name in ("acme", "blue")]
    assert left is not None
    assert paused is not None
    assert left.line == "acme 2026-11-21 is not-owed: left the roster on 2026-11-21"
    assert paused.line == "blue 2026-11-21 is not-owed: paused until 2026-11-22: moving"
    assert await account_of(ledger, key("nobody"), NOW) is None


async def test_alerts_of_the_company_and_day_are_links_and_others_are_not(ledger: Ledger) -> None:
    await failed(ledger)
    about = [
        ({"company": "acme"}, NOW + MINUTE),
        ({"company": "acme", "date": "2026-11-21"}, NOW + 2 * MINUTE),
        ({"company": "acme", "date": "2026-11-20"}, NOW + MINUTE),
        ({"company": "blue"}, NOW + MINUTE),
        ({"company": "acme"}, NOW - 9 * DAY),
    ]
    alerts = [
        Alert(
            id=str(at_), fingerprint=str(at_), name="report.failed", severity=Severity.ERROR, summary="s",
            labels=labels, first_at=at, last_at=at, resolved_at=LATE if at_ == 1 else None,
        )
        for at_, (labels, at) in enumerate(about)
    ]  # fmt: skip
    heard = [Heard(alert=it, told="delivered to oncall by slack") for it in alerts]
    account = await account_of(ledger, key("acme"), LATE, heard)
    assert account is not None
    found = [(it.at, it.event, it.detail) for it in account.links if it.event.startswith("alert.")]
    told = "report.failed, delivered to oncall by slack"
    assert found == [
        (NOW + MINUTE, "alert.raised", told),
        (NOW + 2 * MINUTE, "alert.raised", told),
        (LATE, "alert.resolved", "report.failed"),
    ]


async def test_a_long_chain_shows_its_newest_links_on_the_line_and_all_in_the_list(ledger: Ledger) -> None:
    await plan(ledger)
    tries = [
        Event(company_id="acme", date=TODAY, at=NOW + n * MINUTE, event="attempt.failed", detail=f"no {n}")
        for n in range(40)
    ]
    await ledger.add_events(tries)
    account = await account_of(ledger, key("acme"), LATE)
    assert account is not None
    assert "(31 earlier → " in account.line
    assert len(account.as_row()["links"]) == 43


async def test_the_day_that_is_meant_is_today_once_it_is_due(ledger: Ledger) -> None:
    assert await newest_day(ledger, "acme", TODAY, NOW) == TODAY
    await ledger.plan([owed("acme"), owed("acme", TODAY - DAY)], EVE)
    assert await newest_day(ledger, "acme", TODAY, NOW) == TODAY
    assert await newest_day(ledger, "acme", TODAY, NOW - MINUTE) == TODAY - DAY

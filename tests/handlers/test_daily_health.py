"""The health of every morning: sent, kept, certified, and alerted where something is critical."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemon.engine.handler import Done, HandlerError
from daemon.notify.base import ChannelError, Failure
from handlers.daily_health import daily_health
from state.codec import time_text
from state.ledger.records import Key, Release
from state.ledger.sqlite import SqliteLedger
from state.records import Severity, Silence
from state.records import replace as change
from tests.contracts.ledgers import LEASE, intent, outcome, owed, report


@pytest.fixture
async def morning(world: Any) -> AsyncIterator[Any]:
    """A world that owes two reports of the day and runs."""
    ledger = SqliteLedger(world.home.folder / "ledger.db", world.home.backups)
    now = world.clock.now()
    await ledger.open(now)
    config = world.house.config
    config = replace(config, digest=replace(config.digest, channel="team"))
    world.house = replace(world.house, config=config, ledger=ledger)
    beat = {"runningSince": time_text(now), "lastHeartbeatAt": time_text(now)}
    await world.house.store.commit(notes=beat)
    await ledger.plan([owed("acme", now.date()), owed("beta", now.date())], now)
    yield world
    await ledger.close()


async def deliver(world: Any, *names: str) -> None:
    ledger, now = world.house.ledger, world.clock.now()
    taken = await ledger.claim("me", now, LEASE, 10, company_ids=names)
    at = [one.deadline_at - timedelta(hours=1) for one in taken]
    await ledger.produced("me", [report(one, it) for one, it in zip(taken, at, strict=True)])
    await ledger.intend_sends("me", [intent(one, it) for one, it in zip(taken, at, strict=True)])
    await ledger.record_outcomes("me", [outcome(one, at=it) for one, it in zip(taken, at, strict=True)])


async def run(world: Any, task_id: str = "task-1") -> dict[str, Any]:
    done = await daily_health(world.context("daily-health", task_id))
    assert isinstance(done, Done)
    return done.summary


async def test_a_sound_morning_is_told_with_its_coverage_and_its_figures(morning: Any) -> None:
    await deliver(morning, "acme", "beta")
    summary = await run(morning)
    assert (summary["status"], summary["coverage"], summary["outcome"]) == ("ok", 100.0, "delivered")
    (message,) = morning.room.messages
    assert (message.kind, message.severity) == ("health", None)
    assert message.title == "Health: ok, 100 % of the reports of 2026-11-21"
    facts = dict(message.facts)
    assert facts["Coverage"] == "100 % (aim 100)"
    assert facts["First attempts"] == "100 % (aim > 95)"
    assert facts["Delivered"].startswith("2 of 2; ")
    assert morning.open_alerts() == []


async def test_it_is_kept_for_people_and_for_programs(morning: Any) -> None:
    summary = await run(morning)
    found = json.loads((morning.home.logs / "health" / "health-2026-11-21.json").read_text())
    assert found["components"]["ledger"]["status"] == "ok"
    assert found["certificate"] == summary["certificate"]
    text = (morning.home.logs / "health" / "health-2026-11-21.txt").read_text()
    assert "ledger" in text and "What to do:" in text


async def test_it_seals_the_date_it_speaks_of(morning: Any) -> None:
    await deliver(morning, "acme", "beta")
    summary = await run(morning)
    certificate = await morning.house.ledger.certificate(morning.clock.now().date())
    assert summary["certificate"] == certificate.hash


async def test_a_date_that_has_ended_since_the_last_morning_is_sealed_once_more(morning: Any) -> None:
    today = morning.clock.now().date()
    await deliver(morning, "acme")
    await run(morning)
    early = await morning.house.ledger.certificate(today)
    await deliver(morning, "beta")
    await morning.clock.advance(days=1)
    await morning.house.ledger.plan([owed("acme", today + timedelta(days=1))], morning.clock.now())
    await deliver(morning, "acme")
    summary = await run(morning, "task-2")
    assert summary["certified"] == ["2026-11-21", "2026-11-22"]
    late = await morning.house.ledger.certificate(today)
    assert late.previous_hash == early.hash
    told = [value for name, value in morning.room.messages[-1].facts if name == "Certificate"]
    assert [line.rpartition(",")[0] for line in told] == [
        "2026-11-21: 2 of 2 (100 %)",
        "2026-11-22: 1 of 1 (100 %)",
    ]


async def test_what_is_still_to_come_is_said_and_is_no_trouble(morning: Any) -> None:
    await deliver(morning, "acme")
    one, wait = owed("west", morning.clock.now().date()), timedelta(hours=20)
    later = change(one, due_at=one.due_at + wait, deadline_at=one.deadline_at + wait)
    await morning.house.ledger.excuse([Key("beta", later.date)], "a holiday", morning.clock.now())
    await morning.house.ledger.plan([later], morning.clock.now())
    summary = await run(morning)
    assert (summary["status"], summary["coverage"]) == ("ok", 50.0)
    (message,) = morning.room.messages
    assert message.title == "Health: ok, 50 % of the reports of 2026-11-21 so far, 1 still to come"
    assert dict(message.facts)["Coverage"] == "50 % (aim 100)"
    assert message.entries == ()


async def test_reports_that_came_by_a_second_attempt_are_told_with_what_the_first_failed_of(
    morning: Any,
) -> None:
    ledger, now = morning.house.ledger, morning.clock.now()
    (one,) = await ledger.claim("me", now - timedelta(hours=17), LEASE, 1, company_ids=["acme"])
    error = "10.20.30.40:25 gave no answer within 30 s"
    await ledger.release(
        "me",
        [
            Release(
                company_id="acme", date=one.date, epoch=one.epoch, at=one.due_at, error=error, retry_at=now
            )
        ],
    )
    await deliver(morning, "acme", "beta")
    await run(morning)
    text = morning.room.messages[0].text
    assert "In 7 days an attempt failed for 1 reports, and none of them was lost by it." in text
    assert "Of what: 10.20.30.40:25 gave no answer within N s (1)." in text
    assert [it.note for it in morning.room.messages[0].entries] == [
        "nightdesk history --handler write-reports",
        "nightdesk test channels",
    ]


async def test_missing_reports_are_critical_alerted_and_taken_back(morning: Any) -> None:
    await deliver(morning, "acme")
    summary = await run(morning)
    assert summary["critical"] == 1
    (alert,) = morning.house.alerts.open
    assert (alert.name, alert.severity) == ("health.critical", Severity.CRITICAL)
    assert alert.advice == "nightdesk reports missing"
    assert "Critical: 1 reports of 2026-11-21" in morning.room.messages[0].text
    await deliver(morning, "beta")
    await run(morning, "task-2")
    assert morning.open_alerts() == []
    assert morning.room.messages[-1].title.startswith("Health: ok")


async def test_silences_in_force_are_told_so_that_none_is_forgotten(morning: Any) -> None:
    now = morning.clock.now()
    silence = Silence(
        id="s", match="redis.*", owner="ann", reason="moving", created_at=now, ends_at=now + LEASE
    )
    await morning.house.store.commit(silence)
    await run(morning)
    assert "Silences in force: redis.* by ann, moving, until" in morning.room.messages[0].text


async def test_the_same_task_sends_once_however_often_it_is_tried(morning: Any) -> None:
    await run(morning)
    await run(morning)
    assert len(morning.room.messages) == 1


async def test_what_does_not_arrive_is_tried_again(morning: Any) -> None:
    morning.room.failures = [ChannelError("no answer")]
    with pytest.raises(HandlerError, match="did not arrive on team") as raised:
        await run(morning)
    assert not raised.value.permanent
    assert (await run(morning))["outcome"] == "delivered"


async def test_a_channel_that_refuses_is_not_asked_again(morning: Any) -> None:
    morning.room.failures = [ChannelError("410 gone", failure=Failure.PERMANENT)]
    with pytest.raises(HandlerError) as raised:
        await run(morning)
    assert raised.value.permanent


async def test_without_a_channel_it_is_kept_all_the_same(morning: Any) -> None:
    config = replace(morning.house.config, digest=replace(morning.house.config.digest, channel="none"))
    morning.house = replace(morning.house, config=config)
    summary = await run(morning)
    assert (summary["channel"], summary["outcome"]) == (None, None)
    assert summary["file"] is not None


async def test_a_folder_that_cannot_be_written_does_not_keep_it_from_being_sent(morning: Any) -> None:
    (morning.home.logs / "health").write_text("in the way")
    summary = await run(morning)
    assert (summary["file"], summary["outcome"]) == (None, "delivered")


async def test_without_reports_the_rest_is_still_told(morning: Any) -> None:
    ledger = morning.house.ledger
    morning.house = replace(morning.house, ledger=None)
    summary = await run(morning)
    assert (summary["status"], summary["coverage"], summary["certificate"]) == ("ok", None, None)
    assert await ledger.obligation(Key("acme", morning.clock.now().date())) is not None

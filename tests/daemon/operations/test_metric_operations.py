"""Every metric moves when the thing happens that it is about, and no other way."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from daemon import __version__
from daemon.clock import SystemClock
from daemon.config.reporting import LlmSection, ProviderSection, RedisSection, ReportsSection
from daemon.meters import Family
from daemon.notify.base import Failure
from daemon.operations.metrics import MetricOperations
from daemon.operations.readiness import Readiness
from daemon.reports.links import Links
from daemon.reports.sums import LASTS_S
from daemon.secret import Secret
from state.ledger.errors import LedgerDown
from state.records import Severity
from tests.contracts.ledgers import company, outcome, owed, sent
from tests.daemon.dispatch.phones import office
from tests.house import NOW, Answers, Gate, House
from tests.valkey import running

TODAY = NOW.date()
NOW_S = NOW.timestamp()
HANDLER = "nightdesk_task_attempts_total"
Values = Mapping[tuple[str, ...], float]


class Looker:
    """Asks for the metrics as the route does, and gives them by name."""

    def __init__(self, house: House) -> None:
        self._metrics = MetricOperations(house.app, Readiness(house.app))

    async def all(self) -> dict[str, Values]:
        readings = await self._metrics.readings()
        return {it.name: it.values for it in readings if isinstance(it, Family)}

    async def one(self, name: str, *labels: str) -> float:
        return (await self.all())[name][labels]


async def test_what_runs_is_named(house: House) -> None:
    await house.start()
    assert await Looker(house).one("nightdesk_build_info", __version__) == 1


async def test_a_daemon_whose_disk_is_full_or_that_stops_is_not_ready(house: House) -> None:
    app = await house.start()
    look = Looker(house)
    assert await look.one("nightdesk_ready") == 1
    house.disk.is_full = True
    await house.clock.advance(seconds=5)
    assert await look.one("nightdesk_ready") == 0
    house.disk.is_full = False
    await house.clock.advance(seconds=5)
    assert await look.one("nightdesk_ready") == 1
    await app.end()
    assert await look.one("nightdesk_ready") == 0


async def test_a_heartbeat_and_a_sent_digest_leave_their_times(house: House) -> None:
    app = await house.start()
    look = Looker(house)
    names = ("nightdesk_heartbeat_timestamp_seconds", "nightdesk_digest_sent_timestamp_seconds")
    assert [await look.one(name) for name in names] == [0, 0]
    notes = {"lastHeartbeatAt": "2026-11-21T21:00:00Z", "lastDigestNotificationAt": "2026-11-21T06:00:00Z"}
    await app.store.commit(notes=notes)
    assert [await look.one(name) for name in names] == [NOW_S, NOW_S - 15 * 3600]


async def test_a_run_of_a_schedule_leaves_its_times_and_its_count(house: House) -> None:
    house.add_handler("good")
    house.add_handler("bad", Answers(ValueError("it broke")))
    house.add_schedule("good", "0 22 * * *")
    house.add_schedule("bad", "30 22 * * *", max_attempts=1)
    await house.start()
    look = Looker(house)
    before = await look.all()
    assert before["nightdesk_schedule_last_run_timestamp_seconds"] == {("good",): 0, ("bad",): 0}
    assert before["nightdesk_schedule_next_fire_timestamp_seconds"] == {
        ("good",): NOW_S + 3600,
        ("bad",): NOW_S + 5400,
    }
    assert before[HANDLER] == {}
    await house.clock.advance(hours=2)
    after = await look.all()
    assert after["nightdesk_schedule_last_run_timestamp_seconds"] == {
        ("good",): NOW_S + 3600,
        ("bad",): NOW_S + 5400,
    }
    assert after["nightdesk_schedule_last_success_timestamp_seconds"] == {
        ("good",): NOW_S + 3600,
        ("bad",): 0,
    }
    assert after["nightdesk_schedule_failure_streak"] == {("good",): 0, ("bad",): 1}
    assert after["nightdesk_schedule_next_fire_timestamp_seconds"][("good",)] == NOW_S + 25 * 3600
    assert after[HANDLER] == {
        ("good", "done"): 1,
        ("good", "failed"): 0,
        ("bad", "done"): 0,
        ("bad", "failed"): 1,
    }
    assert after["nightdesk_task_retries_total"] == {}


async def test_a_failure_that_is_tried_again_is_a_retry(house: House) -> None:
    house.add_handler("work", Answers(ValueError("it broke"), None), max_attempts=3)
    await house.start()
    await house.promised("work", max_attempts=3)
    await house.clock.advance(minutes=1)
    found = await Looker(house).all()
    assert found["nightdesk_task_retries_total"] == {("work",): 1}
    assert found[HANDLER] == {("work", "done"): 1, ("work", "failed"): 1}


async def test_a_slot_that_is_left_out_counts_and_its_pause_is_shown(house: House) -> None:
    house.add_handler("work")
    house.add_schedule("work", "0 * * * *")
    app = await house.start()
    look = Looker(house)
    assert await look.one("nightdesk_slots_skipped_total", "work") == 0
    await app.scheduler.pause("work", NOW + timedelta(hours=3), "a move")
    assert await look.one("nightdesk_schedule_paused", "work") == 1
    await house.clock.advance(hours=3, minutes=1)
    assert await look.one("nightdesk_slots_skipped_total", "work") == 2
    assert await look.one("nightdesk_schedule_paused", "work") == 0


async def test_tasks_that_wait_and_run_are_counted_by_lane(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    house.limit(concurrency=1)
    await house.start()
    look = Looker(house)
    for _ in range(3):
        await house.promised("work")
    await house.clock.advance(seconds=90)
    found = await look.all()
    assert found["nightdesk_queue_depth"] == {("normal",): 2, ("alerts",): 0, ("catch-up",): 0}
    assert found["nightdesk_tasks_running"] == {("normal",): 1, ("alerts",): 0, ("catch-up",): 0}
    assert found["nightdesk_queue_oldest_age_seconds"] == {("normal",): 90, ("alerts",): 0, ("catch-up",): 0}
    gate.opened.set()
    await house.settle()
    assert await look.one("nightdesk_queue_depth", "normal") == 0
    assert await look.one("nightdesk_queue_oldest_age_seconds", "normal") == 0


async def test_the_worst_lag_of_a_minute_is_shown_for_a_minute(house: House) -> None:
    app = await house.start()
    look = Looker(house)
    for pause_s in (1, 4, 1, 1):
        await house.clock.advance(seconds=pause_s)
        await app.pulse.step()
    assert await look.one("nightdesk_loop_lag_seconds") == 3
    for _ in range(60):
        await house.clock.advance(seconds=1)
        await app.pulse.step()
    assert await look.one("nightdesk_loop_lag_seconds") == 0


async def test_alerts_are_counted_by_severity_as_long_as_they_are_open(house: House) -> None:
    app = await house.start()
    look = Looker(house)
    await app.alerts.fire("x.broke", severity=Severity.CRITICAL, summary="it broke")
    assert await look.one("nightdesk_alerts_open", "critical") == 1
    await app.alerts.resolve("x.broke")
    assert await look.one("nightdesk_alerts_open", "critical") == 0


async def test_an_alert_is_owed_until_it_is_proved_and_its_way_is_timed(house: House) -> None:
    desk = office(house, "slack")
    await desk.open()
    look = Looker(house)
    desk.phones["slack"].failure = Failure.TRANSIENT
    await desk.fire()
    await desk.advance(seconds=60)
    found = await look.all()
    assert found["nightdesk_outbox_depth"] == {(): 1}
    assert found["nightdesk_outbox_oldest_age_seconds"] == {(): 60}
    assert found["nightdesk_channel_down"] == {("slack",): 1}
    failed = found["nightdesk_sends_total"][("slack", "retryable")]
    assert failed == len(desk.phones["slack"].tries)
    assert found["nightdesk_sends_total"][("slack", "delivered")] == 0
    desk.phones["slack"].failure = None
    await desk.advance(seconds=30)
    found = await look.all()
    assert found["nightdesk_outbox_depth"] == found["nightdesk_outbox_oldest_age_seconds"] == {(): 0}
    assert found["nightdesk_channel_down"] == {("slack",): 0}
    assert found["nightdesk_sends_total"][("slack", "delivered")] >= 1
    spread = house.app.meters.telling.read()
    slow = [count for bound, count in zip(spread.bounds, spread.cumulative, strict=False) if bound <= 60]
    # The alert itself, and the one that the channel was down.
    assert (max(slow), spread.cumulative[-1]) == (0, 2)
    assert 120 < spread.sum < 180


async def test_a_provider_is_down_as_long_as_its_alert_is_open(house: House) -> None:
    provider = ProviderSection(name="main", type="openai", base_url="https://example.com/v1", model="m")
    house.config = replace(house.config, llm=LlmSection(providers=[provider]))
    app = await house.start()
    look = Looker(house)
    found = await look.all()
    assert found["nightdesk_llm_provider_down"] == found["nightdesk_llm_tokens_total"] == {("main",): 0}
    await app.alerts.fire(
        "llm.provider-down", severity=Severity.ERROR, summary="it is away", labels={"provider": "main"}
    )
    assert await look.one("nightdesk_llm_provider_down", "main") == 1


async def test_a_save_of_the_state_is_timed(house: House) -> None:
    house.parts = ("saver",)
    app = await house.start()
    before = app.meters.saving.read().cumulative[-1]
    await app.store.commit(notes={"a": "b"})
    await house.clock.advance(seconds=2)
    assert app.meters.saving.read().cumulative[-1] == before + 1


@pytest.fixture
async def reporting(house: House) -> House:
    """A house that makes reports: four delivered, one that waits, one that was never planned."""
    house.config = replace(house.config, reports=ReportsSection())
    app = await house.start()
    assert app.ledger is not None
    names = ["a", "b", "c", "d", "e", "f"]
    roster = [company(name, channel="log") for name in names]
    await app.ledger.import_companies([roster], import_id="i", now=NOW, on=TODAY, source="test")
    await app.ledger.plan([owed(name) for name in names[:5]], NOW)
    taken = await sent(app.ledger, "anna", NOW, limit=4)
    await app.ledger.record_outcomes("anna", [outcome(one, at=NOW) for one in taken])
    return house


async def test_what_is_owed_is_counted_by_where_it_stands(reporting: House) -> None:
    found = await Looker(reporting).all()
    assert found["nightdesk_obligations"][("delivered",)] == 4
    assert found["nightdesk_obligations"][("planned",)] == 1
    assert found["nightdesk_obligations"][("failed",)] == 0
    assert found["nightdesk_reports_unplanned"] == {(): 1}
    assert found["nightdesk_reports_overdue"] == {(): 1}
    assert found["nightdesk_coverage_ratio"] == {(): pytest.approx(4 / 6)}
    assert found["nightdesk_scrape_errors"] == {("ledger",): 0}


async def test_a_ledger_that_is_down_costs_its_own_series_and_no_others(
    reporting: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, ledger = Looker(reporting), reporting.app.ledger
    assert ledger is not None
    await look.all()

    async def away(*_: object, **__: object) -> None:
        raise LedgerDown("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "loads", away)
        await reporting.clock.advance(seconds=LASTS_S)
        found = await look.all()
    assert found["nightdesk_scrape_errors"] == {("ledger",): 1}
    assert found["nightdesk_coverage_ratio"] == found["nightdesk_obligations"] == {}
    assert found["nightdesk_ready"] == {(): 1}
    await reporting.clock.advance(seconds=LASTS_S)
    assert await look.one("nightdesk_scrape_errors", "ledger") == 0


async def test_without_reports_nothing_is_said_of_them(house: House) -> None:
    await house.start()
    found = await Looker(house).all()
    assert found["nightdesk_coverage_ratio"] == found["nightdesk_obligations"] == {}
    assert found["nightdesk_scrape_errors"] == {("ledger",): 0}
    assert found["nightdesk_ledger_up"] == found["nightdesk_redis_up"] == {}


async def test_links_are_up_and_down_as_they_were_last_found(reporting: House) -> None:
    folder = reporting.home.folder / "redis"
    folder.mkdir()
    app, look = reporting.app, Looker(reporting)
    with running(folder) as server:
        section = RedisSection(url=Secret(server.url()))
        links = Links(SystemClock(), app.alerts)
        app.reports.links = links
        links.adopt(replace(app.config, redis=section), app.ledger)
        for part in links.parts:
            await part.step()
        found = await look.all()
        assert found["nightdesk_redis_up"] == found["nightdesk_ledger_up"] == {(): 1}
        assert 0 < found["nightdesk_redis_latency_seconds"][()] < 5
        assert 0 < found["nightdesk_ledger_latency_seconds"][()] < 5
        server.kill()
        await links.redis.step()
        found = await look.all()
        assert (found["nightdesk_redis_up"], found["nightdesk_redis_latency_seconds"]) == ({(): 0}, {})
        await links.close()


async def test_the_disk_of_the_home_is_measured(house: House) -> None:
    await house.start()
    found = await Looker(house).all()
    assert 0 < found["nightdesk_disk_free_bytes"][()] < found["nightdesk_disk_size_bytes"][()]


async def test_a_job_that_was_taken_out_of_the_config_leaves_no_series(house: House) -> None:
    house.add_handler("work")
    await house.start()
    await house.promised("work")
    await house.stop()
    del house.handlers["work"]
    await house.start()
    assert (await Looker(house).all())[HANDLER] == {}

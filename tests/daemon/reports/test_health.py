"""Health is measured: each part that breaks flips its own field and the status, and nothing else does."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.config import load_config
from daemon.config.reporting import RedisSection
from daemon.notify.base import Step
from daemon.notify.health import ChannelHealth, Condition
from daemon.notify.trial import Trial
from daemon.reports.components import State, _channel, components_of, disk_state
from daemon.reports.health import Health, examine
from daemon.secret import Secret
from state.codec import time_text, to_json
from state.ledger.postgres import PostgresLedger
from state.ledger.records import Status
from state.records import Severity
from tests.daemon.reports.owing import DUE, Office
from tests.house import Disk
from tests.postgres import Postgres
from tests.valkey import running

NOTHING = timedelta(0)


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr("daemon.app.Database", Disk)
    made = Office(tmp_path)
    app = await made.open()
    # As the daemon leaves it: it says that it runs, and a heartbeat that it works.
    beat = {"runningSince": time_text(made.now), "lastHeartbeatAt": time_text(made.now)}
    await app.store.commit(notes=beat)
    yield made
    await made.house.close()


async def states(office: Office) -> dict[str, str]:
    return {it.name: it.state.value for it in await components_of(office.app, deep=False)}


SOUND = {"state": "ok", "scheduler": "ok", "ledger": "ok", "redis": "off", "disk": "ok", "llm": "off"}


async def test_a_sound_house_is_ok_in_every_part(office: Office) -> None:
    assert await states(office) == SOUND
    health = await examine(office.app)
    assert health.status is State.OK
    assert health.recommendations == ()
    ledger = health.component("ledger")
    assert ledger is not None and ledger.latency_ms is not None


async def test_the_answer_has_the_fields_that_are_promised(office: Office) -> None:
    await office.plan("a")
    await office.write("a")
    row = (await examine(office.app)).as_row()
    assert to_json(row)
    assert row["components"]["state"].keys() == {"status", "latencyMs", "detail"}
    assert row["reports"]["percent"] == 100.0
    assert row["reports"]["failures"]["days7"]["firstAttemptPercent"] == 100.0
    assert row["kpis"]["coverage"]["met"] is True
    assert row["recommendations"] == []


async def test_a_disk_that_takes_nothing_is_the_state_down(office: Office) -> None:
    office.house.disk.is_full = True
    assert await states(office) == SOUND | {"state": "down"}
    assert (await examine(office.app)).status is State.DOWN


async def test_a_heartbeat_that_stays_away_is_the_scheduler_down(office: Office) -> None:
    await office.house.clock.advance(minutes=16)
    assert await states(office) == SOUND | {"scheduler": "down"}


async def test_a_loop_that_has_stopped_is_the_scheduler_down(office: Office) -> None:
    await office.app.alerts.fire(
        "loop.dead", severity=Severity.CRITICAL, summary="The loop scheduler has stopped"
    )
    assert (await states(office))["scheduler"] == "down"


async def test_no_daemon_is_the_scheduler_down(office: Office) -> None:
    await office.app.store.commit(notes={"runningSince": ""})
    health = await examine(office.app)
    part = health.component("scheduler")
    assert part is not None and part.detail == "no daemon is running"
    assert [it.command for it in health.recommendations] == ["nightdesk run"]


async def test_a_ledger_that_is_away_is_down_and_the_rest_is_still_told(
    office: Office, tmp_path: Path
) -> None:
    before, office.app.ledger = office.app.ledger, PostgresLedger(Postgres(tmp_path / "nowhere").url())
    try:
        assert await states(office) == SOUND | {"ledger": "down"}
        health = await examine(office.app)
        assert (health.status, health.coverage) == (State.DOWN, None)
        assert "nightdesk test database" in [it.command for it in health.recommendations]
    finally:
        await office.app.ledger.close()
        office.app.ledger = before


async def test_redis_killed_is_redis_down_and_nothing_goes_down_with_it(
    office: Office, tmp_path: Path
) -> None:
    with running(tmp_path / "redis") as server:
        redis = RedisSection.model_validate({"url": Secret(server.url())}, context=None)
        office.app.config = replace(office.app.config, redis=redis)
        assert await states(office) == SOUND | {"redis": "ok"}
        server.kill()
        assert await states(office) == SOUND | {"redis": "down"}
        assert (await examine(office.app)).status is State.DEGRADED


async def test_a_home_that_is_gone_is_the_disk_down(office: Office) -> None:
    shutil.rmtree(office.app.home.folder)
    assert (await states(office))["disk"] == "down"


@pytest.mark.parametrize(
    ("free", "state"),
    [(0.5, State.OK), (0.1, State.OK), (0.09, State.DEGRADED), (0.019, State.DOWN), (0.0, State.DOWN)],
)
def test_the_less_is_free_the_worse_is_the_disk(free: float, state: State) -> None:
    assert disk_state(free) is state


async def test_missing_and_failed_reports_are_critical_and_advised(office: Office) -> None:
    await office.plan("a", "b", "c")
    await office.write("a")
    await office.write("b", status=Status.FAILED)
    await office.house.clock.advance(hours=3)
    await office.app.store.commit(notes={"lastHeartbeatAt": time_text(office.now)})
    health = await examine(office.app)
    assert health.status is State.DEGRADED
    assert health.critical == ["2 reports of 2026-11-21 are missing or failed"]
    assert "nightdesk reports missing" in [it.command for it in health.recommendations]
    week = health.rates[7]
    assert (week.attempted, week.first_failed) == (2, 1)


async def test_a_provider_left_alone_degrades_the_models(office: Office, tmp_path: Path) -> None:
    config = tmp_path / "with_llm.json"
    provider = {"type": "openai", "baseUrl": "https://api.example.com/v1", "model": "m"}
    providers = [{**provider, "name": "one"}, {**provider, "name": "two"}]
    config.write_bytes(to_json({"llm": {"providers": providers}}))
    office.app.config = replace(office.app.config, llm=load_config(config, {}).llm)
    assert (await states(office))["llm"] == "ok"
    for name, state in (("one", "degraded"), ("two", "down")):
        await office.app.alerts.fire(
            "llm.provider-down", severity=Severity.ERROR, summary=f"{name} is down", labels={"provider": name}
        )
        assert (await states(office))["llm"] == state


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (ChannelHealth(), State.OK),
        (ChannelHealth(state=Condition.OK), State.OK),
        (ChannelHealth(state=Condition.FAILING, error="no answer"), State.DEGRADED),
        (ChannelHealth(state=Condition.DEAD, error="410"), State.DOWN),
    ],
    ids=["untried", "ok", "failing", "dead"],
)
def test_a_channel_is_as_its_last_sends_say(health: ChannelHealth, state: State) -> None:
    assert _channel("team", health, None).state is state


def test_a_trial_that_fails_says_more_than_an_old_send() -> None:
    steps = (
        Step(name="connect", is_ok=True, detail="reached", took_s=0.01),
        Step(name="login", is_ok=False, detail="535 refused", took_s=0.02),
    )
    found = _channel("team", ChannelHealth(state=Condition.OK), Trial(channel="team", steps=steps))
    assert (found.state, found.detail, found.latency_ms) == (State.DOWN, "535 refused", 30.0)


def test_a_house_whose_every_channel_is_down_is_down() -> None:
    dead = _channel("team", ChannelHealth(state=Condition.DEAD, error="410"), None)
    alive = _channel("ops", ChannelHealth(state=Condition.OK), None)
    assert Health(at=DUE, components=(dead,)).status is State.DOWN
    assert Health(at=DUE, components=(dead, alive)).status is State.DEGRADED

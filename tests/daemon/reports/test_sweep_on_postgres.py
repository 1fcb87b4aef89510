"""The sweep, the forecast and emergency plans on PostgreSQL: the same answers as on the embedded ledger."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.operations import Operations
from daemon.reports.forecast import Forecaster
from daemon.reports.rescue import Rescue
from daemon.reports.sweep import Sweep
from state.ledger.postgres import PostgresLedger
from state.ledger.records import Status
from tests.daemon.reports.owing import Office, companies
from tests.postgres import Postgres

NAMES = tuple(f"c{number:02}" for number in range(30))


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture
async def office(tmp_path: Path, url: str) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    app = await made.open()
    assert app.ledger is not None
    await app.ledger.close()
    app.ledger = PostgresLedger(url)
    await app.ledger.open(made.now)
    yield made
    await made.house.close()


async def test_the_sweep_finds_what_is_owed_and_tells_of_what_is_missed(office: Office) -> None:
    app, house = office.app, office.house
    part = Sweep(office.ledger, app.store, app.alerts, house.clock, lambda: house.config, app.queue.enqueue)
    await office.roster(*companies(*NAMES))
    await part.step()
    await house.clock.advance(hours=2, minutes=1)
    await part.step()
    assert len(office.tasks()) == 1
    intervened, missed = office.alert("backup.intervened"), office.alert("coverage.missed")
    assert intervened is not None
    assert missed is not None
    assert (intervened.details["missing"], missed.details["open"]) == (30, 30)


async def test_the_forecast_sees_that_nothing_gets_done(office: Office) -> None:
    part = Forecaster(office.ledger, office.app.alerts, office.house.clock)
    await office.plan(*NAMES)
    await part.step()
    await office.house.clock.advance(minutes=4)
    await part.step()
    assert office.alert("coverage.at-risk") is not None


async def test_an_emergency_plan_opens_what_failed_a_few_first(office: Office) -> None:
    app, house = office.app, office.house
    await office.roster(*companies(*NAMES))
    await office.plan(*NAMES)
    await office.write(status=Status.FAILED)
    rescue = Rescue(
        office.ledger, app.store, app.alerts, house.clock, lambda: house.config, app.queue.enqueue, "me"
    )
    made = await Operations(app).emergency.trigger(reason="the night was lost", owner="eve")
    for tasks in (1, 2):
        await rescue.step()
        assert len(office.tasks()) == 1
        taken = await office.write(plan_id=made["planId"])
        assert len(taken) == (2 if tasks == 1 else 28)
        del app.store.tasks[office.tasks()[0].id]
        await house.clock.advance(seconds=5)
    await rescue.step()
    assert (await Operations(app).emergency.show(made["planId"]))["state"] == "done"
    assert timedelta(seconds=10) == house.clock.now() - made["startsAt"]

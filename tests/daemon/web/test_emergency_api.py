"""The routes for emergencies, asked over their socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from daemon.app import App
from daemon.check import prepare
from daemon.clock import SystemClock
from daemon.operations import Operations
from daemon.reports.rescue import Rescue
from daemon.web.server import serving
from state.home import Home
from state.ledger.records import Status
from tests.contracts.ledgers import company, outcome, owed, sent

Api = aiohttp.ClientSession
DAY = date(2024, 2, 29)  # long past, whatever the clock of the machine says
AT = datetime(2024, 2, 29, 5, tzinfo=UTC)
EMERGENCY = "/api/reports/emergency"
ALL = f"{EMERGENCY}/trigger-all-reports"
ONE = f"{EMERGENCY}/companies/acme/trigger-report"
WISH = {"reason": "the night was lost", "date": "2024-02-29"}


@pytest.fixture
async def app(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    """An app with one report delivered, and one that nobody has planned."""
    config = tmp_path / "orchestrator_config.json"
    config.write_text(json.dumps({"reports": {}}))
    async with App.opened(prepare(config, {}), home, SystemClock()) as app:
        await app.begin()
        assert app.ledger is not None
        app.parts.append(
            Rescue(
                app.ledger, app.store, app.alerts, app.clock, lambda: app.config, app.queue.enqueue, app.owner
            )
        )
        roster = [company("acme", channel="log"), company("blue", channel="log")]
        await app.ledger.import_companies([roster], import_id="i", now=AT, on=DAY, source="test")
        await app.ledger.plan([owed("acme", DAY)], AT)
        (one,) = await sent(app.ledger, "anna", AT)
        await app.ledger.record_outcomes("anna", [outcome(one, at=AT)])
        yield app
        await app.end()


@pytest.fixture
async def api(app: App, home: Home) -> AsyncIterator[Api]:
    connector = aiohttp.UnixConnector(str(home.control_socket))
    async with (
        serving(Operations(app), home.control_socket),
        aiohttp.ClientSession("http://localhost", connector=connector) as session,
    ):
        yield session


async def asked(api: Api, path: str, body: Any, method: str = "POST") -> tuple[int, Any]:
    async with api.request(method, path, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_trigger_for_all_is_a_plan_that_is_accepted(api: Api, app: App) -> None:
    status, plan = await asked(api, ALL, {**WISH, "delayMinutes": 10})
    assert status == 202
    assert (plan["state"], plan["taskId"], plan["duplicate"]) == ("waiting", None, False)
    assert plan["counts"]["willSend"] == 1
    assert plan["counts"]["alreadyDelivered"] == 1
    assert set(plan) >= {"planId", "taskId", "state", "counts", "startsAt"}
    assert (await asked(api, ALL, {**WISH, "delayMinutes": 10}))[1]["duplicate"] is True
    async with api.get(f"{EMERGENCY}/plans/{plan['planId']}") as answer:
        assert (await answer.json())["reason"] == "the night was lost"


async def test_a_plan_that_waits_can_be_deleted(api: Api, app: App) -> None:
    _, plan = await asked(api, ALL, {**WISH, "delayMinutes": 10})
    path = f"{EMERGENCY}/plans/{plan['planId']}"
    status, cancelled = await asked(api, path, {"by": "eve"}, "DELETE")
    assert (status, cancelled["state"]) == (200, "cancelled")
    assert app.ledger is not None
    assert [it.action for it in await app.ledger.audit()] == ["emergency.cancel", "emergency.trigger"]


async def test_a_trigger_for_one_company_makes_its_report_by_a_task(api: Api, app: App) -> None:
    path = ONE.replace("acme", "blue")
    status, plan = await asked(api, path, WISH)
    assert (status, plan["state"]) == (202, "canary")
    task = await asyncio.wait_for(app.worker.wait_for(plan["taskId"]), 20)
    assert task is not None
    assert task.state.value == "completed", task.error
    assert app.ledger is not None
    (row,) = [it for it in await app.ledger.obligations(DAY) if it.company_id == "blue"]
    assert (row.status.is_delivered, row.plan_id) == (True, plan["planId"])


async def test_a_dry_run_promises_nothing(api: Api, app: App) -> None:
    status, plan = await asked(api, ALL, {**WISH, "dryRun": True})
    assert (status, plan["planId"], plan["counts"]["willSend"]) == (202, None, 1)
    assert app.ledger is not None
    assert {it.status for it in await app.ledger.obligations(DAY)} == {Status.DELIVERED}


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (ALL, {}, 400, "missing required field `reason`"),
        (ALL, {"reason": " "}, 400, "reason: say why"),
        (ALL, {**WISH, "delayMinutes": -1}, 400, "delayMinutes"),
        (ALL, {**WISH, "date": "soon"}, 400, '"soon" is no date'),
        (ALL, {**WISH, "force": "plan-x"}, 400, "there is no plan"),
        (ONE.replace("acme", "nobody"), WISH, 404, "there is no company"),
    ],
    ids=["nothing", "no reason", "negative delay", "no date", "no plan", "no company"],
)
async def test_what_makes_no_sense_is_refused(api: Api, path: str, body: Any, status: int, said: str) -> None:
    code, problem = await asked(api, path, body)
    assert (code, said in problem["detail"]) == (status, True), problem


async def test_a_plan_that_is_not_there_is_not_found(api: Api) -> None:
    async with api.get(f"{EMERGENCY}/plans/plan-x") as answer:
        assert answer.status == 404

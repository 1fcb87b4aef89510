"""The routes of reports, asked over their socket."""

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
from daemon.loops import repeat
from daemon.operations import Operations
from daemon.web.server import serving
from state.home import Home
from state.ledger.errors import LedgerDown, LedgerError, LedgerFull
from state.ledger.records import Status
from tests.contracts.ledgers import company, outcome, owed, sent

Api = aiohttp.ClientSession
NEVER = "0 0 29 2 *"
DAY = date(2024, 2, 29)  # long past, whatever the clock of the machine says
AT = datetime(2024, 2, 29, 5, tzinfo=UTC)


@pytest.fixture
async def reporting(tmp_path: Path, home: Home) -> AsyncIterator[App]:
    """An app with one report delivered, one excused and one that failed, all of a day long ago."""
    config = tmp_path / "orchestrator_config.json"
    config.write_text(
        json.dumps({"reports": {}, "schedules": {"hello": {"command": ["true"], "cron": NEVER}}})
    )
    async with App.opened(prepare(config, {}), home, SystemClock()) as app:
        await app.begin()
        saving = asyncio.create_task(repeat(app.saver, app.clock))
        ledger = app.ledger
        assert ledger is not None
        roster = [company("acme"), company("blue"), company("calm")]
        await ledger.import_companies([roster], import_id="i", now=AT, on=DAY, source="test")
        await ledger.plan([owed("calm", DAY, status=Status.EXCUSED, reason="paused"), owed("acme", DAY)], AT)
        (one,) = await sent(ledger, "anna", AT)
        await ledger.record_outcomes("anna", [outcome(one, at=AT, proof="250 queued as 1")])
        await ledger.plan([owed("blue", DAY)], AT)
        (lost,) = await sent(ledger, "anna", AT)
        await ledger.record_outcomes("anna", [outcome(lost, at=AT, status=Status.FAILED, error="550 no")])
        yield app
        await app.end()
        saving.cancel()


@pytest.fixture
async def api(reporting: App, home: Home) -> AsyncIterator[Api]:
    connector = aiohttp.UnixConnector(str(home.control_socket))
    async with (
        serving(Operations(reporting), home.control_socket),
        aiohttp.ClientSession("http://localhost", connector=connector) as session,
    ):
        yield session


async def get(api: Api, path: str, status: int = 200) -> Any:
    async with api.get(path) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json(content_type=None)


async def post(api: Api, path: str, body: Any) -> tuple[int, Any]:
    async with api.post(path, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_reports_are_listed_page_by_page(api: Api) -> None:
    async with api.get("/api/reports?date=2024-02-29&limit=2") as answer:
        rows = await answer.json()
        assert ([row["companyId"] for row in rows], answer.headers["X-Total-Count"]) == (
            ["acme", "blue"],
            "3",
        )
    assert [row["companyId"] for row in await get(api, "/api/reports?date=2024-02-29&cursor=blue")] == [
        "calm"
    ]
    assert len(await get(api, "/api/reports?date=2024-02-29&status=failed")) == 1
    assert "nope" in (await get(api, "/api/reports?status=nope", 400))["detail"]
    assert "is no date" in (await get(api, "/api/reports?date=soon", 400))["detail"]
    lacking = await get(api, "/api/reports/missing?date=2024-02-29")
    assert [row["companyId"] for row in lacking] == ["blue"]


async def test_one_report_is_told_with_its_cause(api: Api) -> None:
    found = await get(api, "/api/reports/acme/2024-02-29")
    assert (found["status"], found["report"]) == ("delivered", None)
    assert "250 queued as 1" in found["why"]
    whole = await get(api, "/api/why/blue/2024-02-29")
    assert (whole["decidedBy"], whole["status"]) == ("attempt.failed", "failed")
    assert (await get(api, "/api/why/acme/newest"))["companyId"] == "acme"
    assert "was ever on the roster" in (await get(api, "/api/why/nobody/2024-02-29", 404))["detail"]


async def test_coverage_is_one_answer_or_one_for_each_day(api: Api) -> None:
    one = await get(api, "/api/coverage?date=2024-02-29")
    assert (one["expected"], one["delivered"], one["percent"]) == (3, 1, 50.0)
    several = await get(api, "/api/coverage?date=2024-02-29&days=2")
    assert [row["date"] for row in several] == ["2024-02-29", "2024-02-28"]


async def test_a_word_settles_a_report(api: Api) -> None:
    path = "/api/reports/blue/2024-02-29/resolve"
    code, settled = await post(api, path, {"as": "delivered", "by": "bert"})
    assert (code, settled["status"], settled["reason"]) == (200, "delivered", "resolved as delivered by bert")
    code, problem = await post(api, path, {"as": "delivered"})
    assert (code, "only what failed" in problem["detail"]) == (400, True)
    assert (await post(api, path, {}))[0] == 400
    assert (await post(api, path, {"as_": "delivered"}))[0] == 400


async def test_a_certificate_is_written_and_proved(api: Api) -> None:
    await get(api, "/api/certificates/2024-02-29/verify", 404)
    code, made = await post(api, "/api/certificates/2024-02-29", {})
    assert (code, made["rows"]) == (201, 3)
    assert (await get(api, "/api/certificates/2024-02-29/verify"))["hash"] == made["hash"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"date": "2024-02-29", "from": "2024-02-28", "to": "2024-02-29"}, "and not both"),
        ({"from": "2024-02-28"}, "a range has both"),
        ({"from": "2024-02-29", "to": "2024-02-28"}, "is no range of 1 to 366"),
        ({"from": "2020-01-01", "to": "2024-02-28"}, "is no range of 1 to 366"),
        ({"date": "yesterday"}, "is no date"),
        ({"day": "2024-02-29"}, "day"),
        ({"date": "9999-12-31"}, "is owed to nobody yet"),
        ({"company": "nobody"}, "was ever on the roster"),
    ],
    ids=["both", "half", "backwards", "long", "no-date", "unknown-field", "future", "nobody"],
)
async def test_what_cannot_be_ensured_is_refused(body: dict[str, str], told: str, api: Api) -> None:
    code, problem = await post(api, "/api/reports/ensure", body)
    assert (code in (400, 404), told in problem["detail"]) == (True, True), problem


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LedgerDown("it does not answer"), 503),
        (LedgerFull("its disk is full"), 507),
        (LedgerError("no"), 503),
    ],
    ids=["down", "full", "refused"],
)
async def test_a_ledger_that_does_not_answer_is_told_as_that(
    error: LedgerError, status: int, api: Api, reporting: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(reporting.ledger, "counts", refuse)
    assert (await get(api, "/api/coverage", status))["detail"] == str(error)

"""The routes of the health, asked over their socket."""

import asyncio
from http import HTTPStatus
from typing import Any

import aiohttp

from daemon.app import App
from state.records import Severity

Api = aiohttp.ClientSession


async def answer(api: Api, path: str) -> Any:
    async with api.get(path) as response:
        assert response.status == HTTPStatus.OK
        return await response.json()


async def test_the_health_of_a_running_house_is_measured(api: Api) -> None:
    found = await answer(api, "/api/reports/system/health?deep=1")
    assert found["components"]["state"]["status"] == "ok"
    assert found["components"]["state"]["latencyMs"] > 0
    assert found["components"]["redis"]["status"] == "off"
    assert found["components"]["channel:log"]["latencyMs"] is not None
    assert found["reports"] is None


async def test_the_queues_are_told_by_lane(api: Api) -> None:
    found = await answer(api, "/api/queues")
    assert found["ledger"] == {"status": "off", "loads": []}
    assert found["lanes"]["normal"].keys() == {"depth", "later", "running", "oldestAgeS"}


async def test_a_link_that_is_none_or_is_not_configured_is_refused(api: Api) -> None:
    for name, text in (("moon", "is no link"), ("redis", "redis.url is not set")):
        async with api.post("/api/links/check", json={"name": name}) as response:
            assert response.status == HTTPStatus.BAD_REQUEST
            assert text in (await response.json())["detail"]


async def test_without_reports_there_is_nothing_to_review(api: Api) -> None:
    async with api.get("/api/completion") as response:
        assert response.status == HTTPStatus.BAD_REQUEST


async def test_a_component_that_is_down_is_the_status_code_and_its_own_field(api: Api, app: App) -> None:
    await app.alerts.fire("loop.dead", severity=Severity.CRITICAL, summary="The loop scheduler has stopped")
    async with api.get("/api/reports/system/health") as response:
        assert response.status == HTTPStatus.SERVICE_UNAVAILABLE
        found = await response.json()
    down = [name for name, part in found["components"].items() if part["status"] == "down"]
    assert (found["status"], down) == ("down", ["scheduler"])
    assert "detail" not in found  # by which the command line tells it from a refusal


async def test_many_who_ask_at_once_are_measured_for_once(api: Api, app: App) -> None:
    await answer(api, "/livez")
    before = app.store.generation
    await asyncio.gather(*(answer(api, "/api/reports/system/health") for _ in range(20)))
    assert app.store.generation - before <= 2

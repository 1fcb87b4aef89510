"""The routes of the health, asked over their socket."""

from http import HTTPStatus
from typing import Any

import aiohttp

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

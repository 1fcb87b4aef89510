"""The routes of the page's figures, asked over their socket; their answers are as they are described."""

from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from msgspec import convert

from daemon.web.answers import figures
from daemon.web.runs import RUN_ROUTES

Api = aiohttp.ClientSession


async def answer(api: Api, path: str) -> Any:
    async with api.get(path) as response:
        assert response.status == HTTPStatus.OK
        return await response.json()


async def test_today_is_told_also_where_no_reports_are_made(api: Api) -> None:
    found = await answer(api, "/api/today")
    told = convert(found, figures.Today)
    assert (told.coverage, told.missing_total) == (None, 0)
    assert [(it.name, it.type, it.status) for it in told.channels] == [("log", "log", "untried")]


async def test_the_rates_are_of_as_many_dates_as_were_asked_for(api: Api) -> None:
    found = convert(await answer(api, "/api/rates?days=7"), figures.RatesByDate)
    assert (found.days, len(found.runs), found.reports) == (7, 7, [])
    assert len((await answer(api, "/api/rates"))["runs"]) == 30


@pytest.mark.parametrize(
    "path", ["/api/rates?days=91", "/api/rates?days=0", "/api/schedules/hello/runs?limit=x"]
)
async def test_what_is_no_number_of_days_is_refused(api: Api, path: str) -> None:
    async with api.get(path) as response:
        assert response.status == HTTPStatus.BAD_REQUEST


async def test_a_schedule_that_never_ran_has_no_runs_and_an_unknown_one_is_not_found(api: Api) -> None:
    assert await answer(api, "/api/schedules/hello/runs") == []
    async with api.get("/api/schedules/hullo/runs") as response:
        assert response.status == HTTPStatus.NOT_FOUND
        assert "hello" in (await response.json())["detail"]


def test_every_route_says_what_it_gives() -> None:
    assert all(route.gives is not None for route in RUN_ROUTES)

"""Facts over HTTP: how they are asked for, and answers that are none."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from daemon.notify.base import Failure
from daemon.secret import Secret
from handlers.reporting.base import Facts, SourceError
from handlers.reporting.sources.http import LONGEST_ANSWER
from tests.handlers.reporting.shops import source

DAY = date(2026, 11, 21)


@dataclass
class Program:
    """Somebody's web program that answers everything alike."""

    status: int = 200
    body: bytes = b"[]"
    url: str = ""
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, await request.read()))
        return web.Response(status=self.status, body=self.body, headers={"Location": "/elsewhere"})


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    made = Program()
    async with _served(made):
        yield made


@asynccontextmanager
async def _served(program: Program) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", program.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    program.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    try:
        yield
    finally:
        await runner.cleanup()


async def asked(
    program: Program, facts: str, companies: Sequence[str] = ("acme",), **more: Any
) -> dict[str, Facts]:
    """The facts of the companies by this question."""
    opened = source(Path(), type="http", url=Secret(program.url), facts=facts, **more)
    try:
        return dict(await opened.facts(DAY, companies))
    finally:
        await opened.close()


async def test_a_get_has_its_parameters_in_the_address(program: Program) -> None:
    await asked(program, "GET /facts?date=$date&companies=$companies", ("acme", "zoo"))
    assert program.asked == [("GET", "/api/facts?date=2026-11-21&companies=acme,zoo", b"")]


async def test_a_post_has_them_in_its_body(program: Program) -> None:
    await asked(program, "POST facts", ("acme", "zoo"))
    assert program.asked == [("POST", "/api/facts", b'{"date":"2026-11-21","companies":["acme","zoo"]}')]


async def test_a_question_for_one_company_is_asked_for_each(program: Program) -> None:
    program.body = b'{"orders": 3}'
    found = await asked(program, "/companies/$company/facts?date=$date", ("acme", "zoo"))
    assert [path for _, path, _ in program.asked] == [
        "/api/companies/acme/facts?date=2026-11-21",
        "/api/companies/zoo/facts?date=2026-11-21",
    ]
    assert found["zoo"].values == {"orders": 3}


async def test_a_long_list_of_companies_goes_in_several_requests(program: Program) -> None:
    names = [f"company-{number}" for number in range(120)]
    await asked(program, "GET /facts?date=$date&companies=$companies", names)
    assert [path.count("company-") for _, path, _ in program.asked] == [50, 50, 20]


async def test_a_name_cannot_leave_its_place_in_the_address(program: Program) -> None:
    program.body = b'{"orders": 3}'
    await asked(program, "/companies/$company", ("../../x?y#z@h",))
    assert program.asked[0][1] == "/api/companies/..%2F..%2Fx%3Fy%23z@h"


@pytest.mark.parametrize(
    "line",
    ["PUT /x", "GET https://evil.example/", "DELETE /x", "GET /a b", "https://evil.example/x", "GET /x\ty"],
)
def test_what_is_no_question_is_refused_at_once(line: str) -> None:
    with pytest.raises(ValueError, match=r"^reports\.source\.facts: .* is no question; write GET or POST"):
        source(Path(), type="http", url=Secret("https://a.example"), facts=line)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (301, Failure.PERMANENT),
        (401, Failure.PERMANENT),
        (404, Failure.PERMANENT),
        (408, Failure.TRANSIENT),
        (429, Failure.TRANSIENT),
        (500, Failure.TRANSIENT),
        (503, Failure.TRANSIENT),
    ],
)
async def test_a_status_is_told_and_says_whether_to_ask_again(
    program: Program, status: int, failure: Failure
) -> None:
    program.status, program.body = status, b"the-token-and-more"
    with pytest.raises(SourceError, match=f"^source.facts: the server answered {status}; ") as caught:
        await asked(program, "POST /facts", token=Secret("the-token-and-more"))
    assert caught.value.failure is failure
    assert "the-token" not in str(caught.value)
    assert len(program.asked) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'"text"', b"7", b"[1]", b'{"facts": 1}', b'[{"company": "acme"', b"\xff\xfe", b"null"],
    ids=["nothing", "html", "text", "number", "numbers", "object", "half", "bytes", "null"],
)
async def test_an_answer_that_is_no_list_of_objects_is_refused(program: Program, body: bytes) -> None:
    program.body = body
    with pytest.raises(SourceError, match=r"^source\.facts: the answer is no ") as caught:
        await asked(program, "POST /facts")
    assert caught.value.is_permanent


async def test_an_answer_beyond_measure_is_refused(program: Program) -> None:
    program.body = b'[{"company": "acme", "x": "' + b"x" * LONGEST_ANSWER + b'"}]'
    with pytest.raises(SourceError, match="no whole JSON of at most 16 MiB"):
        await asked(program, "POST /facts")


async def test_words_of_the_address_and_the_token_are_left_in_the_facts(program: Program) -> None:
    program.body = b'[{"company": "acme", "note": "Bearer of reports, secret-word"}]'
    found = await asked(program, "POST /reports", token=Secret("secret-word"))
    assert found["acme"].values == {"note": "Bearer of reports, secret-word"}


async def test_a_server_that_is_not_there_is_told_by_its_host(program: Program) -> None:
    program.url = "http://127.0.0.1:1/key-in-the-address"
    with pytest.raises(
        SourceError, match=r"^source\.facts: 127\.0\.0\.1: not reached .*source\.url"
    ) as caught:
        await asked(program, "POST /facts")
    assert "key-in-the-address" not in str(caught.value)
    assert caught.value.failure is Failure.TRANSIENT


async def test_private_addresses_are_for_those_who_allow_them(program: Program) -> None:
    opened = source(Path(), allow_private=False, type="http", url=Secret(program.url), facts="POST /facts")
    with pytest.raises(SourceError, match="only https is used"):
        await opened.facts(DAY, ["acme"])
    await opened.close()
    assert program.asked == []


def test_without_an_address_it_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r"source\.url: a http source needs it"):
        source(Path(), type="http", facts="POST /facts")

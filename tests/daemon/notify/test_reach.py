"""How far one gets without a message, and how it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daemon.clock import SystemClock
from daemon.notify.http import HttpClient
from daemon.notify.reach import ask, reach
from tests.daemon.notify.receivers import PATH, TOKEN, Script, hanging_up, receiver, saying, silent


@asynccontextmanager
async def client(*, allow_private: bool = True) -> AsyncIterator[HttpClient]:
    made = HttpClient(allow_private=allow_private, connect_s=0.5, silence_s=0.3)
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 405, 500])
async def test_any_answer_proves_the_way_and_no_more(status: int) -> None:
    async with receiver(saying(status)) as there, client() as http:
        step = await reach(http, SystemClock(), there.url)
    assert step.is_ok
    assert step.name == "connect"
    assert step.detail.startswith(f"reached, answered {status}; whether it takes messages")
    assert 0 <= step.took_s < 5
    assert there.heads[0].startswith(f"HEAD {PATH} ".encode())
    assert there.bodies == [b""]


@pytest.mark.parametrize("script", [silent, hanging_up])
async def test_without_an_answer_the_step_has_failed_and_speaks_of_no_message(script: Script) -> None:
    async with receiver(script) as there, client() as http:
        step = await reach(http, SystemClock(), there.url)
    assert not step.is_ok
    assert step.detail.startswith("127.0.0.1: no answer (")
    assert "message" not in step.detail
    assert TOKEN not in step.detail


async def test_who_is_not_there_is_told_as_not_reached() -> None:
    async with receiver(silent) as gone:
        url = gone.url
    async with client() as http:
        step = await reach(http, SystemClock(), url)
    assert not step.is_ok
    assert step.detail.startswith("127.0.0.1: not reached (")
    assert "sent" not in step.detail


async def test_an_address_that_is_not_allowed_says_what_to_set() -> None:
    async with client(allow_private=False) as http:
        step = await reach(http, SystemClock(), f"https://127.0.0.1:1{PATH}")
    assert not step.is_ok
    assert "set network.allowPrivate" in step.detail


async def test_a_question_goes_out_as_it_was_meant_and_its_answer_comes_back() -> None:
    async with receiver(saying(200, "yes")) as there, client() as http:
        answer, step = await ask(
            http, SystemClock(), "POST", there.url, name="token", body=b"a=1", headers={"X-Id": "7"}
        )
    assert answer is not None
    assert answer.text == "yes"
    assert (step.name, step.is_ok, step.detail) == ("token", True, "answered 200")
    assert there.bodies == [b"a=1"]
    assert b"X-Id: 7\r\n" in there.heads[0]

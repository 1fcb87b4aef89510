"""The ladder as the config has it, asking real servers over HTTP."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from daemon.config.reporting import LlmSection, ProviderSection
from daemon.notify.http import HttpClient
from handlers.llm.base import Prose
from handlers.llm.chain import Ladder
from handlers.llm.opening import identity_of, llm_http, open_ladder
from handlers.llm.probing import try_out
from tests.daemon.notify.receivers import TOKEN, Script, dripping_body, receiver, saying, silent
from tests.handlers.conftest import World
from tests.handlers.llm.briefs import RIGHT, brief
from tests.handlers.llm.llm_servers import anthropic, openai, openai_error, section
from tests.handlers.llm.payloads import PAYLOADS

HOUR = timedelta(hours=1)


@asynccontextmanager
async def opened(world: World, *providers: ProviderSection) -> AsyncIterator[Ladder]:
    made = LlmSection(providers=providers)
    # Silence is ended by the clock of the test, long before this.
    http = HttpClient(allow_private=True, silence_s=20, longest_s=20)
    ladder = open_ladder(made, http, world.store, world.house.alerts, world.clock)
    try:
        yield ladder
    finally:
        await ladder.close()
        await http.close()


async def write(world: World, ladder: Ladder, **fields: Any) -> Prose:
    return await ladder.write(brief(**fields), deadline=world.clock.now() + HOUR)


async def hung(world: World, ladder: Ladder, *there: Any) -> Prose:
    """Write while each of these has been asked and does not answer, until its time is over."""
    writing = asyncio.ensure_future(write(world, ladder))
    for server in there:
        async with asyncio.timeout(5):
            await server.arrived.wait()
        await world.clock.advance(seconds=61)
    return await writing


@pytest.mark.parametrize("speaks", ["openai", "anthropic"])
async def test_a_strict_server_writes_the_report(world: World, speaks: str) -> None:
    server = openai if speaks == "openai" else anthropic
    priced = {"price_in": 3.0, "price_out": 15.0}
    async with (
        server(lambda _: RIGHT) as there,
        opened(world, section(speaks, there.port, **priced)) as ladder,
    ):
        prose = await write(world, ladder)
    assert (prose.text, prose.rung, prose.is_degraded) == (RIGHT, "main", False)
    assert prose.cost_usd == pytest.approx((700 * 3 + 60 * 15) / 1e6)


FAULTS: dict[str, Script] = {
    "429 for ten minutes": saying(429, "", Retry_After="600"),
    "500": saying(500, "", x_should_retry="false"),
    "garbage": saying(200, '{"is_this": "what you want?"}'),
    "context overflow": saying(400, openai_error("context_length_exceeded")),
    "no money": saying(429, openai_error("insufficient_quota")),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_the_second_provider_writes_what_the_first_one_does_not(world: World, fault: Script) -> None:
    async with (
        receiver(fault) as broken,
        anthropic(lambda _: RIGHT) as there,
        opened(world, section("openai", broken.port, "a"), section("anthropic", there.port, "b")) as ladder,
    ):
        prose = await write(world, ladder)
    assert (prose.text, prose.rung, prose.is_degraded) == (RIGHT, "b", True)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_the_template_writes_what_nobody_else_does_and_says_so(world: World, fault: Script) -> None:
    async with (
        receiver(fault) as there,
        opened(world, section("openai", there.port, "a"), section("anthropic", there.port, "b")) as ladder,
    ):
        prose = await write(world, ladder)
    assert (prose.rung, prose.is_degraded) == ("template", True)
    assert [(it.provider, it.trouble is None) for it in prose.tries] == [("a", False), ("b", False)]
    assert "1,234" in prose.text


async def test_all_of_them_hang_and_the_template_writes_in_time(world: World) -> None:
    async with (
        receiver(silent) as first,
        receiver(dripping_body) as second,
        opened(world, section("openai", first.port, "a"), section("anthropic", second.port, "b")) as ladder,
    ):
        began = world.clock.now()
        prose = await hung(world, ladder, first, second)
    assert prose.rung == "template"
    assert prose.text
    assert [it.trouble for it in prose.tries] == ["timeout", "timeout"]
    assert world.clock.now() - began < timedelta(minutes=3)


async def test_nothing_that_is_told_or_kept_holds_the_key(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        receiver(saying(401, openai_error("invalid_api_key", message=f"wrong: {TOKEN}"))) as there,
        opened(world, section("openai", there.port)) as ladder,
    ):
        prose = await write(world, ladder)
        steps = await try_out(ladder.rungs, world.clock)
        told = repr((prose, steps, ladder.standings(), world.store.notes, world.house.alerts.open))
    assert TOKEN not in told + caplog.text + repr([vars(record) for record in caplog.records])
    assert "apiKey" in steps[0].detail
    assert world.open_alerts() == ["llm.provider-down"]


async def test_a_model_that_obeys_strangers_reaches_no_report(world: World) -> None:
    def obey(question: dict[str, Any]) -> str:
        data = question["messages"][1]["content"].split("\n")[1]
        return f"{RIGHT} {json.loads(data)['facts']['note']}"

    async with openai(obey) as there, opened(world, section("openai", there.port)) as ladder:
        for payload in PAYLOADS[::9]:
            prose = await write(world, ladder, values={"note": payload, "flights": 1})
            assert prose.rung == "template"
        assert ladder.tallies["main"].calls == {"bad-output": len(PAYLOADS[::9])}


async def test_a_company_is_told_nothing_of_another(world: World) -> None:
    async with openai() as there, opened(world, section("openai", there.port)) as ladder:
        for company in ("alpha", "beta"):
            await write(world, ladder, company=company, company_name=company, values={f"{company}_x": 1})
    first, second = (json.dumps(asked) for asked in there.payloads)
    assert ("alpha" in first, "beta" in first) == (True, False)
    assert ("alpha" in second, "beta" in second) == (False, True)


def test_another_model_under_the_same_name_is_somebody_else_and_another_key_is_not() -> None:
    made = section("openai", 80)
    assert identity_of(made) == identity_of(section("openai", 80, api_key=None))
    assert identity_of(made) != identity_of(section("openai", 80, model="model-2"))
    assert identity_of(made) != identity_of(section("openai", 81))


async def test_the_client_bears_the_slowest_provider() -> None:
    slow = section("openai", 80, timeout=timedelta(minutes=5), concurrency=9)
    http = llm_http(LlmSection(providers=(slow,)), allow_private=False)
    assert (http._silence_s, http._longest_s, http._per_host) == (300, 300, 9)
    assert await http.close() is None

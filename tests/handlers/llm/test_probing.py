"""Providers asked again by the daemon itself: no report has to be written for an alert to end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.config.reporting import LlmSection, ProviderSection, ReportsSection
from daemon.config.sections import NetworkSection
from daemon.engine.brought import load_parts
from handlers.llm.base import Prompt, Trouble
from handlers.llm.checking import Checked
from handlers.llm.opening import ladder_of
from tests.daemon.notify.receivers import Receiver, receiver, saying
from tests.handlers.llm.llm_servers import answering, openai_answer, openai_error, section
from tests.house import House

REFUSES = saying(429, openai_error("insufficient_quota"))
ANSWERS = answering(openai_answer("ready"))
HOUR = timedelta(hours=1)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    made.brought, problems = load_parts(["handlers"])
    assert problems == []
    made.parts = ("llm-probing",)
    yield made
    await made.close()


def configure(house: House, *providers: ProviderSection) -> None:
    llm, network = LlmSection(providers=providers), NetworkSection(allow_private=True)
    house.config = replace(house.config, reports=ReportsSection(), llm=llm, network=network)


async def refused(house: House, there: Receiver) -> None:
    """Have a report's question refused for want of money."""
    configure(house, section("openai", there.port))
    app = await house.start()
    (rung,) = (await ladder_of(app._services)).rungs
    question = Prompt(system="s", user="u", fence="")
    result = await rung.ask(question, lambda it: Checked(text=it, problem=None), 30.0)
    assert result.failure is not None
    assert result.failure.trouble is Trouble.MONEY
    assert house.alerts == ["llm.provider-down"]


async def settled(house: House, there: Receiver, questions: int) -> None:
    """Wait, for a few real seconds at most, until the server has been asked so often and was heard."""
    async with asyncio.timeout(5):
        while len(there.bodies) < questions or not await _is_heard(house):
            await asyncio.sleep(0)


async def _is_heard(house: House) -> bool:
    await house.settle()
    ladder = await ladder_of(house.app._services)
    return all(it.circuit.may_ask or it.circuit.standing == "open" for it in ladder.rungs)


async def test_an_alert_ends_when_the_provider_is_well_again_though_no_report_is_written(
    house: House,
) -> None:
    async with receiver(REFUSES, ANSWERS) as there:
        await refused(house, there)
        await house.clock.advance(minutes=59)
        assert len(there.bodies) == 1
        await house.clock.advance(minutes=1)
        await settled(house, there, 2)
    assert house.alerts == []


async def test_one_that_still_refuses_is_left_alone_for_another_hour(house: House) -> None:
    async with receiver(REFUSES, REFUSES, ANSWERS) as there:
        await refused(house, there)
        await house.clock.advance(HOUR)
        await settled(house, there, 2)
        assert house.alerts == ["llm.provider-down"]
        await house.clock.advance(minutes=59)
        assert len(there.bodies) == 2
        await house.clock.advance(minutes=1)
        await settled(house, there, 3)
    assert house.alerts == []


async def test_after_a_reload_the_new_ladder_is_asked(house: House) -> None:
    async with receiver(REFUSES, ANSWERS) as there:
        await refused(house, there)
        before = await ladder_of(house.app._services)
        await house.app.adopt(house.prepared)
        assert await ladder_of(house.app._services) is not before
        await house.clock.advance(HOUR)
        await settled(house, there, 2)
    assert house.alerts == []


async def test_a_provider_that_was_taken_out_of_the_config_leaves_no_alert_behind(house: House) -> None:
    async with receiver(REFUSES) as there:
        await refused(house, there)
        configure(house)
        await house.app.adopt(house.prepared)
        await house.clock.advance(minutes=1)
        assert house.alerts == []
        assert len(there.bodies) == 1


async def test_a_restart_forgets_no_rest_and_asks_when_it_is_over(house: House) -> None:
    async with receiver(REFUSES, ANSWERS) as there:
        await refused(house, there)
        await house.stop()
        await house.start()
        await house.clock.advance(minutes=50)
        assert (len(there.bodies), house.alerts) == (1, ["llm.provider-down"])
        await house.clock.advance(minutes=10)
        await settled(house, there, 2)
    assert house.alerts == []

"""Every provider asked for one word: those that answer, and those that do not, side by side."""

from dataclasses import replace
from typing import Any

from daemon.config.reporting import LlmSection, ProviderSection
from daemon.config.sections import NetworkSection
from daemon.engine.handler import Done
from handlers.try_llm import try_llm
from tests.daemon.notify.receivers import TOKEN
from tests.handlers.conftest import World
from tests.handlers.llm.llm_servers import anthropic, openai, section


async def tried(world: World, *providers: ProviderSection) -> list[dict[str, Any]]:
    llm = LlmSection(providers=providers)
    network = NetworkSection(allow_private=True)
    world.house = replace(world.house, config=replace(world.house.config, llm=llm, network=network))
    try:
        done = await try_llm(world.context("try-llm"))
    finally:
        await world.house.kept.close()
    assert isinstance(done, Done)
    found: list[dict[str, Any]] = done.summary["providers"]
    return found


async def test_providers_that_answer_are_told_with_their_tokens(world: World) -> None:
    async with openai(lambda _: "ready") as one, anthropic(lambda _: "ready") as two:
        found = await tried(world, section("openai", one.port, "one"), section("anthropic", two.port, "two"))
    assert [(it["channel"], it["ok"]) for it in found] == [("one", True), ("two", True)]
    assert "760 tokens" in found[0]["steps"][0]["detail"]


async def test_a_provider_that_is_away_is_told_beside_one_that_answers(world: World) -> None:
    async with openai(lambda _: "ready") as one:
        gone = section("openai", 1, "gone")
        found = await tried(world, gone, section("openai", one.port, "one"))
    assert [(it["channel"], it["ok"]) for it in found] == [("gone", False), ("one", True)]
    assert TOKEN not in str(found)


async def test_without_providers_nobody_is_asked(world: World) -> None:
    assert await tried(world) == []

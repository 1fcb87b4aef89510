"""Answers that no report may hold, over each provider's wire: none goes into one, and the template writes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from daemon.config.reporting import LlmSection, ProviderSection
from daemon.notify.http import HttpClient
from handlers.llm.base import Trouble
from handlers.llm.chain import Ladder
from handlers.llm.opening import open_ladder
from tests.daemon.notify.receivers import receiver, saying
from tests.handlers.conftest import World
from tests.handlers.llm.briefs import OTHERS, RIGHT, brief
from tests.handlers.llm.llm_servers import anthropic_answer, openai_answer, section

HOUR = timedelta(hours=1)
ENDED = {"openai": "stop", "anthropic": "end_turn"}
CUT_OFF = {"openai": "length", "anthropic": "max_tokens"}
ANSWERS = {"openai": openai_answer, "anthropic": anthropic_answer}
BAD: dict[str, str] = {
    "empty": "",
    "invented figure": f"{RIGHT} It earned 48,211 dollars.",
    "another company": f"{RIGHT} Delta Air Lines did worse.",
    "HTML": f"{RIGHT} <b>Well done</b>",
    "script": f"{RIGHT} <script>alert()</script>",
    "link": f"{RIGHT} See https://evil.example/x for more.",
    "link in disguise": f"{RIGHT} [More](evil.example).",
}


@asynccontextmanager
async def asking(world: World, one: ProviderSection) -> AsyncIterator[Ladder]:
    http = HttpClient(allow_private=True, silence_s=20, longest_s=20)
    ladder = open_ladder(LlmSection(providers=(one,)), http, world.store, world.house.alerts, world.clock)
    try:
        yield ladder
    finally:
        await ladder.close()
        await http.close()


async def check(world: World, speaks: str, body: dict[str, Any], trouble: Trouble, barb: str) -> None:
    """Have it answer so, and see that nothing of it is in the prose."""
    async with (
        receiver(saying(200, json.dumps(body))) as there,
        asking(world, section(speaks, there.port)) as ladder,
    ):
        prose = await ladder.write(brief(others=OTHERS), deadline=world.clock.now() + HOUR)
        standings = ladder.standings()
    assert (prose.rung, prose.is_degraded) == ("template", True)
    assert [it.trouble for it in prose.tries] == [trouble]
    assert not barb or barb not in prose.text
    assert "1,234" in prose.text
    assert [it["standing"] for it in standings] == ["closed"], "one company's prose closes nothing"


@pytest.mark.parametrize("speaks", ANSWERS)
@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
async def test_an_answer_that_is_no_good_goes_into_no_report(world: World, speaks: str, text: str) -> None:
    body = ANSWERS[speaks](text, ENDED[speaks])
    await check(world, speaks, body, Trouble.BAD_OUTPUT, text.removeprefix(RIGHT).strip())


@pytest.mark.parametrize("speaks", ANSWERS)
async def test_an_answer_that_was_cut_off_goes_into_no_report(world: World, speaks: str) -> None:
    body = ANSWERS[speaks](RIGHT[:80], CUT_OFF[speaks])
    await check(world, speaks, body, Trouble.CUT, RIGHT[:80])

"""What a run of the writer leaves in the metrics: reports by rung, sends by channel, calls by provider."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from daemon.notify.base import ChannelError, Failure
from handlers.llm.base import Trouble
from handlers.reporting.tally import Tally
from tests.handlers.llm.llm_servers import KEY, MODEL, openai
from tests.handlers.reporting.newsroom import Newsroom, newsroom

PRICE = {"priceIn": 3.0, "priceOut": 15.0}
COST_USD = (700 * PRICE["priceIn"] + 60 * PRICE["priceOut"]) / 1e6


def provider(port: int, **fields: Any) -> dict[str, Any]:
    address = f"http://127.0.0.1:{port}/v1"
    return {"providers": [{"name": "main", "type": "openai", "baseUrl": address, "model": MODEL, **fields}]}


async def worked(room: Newsroom) -> Tally:
    """Work, while the clock goes on."""
    working = asyncio.create_task(room.work())
    while not working.done():
        await room.clock.advance(seconds=1)
    return await working


async def test_a_report_by_a_model_counts_its_call_its_tokens_and_its_cost(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    key = {"apiKey": f"file:{tmp_path / 'key'}"}
    async with openai(lambda _: "The company had 12 orders, no more and no less, on that day.") as there:
        room = Newsroom(tmp_path, llm=provider(there.port, **PRICE, **key))
        room.sell(("acme", 12, 340.5))
        await room.open()
        await room.serve("acme")
        assert (await worked(room)).delivered == 1
        await room.close()
    assert room.meters.llm_calls.values[("main", "answered")] == 1
    assert room.meters.llm_tokens.values == {("main",): 760}
    assert room.meters.llm_cost.values[("main",)] == pytest.approx(COST_USD)
    assert room.meters.reports.values == {("main", "delivered"): 1}
    assert room.meters.sends.values == {("team", "delivered"): 1}


async def test_with_the_model_away_the_template_counts(tmp_path: Path) -> None:
    async with newsroom(tmp_path, llm=provider(9)) as room:
        await room.serve("acme", "bolt")
        assert (await worked(room)).degraded == 2
        assert room.meters.reports.values == {("template", "delivered-degraded"): 2}
        calls = room.meters.llm_calls.values
        assert calls[("main", "answered")] == 0
        assert sum(calls.values()) > 0
        assert calls.keys() == {("main", it) for it in ("answered", *Trouble)}


async def test_what_is_refused_for_good_counts_as_failed(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room:
        room.team.failing = [ChannelError("no", failure=Failure.PERMANENT)]
        await room.serve("acme")
        assert (await worked(room)).failed == 1
        assert room.meters.sends.values == {("team", "failed"): 1}
        assert room.meters.reports.values == {("template", "failed"): 1}


async def test_a_report_that_was_never_written_counts_without_a_rung(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room:
        await room.serve("acme", channel="gone")
        assert (await worked(room)).failed == 1
        assert room.meters.reports.values == {("none", "failed"): 1}
        assert room.meters.sends.values == {}

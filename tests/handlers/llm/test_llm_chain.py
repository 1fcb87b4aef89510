"""The ladder on a clock that stands still: who is asked, for how long, and what the report gets."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from handlers.llm.base import ProviderError, Trouble
from handlers.llm.breaker import Standing
from handlers.llm.probing import try_out
from tests.handlers.conftest import World
from tests.handlers.llm.briefs import RIGHT, brief
from tests.handlers.llm.scripted import (
    HANGS,
    HOUR,
    TEMPLATE_TEXT,
    after,
    answers,
    fails,
    ladder_of,
    outcomes,
    scripted,
    write,
)  # fmt: skip


async def test_the_first_provider_writes_and_what_it_cost_is_told(world: World) -> None:
    prose = await write(world, scripted(world, "a", answers()), scripted(world, "b", answers()))
    assert (prose.text, prose.rung, prose.is_degraded) == (RIGHT, "a", False)
    assert (prose.tokens_in, prose.tokens_out) == (1000, 100)
    assert prose.cost_usd == pytest.approx(0.003)
    assert outcomes(prose.tries) == ["a answered"]
    assert prose.tries[0].took_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    "trouble", [it for it in Trouble if it not in (Trouble.TRANSIENT, Trouble.RATE)], ids=str
)
async def test_the_next_one_is_asked_at_once_where_asking_again_cannot_help(
    world: World, trouble: Trouble
) -> None:
    first, second = scripted(world, "a", fails(trouble)), scripted(world, "b", answers())
    prose = await write(world, first, second)
    assert (prose.rung, prose.is_degraded) == ("b", True)
    assert outcomes(prose.tries) == [f"a {trouble}", "b answered"]
    assert len(first.asked_at) == 1
    assert second.asked_at[0] - first.asked_at[0] == pytest.approx(0.1)


async def test_an_overload_that_passes_is_asked_once_more(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.TRANSIENT), answers())
    prose = await write(world, first, scripted(world, "b", answers()))
    assert prose.rung == "a"
    assert first.asked_at[1] - first.asked_at[0] == pytest.approx(1.1)


async def test_it_is_asked_once_more_and_not_twice(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.TRANSIENT))
    assert (await write(world, first, scripted(world, "b", answers()))).rung == "b"
    assert len(first.asked_at) == 2


async def test_a_provider_that_says_that_asking_again_cannot_help_is_believed(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.TRANSIENT, may_repeat=False))
    assert (await write(world, first, scripted(world, "b", answers()))).rung == "b"
    assert len(first.asked_at) == 1


async def test_a_wait_that_fits_is_waited_for(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.RATE, wait_s=30), answers())
    prose = await write(world, first, scripted(world, "b", answers()))
    assert prose.rung == "a"
    assert first.asked_at[1] - first.asked_at[0] == pytest.approx(30.1)


async def test_a_wait_of_ten_minutes_is_not_waited_for_and_holds_for_all_companies(world: World) -> None:
    first, second = scripted(world, "a", fails(Trouble.RATE, wait_s=600)), scripted(world, "b", answers())
    ladder = ladder_of(world, first, second)
    for _ in range(3):
        prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
        assert prose.rung == "b"
    assert len(first.asked_at) == 1
    assert second.asked_at[0] - first.asked_at[0] == pytest.approx(0.1)
    assert outcomes(prose.tries) == ["a rate", "b answered"]


async def test_a_provider_that_hangs_leaves_the_others_their_time(world: World) -> None:
    first, second = scripted(world, "a", HANGS), scripted(world, "b", answers())
    prose = await write(world, first, second, left=timedelta(seconds=60 + 70), longest_s=300)
    assert prose.rung == "b"
    assert outcomes(prose.tries) == ["a timeout", "b answered"]
    assert second.asked_at[0] - first.asked_at[0] == pytest.approx(50)


async def test_a_provider_that_will_not_be_cancelled_is_left_behind(world: World) -> None:
    first, second = scripted(world, "a", HANGS), scripted(world, "b", answers())
    refused = asyncio.Event()

    async def stubborn(_prompt: object, _timeout_s: float) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await refused.wait()
            raise ProviderError("too late", trouble=Trouble.MONEY) from None

    first.ask = stubborn  # type: ignore[method-assign]
    ladder = ladder_of(world, first, second)
    prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    assert prose.rung == "b"
    refused.set()
    await ladder.close()
    assert ladder.rungs[0].circuit.standing is Standing.CLOSED  # what it said in the end is not listened to


async def test_where_no_time_is_left_nobody_is_asked(world: World) -> None:
    first = scripted(world, "a", answers())
    for left in (timedelta(0), timedelta(hours=-5), timedelta(seconds=60 + 19)):
        prose = await write(world, first, left=left)
        assert (prose.text, prose.rung, prose.is_degraded) == (TEMPLATE_TEXT, "template", True)
        assert outcomes(prose.tries) == ["a timeout"]
    assert first.asked_at == []


async def test_without_a_provider_the_template_is_nothing_to_warn_of(world: World) -> None:
    prose = await write(world)
    assert (prose.text, prose.rung, prose.is_degraded, prose.tries) == (TEMPLATE_TEXT, "template", False, ())


async def test_invented_figures_cost_what_they_cost_and_go_into_no_report(world: World) -> None:
    first = scripted(world, "a", answers("Acme flew 9,999 flights today, which is more than ever before."))
    prose = await write(world, first)
    assert (prose.text, prose.rung) == (TEMPLATE_TEXT, "template")
    assert outcomes(prose.tries) == ["a bad-output"]
    assert (prose.tokens_in, prose.cost_usd) == (1000, pytest.approx(0.003))
    assert len(first.asked_at) == 1


async def test_facts_that_a_model_has_no_room_for_are_cut_or_passed_on(world: World) -> None:
    first, second = scripted(world, "a", answers()), scripted(world, "b", answers())
    seen: list[int] = []
    second.on_ask = lambda prompt: seen.append(len(prompt.user))
    ladder = ladder_of(world, first, second)
    ladder.rungs[0].room_tokens = 10
    ladder.rungs[1].room_tokens = 700
    prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    assert outcomes(prose.tries) == ["a too-large", "b answered"]
    assert first.asked_at == []
    assert seen[0] < 2100


async def test_whatever_a_provider_breaks_on_ends_its_rung_and_not_the_report(world: World) -> None:
    first = scripted(world, "a", (0.1, RecursionError("hunter2")))
    prose = await write(world, first)
    assert (prose.rung, outcomes(prose.tries)) == ("template", ["a transient"])


async def test_no_more_ask_a_provider_at_once_than_it_has_places(world: World) -> None:
    first = scripted(world, "a", answers(after_s=10))
    ladder = ladder_of(world, first, places=3)
    work = (ladder.write(brief(), deadline=world.clock.now() + HOUR) for _ in range(9))
    written = await after(world.clock, asyncio.gather(*work))
    assert [prose.rung for prose in written] == ["a"] * 9
    assert first.most_at_once == 3


async def test_who_waits_for_a_place_in_vain_blames_nobody(world: World) -> None:
    first = scripted(world, "a", answers(after_s=50))
    ladder = ladder_of(world, first, places=1)
    work = (ladder.write(brief(), deadline=world.clock.now() + HOUR) for _ in range(6))
    written = await after(world.clock, asyncio.gather(*work))
    assert sorted(prose.rung for prose in written) == ["a"] + ["template"] * 5
    assert ladder.rungs[0].circuit.standing is Standing.CLOSED
    assert ladder.rungs[0].circuit.breaker.failures <= 1


async def test_a_cancelled_report_gives_its_place_and_its_probe_back(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.MONEY), HANGS, answers())
    ladder = ladder_of(world, first, places=1)
    deadline = world.clock.now() + timedelta(hours=9)
    await after(world.clock, ladder.write(brief(), deadline=deadline))
    await world.clock.advance(hours=1)
    writing = asyncio.ensure_future(ladder.write(brief(), deadline=deadline))
    await world.clock.advance(seconds=1)
    assert not ladder.rungs[0].circuit.may_ask  # the probe is out
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    prose = await after(world.clock, ladder.write(brief(), deadline=deadline))
    assert prose.rung == "a"


async def test_money_closes_a_provider_for_all_at_once_and_over_a_restart(world: World) -> None:
    first, second = scripted(world, "a", fails(Trouble.MONEY, after_s=5)), scripted(world, "b", answers())
    ladder = ladder_of(world, first, second, places=1)
    work = (ladder.write(brief(), deadline=world.clock.now() + HOUR) for _ in range(5))
    written = await after(world.clock, asyncio.gather(*work))
    assert {prose.rung for prose in written} == {"b"}
    assert len(first.asked_at) == 1  # the four that stood waiting were told
    assert world.open_alerts() == ["llm.provider-down"]
    await world.restart()
    again = ladder_of(world, first, second)
    assert (await after(world.clock, again.write(brief(), deadline=world.clock.now() + HOUR))).rung == "b"
    assert len(first.asked_at) == 1
    assert again.standings()[0]["trouble"] == "money"


async def test_after_its_rest_one_asks_and_the_others_go_on_without_it(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.GONE), answers(after_s=10))
    ladder = ladder_of(world, first, scripted(world, "b", answers()))
    deadline = world.clock.now() + timedelta(hours=9)
    await after(world.clock, ladder.write(brief(), deadline=deadline))
    await world.clock.advance(hours=1)
    work = (ladder.write(brief(), deadline=deadline) for _ in range(5))
    written = await after(world.clock, asyncio.gather(*work))
    assert sorted(prose.rung for prose in written) == ["a", "b", "b", "b", "b"]
    assert len(first.asked_at) == 2
    assert world.open_alerts() == []
    assert (await after(world.clock, ladder.write(brief(), deadline=deadline))).rung == "a"


async def test_bad_prose_about_one_company_closes_nothing(world: World) -> None:
    first = scripted(world, "a", answers("Too short."))
    ladder = ladder_of(world, first)
    for _ in range(10):
        await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    assert ladder.rungs[0].circuit.standing is Standing.CLOSED
    assert ladder.tallies["a"].calls == {"bad-output": 10}


async def test_calls_tokens_and_cost_are_counted_by_provider(world: World) -> None:
    first = scripted(world, "a", fails(Trouble.TRANSIENT), answers(), answers("Short."), HANGS)
    ladder = ladder_of(world, first, scripted(world, "b", answers()))
    for _ in range(3):
        await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    tally = ladder.tallies["a"]
    assert tally.calls == {"transient": 1, "answered": 1, "bad-output": 1, "timeout": 1}
    assert (tally.tokens_in, tally.tokens_out) == (2000, 200)
    assert ladder.standings()[1]["calls"] == {"answered": 2}
    assert ladder.standings()[1]["costUsd"] == pytest.approx(0.006)


async def test_a_clock_that_is_set_meanwhile_changes_no_budget(world: World) -> None:
    first = scripted(world, "a", HANGS)
    deadline = world.clock.now() + timedelta(hours=2)
    writing = asyncio.ensure_future(ladder_of(world, first).write(brief(), deadline=deadline))
    await world.clock.advance(seconds=5)
    await world.clock.step(timedelta(days=-3))
    await world.clock.advance(seconds=60)
    assert writing.done()
    assert writing.result().rung == "template"


async def test_a_trial_asks_those_that_are_left_alone_too_and_an_answer_ends_their_rest(world: World) -> None:
    first, second = scripted(world, "a", fails(Trouble.AUTH), answers("ready")), scripted(world, "b", HANGS)
    ladder = ladder_of(world, first, second)
    await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    assert world.open_alerts() == ["llm.provider-down"]
    steps = await after(world.clock, try_out(ladder.rungs, world.clock))
    assert [(it.name, it.is_ok) for it in steps] == [("a", True), ("b", False)]
    assert "no answer within 30 s" in steps[1].detail
    assert world.open_alerts() == []

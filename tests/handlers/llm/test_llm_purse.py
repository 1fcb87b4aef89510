"""What a day may cost, and what happens when it has."""

from datetime import timedelta

import pytest

from daemon.reports import costs
from handlers.llm.purse import NOTE
from state.database import StoreError
from tests.handlers.conftest import World
from tests.handlers.llm.briefs import brief
from tests.handlers.llm.scripted import HOUR, Scripted, after, answers, ladder_of, outcomes, purse_of

COST = 0.003  # of one answer of `Scripted`


async def test_a_spent_day_goes_on_by_template_over_a_restart_and_the_next_one_begins_anew(
    world: World,
) -> None:
    first = Scripted("a", world.clock, answers())
    ladder = ladder_of(world, first, budget_usd=COST * 2.5)

    async def write() -> str:
        prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
        return prose.rung

    assert [await write() for _ in range(5)] == ["a", "a", "a", "template", "template"]
    assert ladder.purse.spent_usd == pytest.approx(3 * COST)
    assert world.open_alerts() == ["llm.budget-spent"]
    await world.restart()
    ladder = ladder_of(world, first, budget_usd=COST * 2.5)
    assert await write() == "template"
    assert len(first.asked_at) == 3
    await world.clock.advance(timedelta(hours=1))  # past midnight
    assert await write() == "a"
    assert world.open_alerts() == []
    assert ladder.purse.spent_usd == pytest.approx(COST)


async def test_a_report_says_why_nobody_was_asked(world: World) -> None:
    ladder = ladder_of(world, Scripted("a", world.clock, answers()), budget_usd=0)
    prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    assert (prose.rung, outcomes(prose.tries)) == ("template", ["a money"])
    assert ladder.rungs[0].circuit.may_ask


async def test_without_a_budget_there_is_always_enough(world: World) -> None:
    purse = purse_of(world)
    await purse.spend(1e9)
    assert not purse.is_empty
    assert purse.spent_usd == 1e9


async def test_what_a_report_costs_is_remembered_for_a_week_and_over_a_restart(world: World) -> None:
    def mean() -> float | None:
        return costs.mean_usd(costs.read(world.store.note(costs.NOTE)), world.clock.now().date())

    purse = purse_of(world)
    assert mean() is None
    for cost in (0.01, 0.03, 0.0):
        await purse.spend(cost)
    assert mean() == pytest.approx(0.02)
    await world.restart()
    await world.clock.advance(timedelta(days=6))
    await purse_of(world).spend(0.05)
    assert mean() == pytest.approx(0.03)
    await world.clock.advance(timedelta(days=1))
    assert mean() == pytest.approx(0.05)


@pytest.mark.parametrize("note", ["", "{", "[]", '{"day": "soon", "usd": 1}', '{"day": "2026-11-21"}'])
async def test_a_note_that_says_nothing_is_as_good_as_none(world: World, note: str) -> None:
    await world.store.commit(notes={NOTE: note})
    assert purse_of(world, 1.0).spent_usd == 0


async def test_what_the_disk_does_not_take_is_counted_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.store, "commit", full)
    purse = purse_of(world, 1.0)
    await purse.spend(2.0)
    assert purse.is_empty

"""Whole days on the ladder: every kind of fault, nobody who answers, and the way back."""

import asyncio
import random
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

from daemon.clock import VirtualClock
from handlers.llm.base import Prose, ProviderError, Trouble
from handlers.llm.breaker import Standing
from handlers.llm.chain import Ladder
from handlers.llm.circuit import Circuit
from handlers.llm.degraded import DegradedShare
from handlers.llm.probing import probe
from handlers.llm.rung import Rung
from state.database import StoreError
from state.records import Severity
from tests.handlers.conftest import World
from tests.handlers.llm.briefs import RIGHT, brief
from tests.handlers.llm.scripted import (
    HANGS,
    HOUR,
    TEMPLATE_TEXT,
    Scripted,
    Step,
    after,
    answers,
    by_template,
    fails,
    ladder_of,
    purse_of,
    rung_of,
    scripted,
    write,
)  # fmt: skip

FAULTS: dict[str, Step] = {
    "hang": HANGS,
    "429 for ten minutes": fails(Trouble.RATE, wait_s=600),
    "500": fails(Trouble.TRANSIENT),
    "slow 500": fails(Trouble.TRANSIENT, after_s=45),
    "garbage": answers("\ufffd<html>5,000,000</html>"),
    "context overflow": fails(Trouble.TOO_LARGE),
    "short 429": fails(Trouble.RATE, wait_s=7),
    "late answer": answers(after_s=58),
    "answer": answers(),
}


@pytest.mark.one_loop
async def test_a_thousand_reports_with_every_kind_of_fault_all_end_before_their_deadlines(
    world: World,
) -> None:
    late = []
    rungs = set()
    for seed in range(1000):
        dice = random.Random(seed)
        providers = [
            scripted(world, name, *(dice.choice(list(FAULTS.values())) for _ in range(dice.randint(1, 3))))
            for name in ("a", "b", "c")[: dice.randint(1, 3)]
        ]
        clock = VirtualClock(world.clock.now(), world.clock.settle)
        for provider in providers:
            provider.clock = clock
        left_s = dice.uniform(0, 400)
        deadline = clock.now() + timedelta(seconds=left_s)
        ladder = _unremembered(world, clock, dice.uniform(20, 120), *providers)
        writing = _timed(clock, ladder.write(brief(), deadline=deadline))
        prose, ended_at = await after(clock, writing, timedelta(seconds=600))
        rungs.add(prose.rung)
        if ended_at > max(deadline - timedelta(seconds=60), world.clock.now()):
            late.append((seed, ended_at - deadline))
        assert prose.rung == "template" or prose.text == RIGHT
    assert late == []
    assert rungs == {"a", "b", "c", "template"}


def _unremembered(world: World, clock: VirtualClock, longest_s: float, *providers: Scripted) -> Any:
    """A ladder on a clock of its own, whose breakers know nothing of the ones before."""
    rungs = []
    for provider in providers:
        circuit = Circuit(provider.name, str(id(clock)), world.store, world.house.alerts, clock)
        rungs.append(Rung(provider, circuit, clock, longest_s=longest_s, places=2, room_tokens=16_000))
    return Ladder(rungs, by_template, purse_of(world), clock)


async def _timed(clock: VirtualClock, work: Coroutine[Any, Any, Prose]) -> tuple[Prose, datetime]:
    return await work, clock.now()


async def test_a_day_on_which_all_refuse_ends_with_every_report_one_incident_and_its_return(
    world: World,
) -> None:
    first = scripted(world, "a", fails(Trouble.MONEY))
    second = scripted(world, "b", fails(Trouble.TRANSIENT))
    ladder = ladder_of(world, first, second)
    share = DegradedShare(world.house.alerts)
    ids: set[str] = set()
    for number in range(96):  # one report each quarter of an hour
        prose = await _quarter(world, ladder.write(brief(), deadline=world.clock.now() + HOUR))
        assert (prose.text, prose.rung, prose.is_degraded) == (TEMPLATE_TEXT, "template", True)
        await share.count(brief().date, prose, expected=96)
        if number % 4 == 3:
            await after(world.clock, probe(ladder.rungs, world.house.alerts, world.clock))
        ids |= {alert.id for alert in world.house.alerts.open}
    assert len(ids) == 3  # each provider once, and the day's share: nothing closed and opened again
    assert sorted(world.open_alerts()) == ["llm.degraded", "llm.provider-down", "llm.provider-down"]
    assert [it.severity for it in world.house.alerts.open if it.name == "llm.degraded"] == [Severity.CRITICAL]
    assert 24 <= len(first.asked_at) <= 50  # about once an hour
    first.steps, second.steps = [answers()], [answers()]
    await world.clock.advance(hours=1)
    await after(world.clock, probe(ladder.rungs, world.house.alerts, world.clock))
    assert world.open_alerts() == ["llm.degraded"]
    prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    assert (prose.rung, prose.is_degraded) == ("a", False)
    await share.count(brief().date + timedelta(days=1), prose, expected=96)
    assert world.open_alerts() == []


async def _quarter(world: World, work: Coroutine[Any, Any, Prose]) -> Prose:
    task = asyncio.ensure_future(work)
    await world.clock.advance(minutes=15)
    assert task.done()
    return task.result()


async def test_probing_asks_when_a_rest_is_over_and_whoever_writes_then_has_not_to_find_out(
    world: World,
) -> None:
    first = scripted(world, "a", fails(Trouble.RATE, wait_s=600), answers("ready"))
    ladder = ladder_of(world, first)
    await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
    again_at = await probe(ladder.rungs, world.house.alerts, world.clock)
    while len(first.asked_at) < 2:
        assert again_at <= world.clock.now() + timedelta(minutes=1)
        await world.clock.advance(again_at - world.clock.now())
        again_at = await after(world.clock, probe(ladder.rungs, world.house.alerts, world.clock))
    assert first.asked_at[1] == pytest.approx(600, abs=6)
    assert ladder.rungs[0].circuit.standing is Standing.CLOSED
    assert world.open_alerts() == []


async def test_an_alert_of_a_provider_that_was_changed_or_taken_out_ends(world: World) -> None:
    first, second = scripted(world, "a", fails(Trouble.GONE)), scripted(world, "b", fails(Trouble.GONE))
    await write(world, first, second)
    assert world.open_alerts() == ["llm.provider-down"] * 2
    changed = Circuit("a", "another model", world.store, world.house.alerts, world.clock)
    assert changed.standing is Standing.CLOSED
    await changed.tell(changed.note(None))
    assert [it.labels["provider"] for it in world.house.alerts.open] == ["b"]
    await probe([rung_of(world, first)], world.house.alerts, world.clock)
    assert world.open_alerts() == []


async def test_a_full_disk_keeps_no_provider_from_being_asked_or_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.store, "commit", full)
    first = scripted(world, "a", fails(Trouble.MONEY))
    ladder = ladder_of(world, first, scripted(world, "b", answers()))
    for _ in range(2):
        prose = await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + HOUR))
        assert prose.rung == "b"
    assert len(first.asked_at) == 1


@pytest.mark.parametrize(
    "then", [None, Trouble.TRANSIENT, Trouble.MONEY], ids=["an answer", "a failure", "no money"]
)
async def test_what_is_learned_while_the_disk_is_at_work_leaves_no_alert_that_is_not_true(
    world: World, then: Trouble | None
) -> None:
    circuit = Circuit("a", "id", world.store, world.house.alerts, world.clock)
    await circuit.tell(circuit.note(ProviderError("gone", trouble=Trouble.GONE)))
    first = asyncio.ensure_future(circuit.tell(circuit.note(None)))
    await asyncio.sleep(0)
    assert not first.done()
    later = circuit.note(None if then is None else ProviderError("later", trouble=then))
    await asyncio.gather(first, circuit.tell(later))
    assert world.open_alerts() == (["llm.provider-down"] if then is Trouble.MONEY else [])
    opening = circuit.note(ProviderError("gone", trouble=Trouble.GONE))
    await asyncio.gather(circuit.tell(opening), circuit.tell(circuit.note(None)))
    assert world.open_alerts() == []

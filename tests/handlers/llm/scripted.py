"""A provider that does as it is told, on the clock of the test, and a ladder of such."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from daemon.clock import Clock, VirtualClock
from handlers.llm.base import Answer, Brief, Prompt, Prose, ProviderError, Trouble
from handlers.llm.chain import Ladder
from handlers.llm.circuit import Circuit
from handlers.llm.purse import Purse
from handlers.llm.rung import Rung
from handlers.llm.tally import Tally
from tests.handlers.conftest import World
from tests.handlers.llm.briefs import RIGHT, brief

V = TypeVar("V")
HOUR = timedelta(hours=1)
# After so many seconds, answer so or fail so; None seconds: never.
Step = tuple[float | None, str | ProviderError | Exception]
TEMPLATE_TEXT = "By template."


def fails(trouble: Trouble, after_s: float = 0.1, wait_s: float | None = None, **more: bool) -> Step:
    wait = None if wait_s is None else timedelta(seconds=wait_s)
    return after_s, ProviderError(f"it is {trouble.value}", trouble=trouble, retry_after=wait, **more)


def answers(text: str = RIGHT, after_s: float = 2.0) -> Step:
    return after_s, text


HANGS: Step = (None, "")


class Scripted:
    """Does one step a question, the last one again and again."""

    def __init__(self, name: str, clock: Clock, *steps: Step) -> None:
        self.name = name
        self.clock = clock
        self.steps = list(steps)
        self.asked_at: list[float] = []
        self.at_once = self.most_at_once = 0
        self.on_ask: Callable[[Prompt], None] = lambda _: None

    async def ask(self, prompt: Prompt, timeout_s: float) -> Answer:
        self.on_ask(prompt)
        self.asked_at.append(self.clock.monotonic())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            after_s, what = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
            await self.clock.sleep(10**9 if after_s is None else after_s)
        finally:
            self.at_once -= 1
        if isinstance(what, Exception):
            raise what
        return Answer(text=what, tokens_in=1000, tokens_out=100, model="m")


def ladder_of(
    world: World,
    *providers: Scripted,
    longest_s: float = 60,
    places: int = 4,
    budget_usd: float | None = None,
) -> Ladder:
    """A ladder over the store and the alerts of a world, as it is after a start."""
    rungs = [rung_of(world, it, longest_s, places) for it in providers]
    return Ladder(rungs, by_template, purse_of(world, budget_usd), world.clock)


def purse_of(world: World, budget_usd: float | None = None) -> Purse:
    return Purse(budget_usd, world.store, world.house.alerts, world.clock)


def rung_of(world: World, provider: Scripted, longest_s: float = 60, places: int = 4) -> Rung:
    circuit = Circuit(provider.name, "id", world.store, world.house.alerts, world.clock)
    tally = Tally(price_in=2.0, price_out=10.0)
    return Rung(
        provider, circuit, world.clock, longest_s=longest_s, places=places, room_tokens=16_000, tally=tally
    )


def by_template(brief: Brief) -> str:
    return TEMPLATE_TEXT


def outcomes(tries: Sequence[object]) -> list[str]:
    """Who was tried and what became of it: "a timeout"."""
    return [f"{it.provider} {it.trouble or 'answered'}" for it in tries]  # type: ignore[attr-defined]


async def after(clock: VirtualClock, work: Awaitable[V], span: timedelta = HOUR) -> V:
    """What comes of it as time passes, a few seconds at a time."""
    task = asyncio.ensure_future(work)
    end = clock.now() + span
    while not task.done() and clock.now() < end:
        await clock.advance(seconds=5)
    assert task.done(), "it goes on and on"
    return task.result()


async def write(world: World, *providers: Scripted, left: timedelta = HOUR, **fields: Any) -> Prose:
    ladder = ladder_of(world, *providers, **fields)
    return await after(world.clock, ladder.write(brief(), deadline=world.clock.now() + left))


def scripted(world: World, name: str, *steps: Step) -> Scripted:
    return Scripted(name, world.clock, *steps)

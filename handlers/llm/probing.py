"""Asking providers that were left alone whether they are back, also when no report is being written."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.context import Services
from daemon.notify.base import Step
from daemon.watch.alerts import Alerts
from handlers.llm.base import Prompt, ProviderError
from handlers.llm.breaker import Standing
from handlers.llm.checking import Checked
from handlers.llm.circuit import forget_absent
from handlers.llm.opening import ladder_of
from handlers.llm.rung import Rung

LONGEST_PAUSE = timedelta(minutes=1)
PROBE_S = 30.0
PROBE = Prompt(system="Answer with the single word: ready", user="Are you ready?", fence="")


def _is_there(text: str) -> Checked:
    """Any word will do: nobody reads it."""
    return Checked(text=text, problem=None)


class Probing:
    """A periodic part: a provider whose rest is over is asked a question of a few tokens.

    So that no report has to find out, and an alert ends soon after its cause and not the next morning.
    """

    name = "llm-probing"

    def __init__(self, house: Callable[[], Services]) -> None:
        self._house = house
        self.woken = asyncio.Event()

    async def step(self) -> datetime:
        """Ask whoever may be asked again; say when to look next."""
        house = self._house()
        # Where no reports are made, no ladder is needed, and nobody is asked.
        is_wanted = house.config.reports is not None and bool(house.config.llm.providers)
        rungs = (await ladder_of(house)).rungs if is_wanted else ()
        return await probe(rungs, house.alerts, house.clock)


async def probe(rungs: Sequence[Rung], alerts: Alerts, clock: Clock) -> datetime:
    """Ask every provider whose rest is over, and forget those that are gone; when to do so again."""
    await forget_absent(alerts, {it.name for it in rungs})
    due = [it for it in rungs if it.circuit.standing is Standing.HALF_OPEN and it.circuit.may_ask]
    await asyncio.gather(*(rung.ask(PROBE, _is_there, PROBE_S) for rung in due))
    now = clock.now()
    rests = [it.circuit.breaker.until for it in rungs if it.circuit.standing is Standing.OPEN]
    return min([now + LONGEST_PAUSE, *(until for until in rests if until is not None)])


async def try_out(rungs: Sequence[Rung], clock: Clock) -> list[Step]:
    """Ask every provider for one word, those that are left alone too; an answer ends their rest."""
    return list(await asyncio.gather(*(_tried(rung, clock) for rung in rungs)))


async def _tried(rung: Rung, clock: Clock) -> Step:
    began_s = clock.monotonic()
    try:
        answer = await rung.ask_anyway(PROBE, PROBE_S)
        is_ok, detail = True, f"{answer.model} answered, {answer.tokens_in + answer.tokens_out} tokens"
    except ProviderError as error:
        is_ok, detail = False, str(error)
    return Step(name=rung.name, is_ok=is_ok, detail=detail, took_s=clock.monotonic() - began_s)

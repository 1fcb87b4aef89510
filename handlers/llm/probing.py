"""Asking providers that were left alone whether they are back, also when no report is being written."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.notify.base import Step
from daemon.watch.alerts import Alerts
from handlers.llm.base import Prompt, ProviderError
from handlers.llm.breaker import Standing
from handlers.llm.checking import Checked
from handlers.llm.circuit import forget_absent
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

    def __init__(self, rungs: Sequence[Rung], alerts: Alerts, clock: Clock) -> None:
        self._rungs = rungs
        self._alerts = alerts
        self._clock = clock
        self.woken = asyncio.Event()

    async def step(self) -> datetime:
        """Ask whoever may be asked again; say when to look next."""
        await forget_absent(self._alerts, {it.name for it in self._rungs})
        due = [it for it in self._rungs if it.circuit.standing is Standing.HALF_OPEN and it.circuit.may_ask]
        await asyncio.gather(*(rung.ask(PROBE, _is_there, PROBE_S) for rung in due))
        now = self._clock.now()
        rests = [it.circuit.breaker.until for it in self._rungs if it.circuit.standing is Standing.OPEN]
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

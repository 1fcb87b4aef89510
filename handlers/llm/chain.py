"""The ladder: the best provider that answers in time with nothing but the facts, else the template."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from daemon.clock import Clock
from handlers.llm.base import TEMPLATE, Answer, Brief, Prompt, Prose, Trouble, Try
from handlers.llm.budget import DELIVERY_RESERVE_S, SHORTEST_SLICE_S, slice_s
from handlers.llm.checking import check
from handlers.llm.crowd import Crowd
from handlers.llm.prompting import make_prompt, new_fence
from handlers.llm.purse import Purse
from handlers.llm.rung import Check, Rung
from handlers.llm.tally import Tally
from state.codec import time_text

Template = Callable[[Brief], str]

log = logging.getLogger(__name__)


class Ladder:
    """Writes the prose of every report.

    `template` is the last rung: it needs nothing but the brief, and always succeeds. With no provider
    above it the template is the first choice, and its prose is not called degraded.
    """

    def __init__(
        self,
        rungs: Sequence[Rung],
        template: Template,
        purse: Purse,
        clock: Clock,
        *,
        reserve_s: float = DELIVERY_RESERVE_S,
        shortest_s: float = SHORTEST_SLICE_S,
        crowd: Crowd | None = None,
    ) -> None:
        self.rungs = tuple(rungs)
        self._crowd = crowd
        self._template = template
        self.purse = purse
        self._clock = clock
        self._reserve_s = reserve_s
        self._shortest_s = shortest_s

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """What the calls to each provider came to since the start."""
        return {rung.name: rung.tally for rung in self.rungs}

    def standings(self) -> list[dict[str, Any]]:
        """How it is with each provider, in the words of the API."""
        return [_standing(rung) for rung in self.rungs]

    async def write(self, brief: Brief, *, deadline: datetime) -> Prose:
        """Write the prose of one report, so that the reserve is left until its deadline; raises nothing.

        So is the time that all others for this deadline need: when it grows short, the template writes.
        Steps of the wall clock meanwhile neither lengthen nor shorten the time that there is.
        """
        others_s = await self._crowd.rest_s(deadline) if self._crowd is not None and self.rungs else 0.0
        left_s = (deadline - self._clock.now()).total_seconds() - self._reserve_s - others_s
        climb = _Climb(brief, self._clock.monotonic() + left_s)
        prose = await self._climb(climb)
        await self.purse.spend(prose.cost_usd)
        return prose

    async def close(self) -> None:
        """Wait a moment for what was given up on."""
        for rung in self.rungs:
            await rung.close()

    async def _climb(self, climb: "_Climb") -> Prose:
        for rung in self.rungs:
            answer = await self._ask(rung, climb)
            if answer is not None:
                return climb.prose(answer.text, rung.name, is_degraded=rung is not self.rungs[0])
        return climb.prose(self._template(climb.brief), TEMPLATE, is_degraded=bool(self.rungs))

    async def _ask(self, rung: Rung, climb: "_Climb") -> Answer | None:
        """Ask one rung, if it can be asked; its answer, if it may go into the report."""
        if not rung.circuit.may_ask:
            climb.pass_over(rung, rung.circuit.breaker.trouble or Trouble.TRANSIENT, "it is left alone")
            return None
        if self.purse.is_empty:
            climb.pass_over(rung, Trouble.MONEY, "the day's budget is spent; see dailyBudget")
            return None
        limit_s = self._slice_s(rung, climb)
        if limit_s is None:
            climb.pass_over(rung, Trouble.TIMEOUT, "there is no time left for it")
            return None
        made = make_prompt(climb.brief, rung.room_tokens, fence := new_fence())
        if made is None:
            climb.pass_over(rung, Trouble.TOO_LARGE, "it has no room for the facts; see maxInput")
            return None
        prompt, material = made
        return await climb.ask(rung, prompt, lambda text: check(text, climb.brief, material, fence), limit_s)

    def _slice_s(self, rung: Rung, climb: "_Climb") -> float | None:
        behind = self.rungs[self.rungs.index(rung) + 1 :]
        rungs = 1 + sum(it.circuit.may_ask for it in behind)
        return slice_s(climb.end_s - self._clock.monotonic(), rungs, rung.longest_s, self._shortest_s)


class _Climb:
    """One report's way down the ladder, and what it has cost so far."""

    def __init__(self, brief: Brief, end_s: float) -> None:
        self.brief = brief
        self.end_s = end_s
        self._tries: list[Try] = []
        self._tokens_in = self._tokens_out = 0
        self._cost_usd = 0.0

    async def ask(self, rung: Rung, prompt: Prompt, judge: Check, limit_s: float) -> Answer | None:
        """Ask a rung and take note of how it did."""
        result = await rung.ask(prompt, judge, limit_s)
        trouble = None if result.failure is None else result.failure.trouble
        self._tries.append(Try(provider=rung.name, trouble=trouble, took_s=result.took_s))
        self._tokens_in += result.tokens_in
        self._tokens_out += result.tokens_out
        self._cost_usd += rung.tally.cost_of(result.tokens_in, result.tokens_out)
        if result.failure is not None:
            self._tell(logging.INFO, rung, str(result.failure), trouble)
        return result.answer

    def pass_over(self, rung: Rung, trouble: Trouble, why: str) -> None:
        """Take note of a rung that was not asked."""
        self._tries.append(Try(provider=rung.name, trouble=trouble, took_s=0.0))
        # Said of every company while a provider is down: that it is down was said aloud when it went.
        self._tell(logging.DEBUG, rung, f"{rung.name} is not asked: {why}", trouble)

    def prose(self, text: str, rung: str, *, is_degraded: bool) -> Prose:
        """The result, with what all tries came to."""
        return Prose(
            text=text,
            rung=rung,
            is_degraded=is_degraded,
            tokens_in=self._tokens_in,
            tokens_out=self._tokens_out,
            cost_usd=self._cost_usd,
            tries=tuple(self._tries),
        )

    def _tell(self, level: int, rung: Rung, error: str, trouble: Trouble | None) -> None:
        fields = {
            "company": self.brief.company_id,
            "date": self.brief.date.isoformat(),
            "provider": rung.name,
        }
        log.log(level, "llm.rung-failed", extra={"fields": {**fields, "trouble": trouble, "error": error}})


def _standing(rung: Rung) -> dict[str, Any]:
    breaker = rung.circuit.breaker
    return {
        "provider": rung.name,
        "standing": rung.circuit.standing.value,
        "trouble": breaker.trouble,
        "until": None if breaker.until is None else time_text(breaker.until),
        "calls": dict(rung.tally.calls),
        "tokensIn": rung.tally.tokens_in,
        "tokensOut": rung.tally.tokens_out,
        "costUsd": rung.tally.cost_usd,
    }

"""What the calls to one provider came to, as plain numbers for metrics."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.meters import ANSWERED
from handlers.llm.base import Trouble

Told = Callable[[str, int, float], None]  # the outcome of a call, its tokens in and out, its cost in USD


def _nobody(outcome: str, tokens: int, cost_usd: float) -> None:
    """Stand in for whoever else counts."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts since the start. A question that was never put, to a resting provider, is no call."""

    price_in: float = 0.0  # USD a million tokens
    price_out: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)  # by outcome
    tokens_in: int = 0
    tokens_out: int = 0
    also: Told = _nobody  # counts for the whole process, over reloads too

    @property
    def cost_usd(self) -> float:
        return self.cost_of(self.tokens_in, self.tokens_out)

    def cost_of(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost in USD; 0 where no price is set."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1_000_000

    def count(self, trouble: Trouble | None, tokens_in: int, tokens_out: int) -> None:
        """Count one call."""
        outcome = ANSWERED if trouble is None else trouble.value
        self.calls[outcome] += 1
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.also(outcome, tokens_in + tokens_out, self.cost_of(tokens_in, tokens_out))

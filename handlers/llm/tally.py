"""What the calls to one provider came to, as plain numbers for metrics."""

from collections import Counter
from dataclasses import dataclass, field

from handlers.llm.base import Trouble

ANSWERED = "answered"  # the outcome of a call whose prose was taken; the others are named by their trouble


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts since the start. A question that was never put, to a resting provider, is no call."""

    price_in: float = 0.0  # USD a million tokens
    price_out: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)  # by outcome
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def cost_usd(self) -> float:
        return self.cost_of(self.tokens_in, self.tokens_out)

    def cost_of(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost in USD; 0 where no price is set."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1_000_000

    def count(self, trouble: Trouble | None, tokens_in: int, tokens_out: int) -> None:
        """Count one call."""
        self.calls[ANSWERED if trouble is None else trouble.value] += 1
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out

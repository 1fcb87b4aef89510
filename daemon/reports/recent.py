"""The answer to a question that costs something: asked by one at a time, and good for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from daemon.clock import Clock

T = TypeVar("T")

# Asking may take up to a tenth of the time, however often somebody wants to know.
SHARE = 10.0
LONGEST_S = 20.0


class Recent(Generic[T]):
    """Asks anew where the version of what it asks of has changed, or the answer has grown old.

    With `serves_old` only one waits for that: who comes meanwhile is given the last answer, if it is not
    much too old.
    An answer that took long to get is good for longer: for `share` times as long as it took.
    """

    def __init__(
        self,
        clock: Clock,
        ask: Callable[[], Awaitable[T]],
        version: Callable[[], object],
        *,
        lasts_s: float,
        share: float = SHARE,
        serves_old: bool = False,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._version = version
        self._lasts_s = lasts_s
        self._share = share
        self._serves_old = serves_old
        self._asking = asyncio.Lock()
        self._answer: tuple[T] | None = None
        self._asked_of: object = None
        self._asked_s = 0.0
        self.took_s = 0.0  # the last time it was asked

    def at_hand(self) -> tuple[T] | None:
        """The answer, if the last one is still good."""
        if self._answer is None:
            return None
        age_s = self._clock.monotonic() - self._asked_s
        if age_s < min(self._share * self.took_s, LONGEST_S):
            return self._answer
        is_good = age_s < self._lasts_s and self._asked_of == self._version()
        return self._answer if is_good else None

    async def get(self) -> T:
        """The answer; who comes while it is being asked waits for the same one. Raises as `ask` does."""
        if (found := self.at_hand()) is not None:
            return found[0]
        if self._asking.locked() and (old := self._old()) is not None:
            return old[0]
        async with self._asking:
            if (found := self.at_hand()) is not None:
                return found[0]
            return await self._anew()

    def _old(self) -> tuple[T] | None:
        """The last answer, where it will do while a new one is on its way."""
        is_bearable = self._serves_old and self._clock.monotonic() - self._asked_s < LONGEST_S
        return self._answer if is_bearable else None

    async def _anew(self) -> T:
        asked_of, began_s = self._version(), self._clock.monotonic()
        answer = await self._ask()
        self._asked_s = self._clock.monotonic()
        self.took_s = self._asked_s - began_s
        # Of what it was before it was asked: a change meanwhile may not be in the answer.
        self._answer, self._asked_of = (answer,), asked_of
        return answer

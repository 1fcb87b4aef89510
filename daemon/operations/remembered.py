"""Answers to questions that differ in their words: each good for a moment, and only so many of them."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from daemon.clock import Clock
from daemon.reports.recent import Recent

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """As many `Recent` answers as are kept; who was not asked for the longest time goes first."""

    def __init__(
        self,
        clock: Clock,
        ask: Callable[[K], Awaitable[T]],
        version: Callable[[], object],
        *,
        lasts_s: float,
        most: int,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._version = version
        self._lasts_s = lasts_s
        self._most = most
        self._known: OrderedDict[K, Recent[T]] = OrderedDict()

    async def get(self, key: K) -> T:
        """The answer. Raises as `ask` does."""
        recent = self._known.get(key)
        if recent is None:
            ask = partial(self._ask, key)
            recent = self._known[key] = Recent(self._clock, ask, self._version, lasts_s=self._lasts_s)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return await recent.get()

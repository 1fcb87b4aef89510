"""Time limits by the thousand, with one timer of the loop for all of them."""

from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from daemon.clock import Clock, Timer

# A timer may ring this much early, by rounding; it is not set again for so little.
EARLY_S = 0.001


class Timers(Protocol):
    """Whoever can call somebody later."""

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer: ...


class Deadline:
    """One call that will be made, unless it is cancelled."""

    __slots__ = ("_others", "callback", "is_cancelled")

    def __init__(self, others: "dict[Deadline, float]", callback: Callable[[], object]) -> None:
        self.callback = callback
        self.is_cancelled = False
        self._others = others

    def cancel(self) -> None:
        """Have it not made; nothing happens when it was made already."""
        self.is_cancelled = True
        self._others.pop(self, None)


class Deadlines:
    """A clock's timers, cheap where nearly all are cancelled and few different delays are asked for.

    Of one delay those that were set first come due first, so only the head of each line is looked at.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[float, dict[Deadline, float]] = {}  # by delay; when each is due, monotonic seconds
        self._timer: Timer | None = None
        self._timer_due_s = 0.0

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Deadline:
        """Call `callback` in `delay_s` seconds of monotonic time."""
        line = self._lines.get(delay_s)
        if line is None:
            line = self._lines[delay_s] = {}
        due_s = self._clock.monotonic() + delay_s
        deadline = Deadline(line, callback)
        line[deadline] = due_s
        if self._timer is None or due_s < self._timer_due_s:
            self._set_timer(due_s)
        return deadline

    def _set_timer(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_s = due_s
        self._timer = self._clock.call_later(due_s - self._clock.monotonic(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        reached_s = self._clock.monotonic() + EARLY_S
        due: list[Deadline] = []
        for delay_s, line in list(self._lines.items()):
            over = list(takewhile(lambda item: item[1] <= reached_s, line.items()))
            for deadline, _ in over:
                del line[deadline]
                due.append(deadline)
            if not line:
                del self._lines[delay_s]
        heads = [next(iter(line.values())) for line in self._lines.values()]
        if heads:
            self._set_timer(min(heads))
        for deadline in due:
            if not deadline.is_cancelled:
                deadline.callback()

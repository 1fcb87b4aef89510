"""One rung of the ladder: a provider with its places, its slice of time, its breaker and its counts."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from daemon.clock import Clock
from handlers.llm.base import Answer, Prompt, Provider, ProviderError, Trouble
from handlers.llm.breaker import Standing
from handlers.llm.checking import Checked
from handlers.llm.circuit import Change, Circuit
from handlers.llm.tally import Tally

T = TypeVar("T")

# What an answer of a few sentences needs at the least: with less left, nobody asks again.
SHORTEST_ANSWER_S = 5.0
PAUSE_S = 1.0  # before a second try, where the provider names no other
RATE_PAUSE = timedelta(seconds=2)
REPEATABLE = frozenset({Trouble.TRANSIENT, Trouble.RATE})
LEAVING_S = 1.0

Check = Callable[[str], Checked]


@dataclass(slots=True)
class _Turn:
    """How far one question has come, and what it has cost."""

    is_asked: bool = False
    is_over: bool = False  # nobody waits for it any more: what it still says is not listened to
    change: Change | None = None
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a question ended: the answer or the failure, and what was billed for it."""

    answer: Answer | None
    failure: ProviderError | None
    tokens_in: int
    tokens_out: int
    took_s: float


class Rung:
    """Asks one provider on behalf of all companies."""

    def __init__(
        self,
        provider: Provider,
        circuit: Circuit,
        clock: Clock,
        *,
        longest_s: float,
        places: int,
        room_tokens: int,
        tally: Tally | None = None,
    ) -> None:
        self.name = provider.name
        self.longest_s = longest_s
        self.room_tokens = room_tokens
        self.circuit = circuit
        self.tally = tally or Tally()
        self._provider = provider
        self._clock = clock
        self._places = asyncio.Semaphore(places)
        self._left: set[asyncio.Task[Any]] = set()

    async def ask(self, prompt: Prompt, check: Check, limit_s: float) -> Result:
        """Put one question, wait for a place included, and end within `limit_s` seconds whatever happens.

        Once more is asked where that may help and the time is enough.
        """
        began_s, turn = self._clock.monotonic(), _Turn()
        answer, failure = None, None
        try:
            is_probe = self.circuit.enter()
        except ProviderError as error:
            return Result(answer=None, failure=error, tokens_in=0, tokens_out=0, took_s=0.0)
        try:
            answer = await self._within(self._answer(prompt, check, limit_s, turn, is_probe), limit_s)
        except ProviderError as error:
            failure = error
        except TimeoutError:
            failure = self._too_late(turn, limit_s)
        finally:
            self.circuit.leave(is_probe)
        if turn.change is not None:
            await self.circuit.tell(turn.change)
        return Result(
            answer=answer,
            failure=failure,
            tokens_in=turn.tokens_in,
            tokens_out=turn.tokens_out,
            took_s=self._clock.monotonic() - began_s,
        )

    async def ask_anyway(self, prompt: Prompt, limit_s: float) -> Answer:
        """Ask though the provider may be left alone: for whoever has just mended it; an answer ends its rest.

        Raises:
            ProviderError: there was no answer.
        """
        try:
            answer = await self._within(self._called(prompt, limit_s), limit_s)
        except TimeoutError as error:
            raise self._too_late(_Turn(), limit_s) from error
        self.tally.count(None, answer.tokens_in, answer.tokens_out)
        await self.circuit.tell(self.circuit.note(None))
        return answer

    async def close(self) -> None:
        """Wait a moment for what was left behind when its time was over."""
        if self._left:
            await asyncio.wait(self._left, timeout=LEAVING_S)

    def _too_late(self, turn: _Turn, limit_s: float) -> ProviderError:
        """The failure of a question whose time is over; who only stood waiting has learned nothing by it."""
        reason = f"{self.name} gave no answer within {limit_s:.0f} s"
        failure = ProviderError(reason, trouble=Trouble.TIMEOUT)
        turn.is_over = True
        if turn.is_asked:
            self.tally.count(failure.trouble, 0, 0)
            turn.change = self.circuit.note(failure)
        return failure

    async def _answer(
        self, prompt: Prompt, check: Check, limit_s: float, turn: _Turn, is_probe: bool
    ) -> Answer:
        end_s = self._clock.monotonic() + limit_s
        async with self._places:
            if not is_probe and self.circuit.standing is not Standing.CLOSED:
                self.circuit.leave(self.circuit.enter())  # raises: it was closed while we stood waiting
            turn.is_asked = True
            # Noted while the place is still taken: whoever gets it next must know.
            try:
                answer = await self._asked(prompt, check, end_s, turn)
            except ProviderError as error:
                self._note(turn, error)
                raise
            self._note(turn, None)
            return answer

    def _note(self, turn: _Turn, failure: ProviderError | None) -> None:
        if not turn.is_over:
            turn.change = self.circuit.note(failure)

    async def _asked(self, prompt: Prompt, check: Check, end_s: float, turn: _Turn) -> Answer:
        """One call, and a second one where that may help and there is time."""
        try:
            return await self._counted(prompt, check, end_s, turn)
        except ProviderError as error:
            wait_s = _pause_s(error, end_s - self._clock.monotonic())
            if wait_s is None:
                raise
        await self._clock.sleep(wait_s)
        return await self._counted(prompt, check, end_s, turn)

    async def _counted(self, prompt: Prompt, check: Check, end_s: float, turn: _Turn) -> Answer:
        """One call, and what it adds to the counts."""
        try:
            answer = await self._called(prompt, end_s - self._clock.monotonic())
        except ProviderError as error:
            self._count(turn, error.trouble, error.tokens_in, error.tokens_out)
            raise
        checked = check(answer.text)
        trouble = None if checked.problem is None else Trouble.BAD_OUTPUT
        self._count(turn, trouble, answer.tokens_in, answer.tokens_out)
        if checked.problem is not None:
            raise ProviderError(f"the answer of {self.name} {checked.problem}", trouble=Trouble.BAD_OUTPUT)
        return replace(answer, text=checked.text)

    async def _called(self, prompt: Prompt, timeout_s: float) -> Answer:
        try:
            return await self._provider.ask(prompt, timeout_s)
        except ProviderError:
            raise
        # A provider reads what a stranger's server sends: whatever it breaks on is the end of this rung
        # and never that of the report. The text may hold anything, the class does not.
        except Exception as error:
            broke = f"{self.name} broke on the answer ({type(error).__name__})"
            raise ProviderError(broke, trouble=Trouble.TRANSIENT, may_repeat=False) from None

    def _count(self, turn: _Turn, trouble: Trouble | None, tokens_in: int, tokens_out: int) -> None:
        turn.tokens_in += tokens_in
        turn.tokens_out += tokens_out
        self.tally.count(trouble, tokens_in, tokens_out)

    async def _within(self, work: Coroutine[Any, Any, T], limit_s: float) -> T:
        """Wait so long and no longer, also for what does not let itself be cancelled.

        Raises:
            TimeoutError: the time was over.
        """
        ended = asyncio.Event()
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: ended.set())
        timer = self._clock.call_later(limit_s, ended.set)
        try:
            await ended.wait()
        finally:
            timer.cancel()
            if not task.done():
                self._leave_behind(task)
        if not task.done():
            raise TimeoutError
        return task.result()

    def _leave_behind(self, task: asyncio.Task[Any]) -> None:
        self._left.add(task)
        task.add_done_callback(self._forget)
        task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, so that nobody complains that it never was


def _pause_s(error: ProviderError, left_s: float) -> float | None:
    """How long to wait before asking once more; None: not at all."""
    if error.trouble not in REPEATABLE or not error.may_repeat:
        return None
    default_s = RATE_PAUSE.total_seconds() if error.trouble is Trouble.RATE else PAUSE_S
    wait_s = default_s if error.retry_after is None else error.retry_after.total_seconds()
    return wait_s if wait_s + SHORTEST_ANSWER_S <= left_s else None

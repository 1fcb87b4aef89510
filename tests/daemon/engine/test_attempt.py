"""One attempt: its end is told exactly once, whatever the handler does."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from daemon.clock import VirtualClock
from daemon.context import Context
from daemon.engine.attempt import GRACE_S, Attempt
from daemon.engine.handler import Done, Handler, HandlerError, HandlerFunction, Outcome
from daemon.engine.verdict import End, Ending
from state.records import Task
from tests.house import NOW

STOPPED = End(ending=Ending.CANCELLED, reason="stopped")


class Trial:
    """An attempt with a limit of ten seconds, and every end that was told of it."""

    def __init__(self, run: HandlerFunction) -> None:
        self.clock = VirtualClock(NOW)
        self.ends: list[End] = []
        task = Task(id="t1", handler="work", scheduled_at=NOW, attempt=1)
        self.attempt = Attempt(task, self.clock, 10.0, lambda _attempt, end: self.ends.append(end))
        handler = Handler(name="work", run=run)
        self.attempt.begin(handler, Context(task=task, house=None, options=None))  # type: ignore[arg-type]

    @property
    def said(self) -> list[tuple[Ending, str | None]]:
        return [(end.ending, end.reason) for end in self.ends]


class Swallowing:
    """Swallows so many cancellations, then does as it was told to."""

    def __init__(self, times: int, answer: Outcome | BaseException | None = None) -> None:
        self.left = times
        self._answer = answer
        self.released = asyncio.Event()

    async def __call__(self, ctx: Context) -> Outcome | None:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.left -= 1
                if self.left < 0:
                    raise
                if self._answer is not None:
                    break
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


async def test_a_handler_that_ends_in_time_is_told_once_and_its_timer_is_gone() -> None:
    async def work(ctx: Context) -> Outcome:
        return Done(n=1)

    trial = Trial(work)
    await trial.clock.advance(minutes=1)

    assert trial.said == [(Ending.DONE, None)]
    assert not trial.attempt.is_running


async def test_a_handler_that_obeys_is_timed_out_at_its_limit() -> None:
    trial = Trial(Swallowing(0))

    await trial.clock.advance(seconds=9.9)
    assert trial.ends == []
    await trial.clock.advance(minutes=1)

    assert trial.said == [(Ending.TIMED_OUT, "timed out after 10s")]


async def test_a_handler_that_swallows_its_cancellation_is_left_behind_after_the_grace() -> None:
    run = Swallowing(99)
    trial = Trial(run)

    await trial.clock.advance(seconds=10 + GRACE_S - 0.1)
    assert trial.ends == []
    await trial.clock.advance(seconds=0.2)

    assert trial.said == [(Ending.ABANDONED, "timed out after 10s and would not stop")]
    assert trial.attempt.is_running
    run.released.set()
    await trial.clock.advance(minutes=1)
    assert len(trial.ends) == 1
    assert not trial.attempt.is_running


async def test_work_that_was_finished_in_the_grace_counts_as_done() -> None:
    trial = Trial(Swallowing(1, Done()))

    await trial.clock.advance(minutes=1)

    assert trial.said == [(Ending.DONE, None)]


@pytest.mark.parametrize("error", [ValueError("x"), HandlerError("x", permanent=True), SystemExit()])
async def test_an_error_on_the_way_out_is_a_time_out(error: BaseException) -> None:
    trial = Trial(Swallowing(1, error))

    await trial.clock.advance(minutes=1)

    assert trial.said == [(Ending.TIMED_OUT, "timed out after 10s")]


@pytest.mark.parametrize("times", [0, 99], ids=["obedient", "stubborn"])
async def test_a_stop_ends_it_as_it_was_asked_at_the_latest_after_its_grace(times: int) -> None:
    run = Swallowing(times)
    trial = Trial(run)
    await trial.clock.advance(seconds=1)

    trial.attempt.stop(STOPPED, 1.0)
    trial.attempt.stop(End(ending=Ending.RETURNED), 1.0)
    await trial.clock.advance(seconds=1)

    assert trial.said == [(Ending.CANCELLED, "stopped")]
    run.released.set()
    await trial.clock.advance(minutes=1)
    assert len(trial.ends) == 1


async def test_a_stop_before_the_first_step_keeps_the_handler_from_running() -> None:
    ran = []

    async def work(ctx: Context) -> None:
        ran.append(1)

    trial = Trial(work)
    trial.attempt.stop(STOPPED)
    await trial.clock.advance(minutes=1)

    assert (ran, trial.said) == ([], [(Ending.CANCELLED, "stopped")])


async def test_a_stop_after_the_end_changes_nothing() -> None:
    async def work(ctx: Context) -> None:
        return None

    trial = Trial(work)
    await trial.clock.settle()

    trial.attempt.stop(STOPPED)
    await trial.clock.advance(minutes=1)

    assert trial.said == [(Ending.DONE, None)]


async def test_a_handler_that_cancels_itself_has_failed() -> None:
    async def work(ctx: Context) -> None:
        raise asyncio.CancelledError

    trial = Trial(work)
    await trial.clock.settle()

    assert trial.said == [(Ending.FAILED, "the handler cancelled itself")]


async def test_where_a_handler_failed_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work(ctx: Context) -> None:
        raise KeyError("company")

    trial = Trial(work)
    await trial.clock.settle()

    [record] = [it for it in caplog.records if it.message == "handler.raised"]
    assert record.levelno == logging.WARNING
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert trial.said == [(Ending.FAILED, "KeyError: 'company'")]


async def test_an_answer_that_breaks_whoever_looks_at_it_is_a_failure() -> None:
    class Trap:
        @property  # type: ignore[misc]
        def __class__(self) -> Any:
            raise RuntimeError("do not look")

    async def work(ctx: Context) -> Any:
        return Trap()

    trial = Trial(work)
    await trial.clock.settle()

    assert trial.said == [(Ending.FAILED, "what the handler answered cannot be read: RuntimeError")]


async def test_a_limit_is_told_as_people_write_it() -> None:
    trial = Trial(Swallowing(0))
    trial.attempt._limit_s = timedelta(hours=2, minutes=5).total_seconds()

    await trial.clock.advance(minutes=1)

    assert trial.said == [(Ending.TIMED_OUT, "timed out after 2h 5m")]

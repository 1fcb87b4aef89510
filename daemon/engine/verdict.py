"""How an attempt ended, and what becomes of its task: values in, a task out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, Snooze
from daemon.engine.plain import clean, plain_or_why
from state.records import Task, TaskState, replace

MOST_SNOOZES = 200
# A task that was cut off by a crash is owed again even beyond its attempts, for the crash was hardly
# its fault; but one that has seen this many in addition is taken for their cause.
MOST_INTERRUPTIONS = 10
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 600.0
# However long a handler wants to wait, its task comes up again within this time.
LONGEST_WAIT = timedelta(days=366)


class Ending(StrEnum):
    """What an attempt came to."""

    DONE = "done"
    SNOOZED = "snoozed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    ABANDONED = "abandoned"  # timed out, and would not stop when asked to
    INTERRUPTED = "interrupted"  # the daemon died in the middle of it
    RETURNED = "returned"  # the daemon was stopped in good order, and put it back


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An ending with what there is to say about it."""

    ending: Ending
    summary: dict[str, Any] | None = None
    reason: str | None = None
    is_permanent: bool = False
    wait: timedelta | None = None  # not sooner than this

    @property
    def is_failure(self) -> bool:
        ending = self.ending
        return ending is _FAILED or ending is _TIMED_OUT or ending is _ABANDONED


# A class gives its members away slowly, and these are asked for several times a task.
DONE = Ending.DONE
_FAILED, _TIMED_OUT, _ABANDONED = Ending.FAILED, Ending.TIMED_OUT, Ending.ABANDONED
_COMPLETED = TaskState.COMPLETED
# What most handlers answer: nothing.
JUST_DONE = End(ending=DONE)


def end_of(result: Outcome | None) -> End:
    """What a handler's answer means."""
    if result is None:
        return JUST_DONE
    if isinstance(result, Snooze):
        return _put_off(result)
    if isinstance(result, Cancel):
        return End(ending=Ending.CANCELLED, reason=clean(result.reason))
    if isinstance(result, Done):
        return End(ending=DONE, summary=plain_or_why(result.summary))
    return _failed(
        f"the handler answered {type(result).__name__}, not Done, Snooze or Cancel", permanent=True
    )


def end_of_error(error: BaseException) -> End:
    """What it means that a handler raised."""
    if isinstance(error, HandlerError):
        # A subclass need not have called `HandlerError.__init__`.
        wait = getattr(error, "retry_after", None)
        return _failed(
            str(error) or type(error).__name__,
            permanent=bool(getattr(error, "permanent", False)),
            wait=_bounded(wait) if isinstance(wait, timedelta) else None,
        )
    if isinstance(error, BaseExceptionGroup) and error.exceptions:
        # "unhandled errors in a TaskGroup" says nothing; the first of them says what happened.
        return _failed(f"{type(error).__name__}: {error}: {_told(error.exceptions[0])}", permanent=False)
    return _failed(_told(error), permanent=False)


def decide(task: Task, end: End, now: datetime, retry_wait: timedelta) -> Task:
    """What becomes of a task whose attempt has ended."""
    if end.ending is DONE:
        return replace(task, state=_COMPLETED, finished_at=now, error=None, summary=end.summary)
    if end.ending is Ending.CANCELLED:
        return replace(task, state=TaskState.CANCELLED, finished_at=now, error=end.reason)
    if end.ending is Ending.SNOOZED:
        return _snoozed(task, end, now)
    if end.ending is Ending.INTERRUPTED:
        return _interrupted(task, end, now)
    if end.ending is Ending.RETURNED:
        return replace(task, state=TaskState.AVAILABLE, attempt=task.attempt - 1, started_at=None)
    if end.is_permanent or task.attempt >= task.max_attempts:
        return replace(task, state=TaskState.DISCARDED, finished_at=now, error=end.reason)
    return replace(
        task,
        state=TaskState.RETRYABLE,
        scheduled_at=now + max(retry_wait, end.wait or timedelta(0)),
        finished_at=now,
        error=end.reason,
    )


def retry_wait(attempt: int) -> timedelta:
    """How long to wait after a failed attempt: random up to twice as long each time, at most ten minutes.

    The policy is tenacity's `wait_random_exponential` ("full jitter"), with a floor of its first step.
    """
    from tenacity import RetryCallState, Retrying, wait_random_exponential

    policy = wait_random_exponential(multiplier=FIRST_RETRY_S, max=LONGEST_RETRY_S, min=FIRST_RETRY_S)
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return timedelta(seconds=policy(state))


def _put_off(result: Snooze) -> End:
    try:
        wait = _bounded(timedelta(minutes=min(result.minutes, LONGEST_WAIT / timedelta(minutes=1))))
    except (TypeError, ValueError, OverflowError):
        return _failed(f"the handler answered Snooze(minutes={result.minutes!r})", permanent=True)
    return End(ending=Ending.SNOOZED, reason=clean(result.reason), wait=wait)


def _bounded(wait: timedelta) -> timedelta:
    return max(timedelta(0), min(wait, LONGEST_WAIT))


def _snoozed(task: Task, end: End, now: datetime) -> Task:
    snoozes = (task.summary or {}).get("snoozes", 0) + 1
    if snoozes > MOST_SNOOZES:
        reason = f"put off {MOST_SNOOZES} times, last because {end.reason}"
        return replace(task, state=TaskState.DISCARDED, finished_at=now, error=reason)
    return replace(
        task,
        state=TaskState.SCHEDULED,
        attempt=task.attempt - 1,
        scheduled_at=now + (timedelta(minutes=1) if end.wait is None else end.wait),
        started_at=None,
        error=end.reason,
        summary={"snoozes": snoozes},
    )


def _interrupted(task: Task, end: End, now: datetime) -> Task:
    if task.attempt >= task.max_attempts + MOST_INTERRUPTIONS:
        reason = f"the daemon has died during it {task.attempt} times"
        return replace(task, state=TaskState.DISCARDED, finished_at=now, error=reason)
    return replace(task, state=TaskState.AVAILABLE, finished_at=None, error=end.reason)


def _told(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _failed(reason: str, *, permanent: bool, wait: timedelta | None = None) -> End:
    return End(ending=Ending.FAILED, reason=clean(reason), is_permanent=permanent, wait=wait)

"""What becomes of a task, as a table: values in, a task out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.engine.handler import Cancel, Done, HandlerError, Snooze
from daemon.engine.verdict import (
    LONGEST_WAIT,
    MOST_INTERRUPTIONS,
    MOST_SNOOZES,
    End,
    Ending,
    decide,
    end_of,
    end_of_error,
    retry_wait,
)
from state.records import Task, TaskState

NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
WAIT = timedelta(seconds=7)


def task(attempt: int = 1, max_attempts: int = 3, **fields: Any) -> Task:
    return Task(
        id="t1",
        handler="work",
        state=TaskState.EXECUTING,
        attempt=attempt,
        max_attempts=max_attempts,
        scheduled_at=NOW - WAIT,
        started_at=NOW - WAIT,
        **fields,
    )


def end(ending: Ending, **fields: Any) -> End:
    return End(ending=ending, reason="why", **fields)


@pytest.mark.parametrize(
    ("ending", "attempt", "fields", "state", "attempt_after"),
    [
        (Ending.DONE, 1, {}, TaskState.COMPLETED, 1),
        (Ending.DONE, 3, {}, TaskState.COMPLETED, 3),
        (Ending.CANCELLED, 1, {}, TaskState.CANCELLED, 1),
        (Ending.SNOOZED, 1, {"wait": WAIT}, TaskState.SCHEDULED, 0),
        (Ending.SNOOZED, 3, {"wait": WAIT}, TaskState.SCHEDULED, 2),
        (Ending.FAILED, 1, {}, TaskState.RETRYABLE, 1),
        (Ending.FAILED, 2, {}, TaskState.RETRYABLE, 2),
        (Ending.FAILED, 3, {}, TaskState.DISCARDED, 3),
        (Ending.FAILED, 4, {}, TaskState.DISCARDED, 4),
        (Ending.FAILED, 1, {"is_permanent": True}, TaskState.DISCARDED, 1),
        (Ending.TIMED_OUT, 1, {}, TaskState.RETRYABLE, 1),
        (Ending.TIMED_OUT, 3, {}, TaskState.DISCARDED, 3),
        (Ending.ABANDONED, 1, {}, TaskState.RETRYABLE, 1),
        (Ending.ABANDONED, 3, {}, TaskState.DISCARDED, 3),
        (Ending.INTERRUPTED, 1, {}, TaskState.AVAILABLE, 1),
        (Ending.INTERRUPTED, 3, {}, TaskState.AVAILABLE, 3),
        (Ending.INTERRUPTED, 3 + MOST_INTERRUPTIONS - 1, {}, TaskState.AVAILABLE, 12),
        (Ending.INTERRUPTED, 3 + MOST_INTERRUPTIONS, {}, TaskState.DISCARDED, 13),
        (Ending.RETURNED, 1, {}, TaskState.AVAILABLE, 0),
        (Ending.RETURNED, 3, {}, TaskState.AVAILABLE, 2),
    ],
)
def test_how_an_attempt_ended_decides_over_its_task(
    ending: Ending, attempt: int, fields: dict[str, Any], state: TaskState, attempt_after: int
) -> None:
    after = decide(task(attempt), end(ending, **fields), NOW, WAIT)

    assert (after.state, after.attempt) == (state, attempt_after)
    if after.state.is_final:
        assert after.finished_at == NOW


@pytest.mark.parametrize(
    ("wanted", "at"),
    [(None, NOW + WAIT), (timedelta(seconds=3), NOW + WAIT), (timedelta(hours=3), NOW + timedelta(hours=3))],
)
def test_a_retry_waits_its_turn_or_as_long_as_was_asked(wanted: timedelta | None, at: datetime) -> None:
    assert decide(task(), end(Ending.FAILED, wait=wanted), NOW, WAIT).scheduled_at == at


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_a_snooze_waits_as_long_as_was_asked(seconds: int) -> None:
    wait = timedelta(seconds=seconds)

    assert decide(task(), end(Ending.SNOOZED, wait=wait), NOW, WAIT).scheduled_at == NOW + wait


def test_snoozes_are_counted_and_have_an_end() -> None:
    snoozed, times = task(max_attempts=1), 0
    while not snoozed.state.is_final:
        running = task(attempt=1, max_attempts=1, summary=snoozed.summary)
        snoozed = decide(running, end(Ending.SNOOZED, wait=WAIT), NOW, WAIT)
        times += 1

    assert times == MOST_SNOOZES + 1
    assert snoozed.state is TaskState.DISCARDED


def test_a_task_that_is_done_keeps_no_old_error_and_its_own_summary() -> None:
    ran = task(2, error="before", summary={"snoozes": 3})

    after = decide(ran, End(ending=Ending.DONE, summary={"items": 1}), NOW, WAIT)

    assert (after.error, after.summary) == (None, {"items": 1})


@pytest.mark.parametrize("attempt", range(1, 40))
def test_waits_before_a_retry_grow_and_stay_between_their_bounds(attempt: int) -> None:
    waits = [retry_wait(attempt).total_seconds() for _ in range(50)]

    assert min(waits) >= 5
    assert max(waits) <= min(600, 5 * 2**attempt)


def test_waits_differ_so_that_not_all_come_back_at_once() -> None:
    assert len({retry_wait(8) for _ in range(20)}) > 10


# What handlers answer and raise


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (None, Ending.DONE),
        (Done(), Ending.DONE),
        (Cancel(reason="x"), Ending.CANCELLED),
        (Snooze(minutes=5, reason="x"), Ending.SNOOZED),
        (True, Ending.FAILED),
        ("done", Ending.FAILED),
        (Done, Ending.FAILED),
    ],
)
def test_an_answer_has_one_meaning(answer: Any, ending: Ending) -> None:
    assert end_of(answer).ending is ending


@pytest.mark.parametrize(
    ("minutes", "wait"),
    [
        (0, timedelta(0)),
        (0.5, timedelta(seconds=30)),
        (-10, timedelta(0)),
        (10**12, LONGEST_WAIT),
        (float("inf"), LONGEST_WAIT),
        (-float("inf"), None),
        (float("nan"), None),
        ("5", None),
        (None, None),
    ],
)
def test_a_snooze_is_bounded_and_nonsense_is_a_failure(minutes: Any, wait: timedelta | None) -> None:
    said = end_of(Snooze(minutes=minutes, reason="x"))

    assert said.wait == wait
    assert said.is_permanent == (wait is None)


@pytest.mark.parametrize(
    ("error", "says", "is_permanent", "wait"),
    [
        (ValueError("no"), "ValueError: no", False, None),
        (ValueError(), "ValueError", False, None),
        (HandlerError("no"), "no", False, None),
        (HandlerError("no", permanent=True), "no", True, None),
        (HandlerError("no", retry_after=WAIT), "no", False, WAIT),
        (HandlerError("no", retry_after=timedelta.max), "no", False, LONGEST_WAIT),
        (HandlerError("no", retry_after=-WAIT), "no", False, timedelta(0)),
        (
            ExceptionGroup("unhandled errors in a TaskGroup", [KeyError("x"), ValueError("y")]),
            "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions): KeyError: 'x'",
            False,
            None,
        ),
    ],
)
def test_an_error_says_what_and_whether_trying_again_can_help(
    error: BaseException, says: str, is_permanent: bool, wait: timedelta | None
) -> None:
    said = end_of_error(error)

    assert (said.reason, said.is_permanent, said.wait) == (says, is_permanent, wait)
    assert said.is_failure


def test_whatever_is_kept_can_be_written() -> None:
    for said in (
        end_of_error(ValueError("\ud800" * 10_000)),
        end_of(Cancel(reason="\ud800")),
        end_of(Snooze(minutes=1, reason="\ud800")),
    ):
        assert len((said.reason or "").encode()) <= 2000
    assert end_of(Done(a={1, 2}, b=WAIT)).summary == {"a": [1, 2], "b": "0:00:07"}
    assert list(end_of(Done(a="\ud800")).summary or ()) == ["leftOut"]
    assert list(end_of(Done(a="x" * 10**6)).summary or ()) == ["leftOut"]

"""Which slots are owed, which are left out, and the words that say why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.engine.cron import CronLine
from daemon.engine.owed import LOOKED_AT_ONE_BY_ONE, Owed, decide_owed
from daemon.engine.spec import CatchUp, Overlap, ScheduleSpec
from state.records import ScheduleRecord, Task, TaskState, Trigger

DUE = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def decided(
    now: datetime,
    *,
    cron: str = "0 23 * * *",
    due: datetime = DUE,
    paused_until: datetime | None = None,
    unfinished: Task | None = None,
    **fields: Any,
) -> Owed:
    spec = ScheduleSpec(
        name="nightly",
        handler="work",
        line=CronLine.parse(cron, "UTC"),
        timeout=HOUR,
        max_attempts=1,
        **fields,
    )
    slot = spec.line.newest_at(due)
    assert slot.instant == due
    record = ScheduleRecord(
        name="nightly",
        cron=cron,
        timezone="UTC",
        last_slot="",
        paused_until=paused_until,
        pause_reason="the move",
    )
    return decide_owed(spec, record, slot, spec.line.next_after(slot), now, unfinished=unfinished)


def task(state: TaskState) -> Task:
    return Task(id="t1", handler="work", state=state, scheduled_at=DUE - DAY, started_at=None)


def days(owed: Owed) -> tuple[list[int], list[int]]:
    return [slot.nominal.day for slot in owed.fire], [slot.nominal.day for slot, _ in owed.skipped]


def reasons(owed: Owed) -> set[str]:
    return {reason for _, reason in owed.skipped}


@pytest.mark.parametrize(
    ("late", "trigger"),
    [
        (timedelta(0), Trigger.CRON),
        (timedelta(microseconds=1), Trigger.CRON),
        (3 * SECOND, Trigger.CRON),
        (MINUTE, Trigger.CRON),
        (MINUTE + SECOND, Trigger.CATCH_UP),
        (6 * HOUR, Trigger.CATCH_UP),
        (DAY - SECOND, Trigger.CATCH_UP),
    ],
)
def test_being_late_cancels_nothing(late: timedelta, trigger: Trigger) -> None:
    owed = decided(DUE + late)

    assert days(owed) == ([21], [])
    assert owed.trigger is trigger
    assert (owed.cursor.nominal.day, owed.upcoming.nominal.day) == (21, 22)


def test_of_several_missed_the_newest_is_made_up_and_the_others_are_told() -> None:
    owed = decided(DUE + 4 * DAY + HOUR, catch_up_window=30 * DAY)

    assert days(owed) == ([25], [21, 22, 23, 24])
    assert reasons(owed) == {"missed, and superseded by 2026-11-25T23:00:00"}
    assert owed.trigger is Trigger.CATCH_UP
    assert (owed.cursor.nominal.day, owed.upcoming.nominal.day) == (25, 26)


def test_where_all_are_wanted_all_are_made_up() -> None:
    owed = decided(DUE + 4 * DAY + HOUR, catch_up=CatchUp.ALL, catch_up_window=30 * DAY)

    assert days(owed) == ([21, 22, 23, 24, 25], [])


def test_a_newest_slot_that_is_on_time_is_no_catch_up() -> None:
    owed = decided(DUE + 2 * DAY + SECOND)

    assert days(owed) == ([23], [21, 22])
    assert owed.trigger is Trigger.CRON


def test_what_lies_beyond_the_window_is_told_and_not_made_up() -> None:
    owed = decided(DUE + 2 * HOUR, catch_up_window=HOUR)

    assert days(owed) == ([], [21])
    assert reasons(owed) == {"missed, and older than the catch-up window of 1h"}


def test_a_slot_exactly_as_old_as_the_window_is_made_up() -> None:
    assert days(decided(DUE + HOUR, catch_up_window=HOUR)) == ([21], [])


def test_of_those_wanted_all_only_those_in_the_window_are_made_up() -> None:
    owed = decided(DUE + 4 * DAY + HOUR, catch_up=CatchUp.ALL, catch_up_window=2 * DAY)

    assert days(owed) == ([24, 25], [21, 22, 23])


def test_without_any_window_what_is_on_time_still_fires() -> None:
    assert days(decided(DUE + timedelta(milliseconds=3), catch_up_window=timedelta(0))) == ([21], [])
    assert days(decided(DUE + 2 * MINUTE, catch_up_window=timedelta(0))) == ([], [21])


def test_a_paused_slot_is_left_out_with_the_reason_of_the_pause() -> None:
    owed = decided(DUE + SECOND, paused_until=DUE + 3 * DAY)

    assert days(owed) == ([], [21])
    assert reasons(owed) == {"paused until 2026-11-24 23:00Z: the move"}
    assert not owed.is_pause_over


def test_what_came_due_during_a_pause_that_has_ended_stays_left_out() -> None:
    owed = decided(DUE + 3 * DAY + HOUR, paused_until=DUE + DAY + HOUR)

    assert days(owed) == ([24], [21, 22, 23])
    assert [reason.split(",")[0].split(" ")[0] for _, reason in owed.skipped] == [
        "paused",
        "paused",
        "missed",
    ]
    assert owed.is_pause_over


def test_the_slot_at_which_a_pause_ends_is_fired() -> None:
    owed = decided(DUE, paused_until=DUE)

    assert days(owed) == ([21], [])
    assert owed.is_pause_over


@pytest.mark.parametrize(
    ("overlap", "state", "fires"),
    [
        (Overlap.SKIP, None, True),
        (Overlap.SKIP, TaskState.EXECUTING, False),
        (Overlap.SKIP, TaskState.AVAILABLE, False),
        (Overlap.SKIP, TaskState.RETRYABLE, False),
        (Overlap.QUEUE, None, True),
        (Overlap.QUEUE, TaskState.EXECUTING, True),
        (Overlap.QUEUE, TaskState.AVAILABLE, False),
        (Overlap.QUEUE, TaskState.RETRYABLE, False),
        (Overlap.ALLOW, TaskState.EXECUTING, True),
        (Overlap.ALLOW, TaskState.AVAILABLE, True),
        (Overlap.CANCEL, TaskState.EXECUTING, True),
        (Overlap.CANCEL, TaskState.RETRYABLE, True),
    ],
)
def test_an_unfinished_task_keeps_the_next_one_out_or_not(
    overlap: Overlap, state: TaskState | None, fires: bool
) -> None:
    owed = decided(DUE + SECOND, overlap=overlap, unfinished=None if state is None else task(state))

    assert days(owed) == (([21], []) if fires else ([], [21]))
    if not fires:
        assert state is not None
        assert reasons(owed) == {f"task t1 is still {state.value}, since 2026-11-20 23:00:00Z"}


def test_very_many_missed_slots_share_a_record_and_the_newest_is_made_up() -> None:
    owed = decided(DUE + 3 * DAY + SECOND / 2, cron="@every 2s")

    assert [slot.instant for slot in owed.fire] == [DUE + 3 * DAY]
    assert len(owed.skipped) == LOOKED_AT_ONE_BY_ONE
    assert "missed, and with it all slots up to 2026-11-24T23:00:00Z" in reasons(owed)
    assert owed.cursor.instant == DUE + 3 * DAY
    assert owed.upcoming.instant == DUE + 3 * DAY + 2 * SECOND


def test_every_slot_is_decided_once() -> None:
    owed = decided(DUE + 40 * DAY, catch_up_window=10 * DAY, paused_until=DUE + 5 * DAY)

    slots = [slot.nominal for slot in owed.fire] + [slot.nominal for slot, _ in owed.skipped]
    assert len(slots) == len(set(slots)) == 41

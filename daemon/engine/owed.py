"""Which slots are owed, which are left out, and why: values in, a decision out."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.durations import format_duration
from daemon.engine.cron import Slot
from daemon.engine.spec import CatchUp, Overlap, ScheduleSpec
from state.records import ScheduleRecord, Task, TaskState, Trigger

# Why a slot is left out that nobody wanted left out: by its deadline it is late all the same.
BEYOND_THE_WINDOW = "missed, and older than the catch-up window"
# Later than this a fire counts as a catch-up, and runs in the lane for those.
ON_TIME = timedelta(seconds=60)
# Slots missed in one stretch are decided and recorded one by one up to here; the rest share a record.
LOOKED_AT_ONE_BY_ONE = 1000


@dataclass(slots=True)
class Owed:
    """What becomes of the slots that have come due; only the decider fills it in."""

    cursor: Slot  # all slots up to this one are decided
    upcoming: Slot  # the one after it
    trigger: Trigger = Trigger.CRON
    fire: list[Slot] = field(default_factory=list)
    skipped: list[tuple[Slot, str]] = field(default_factory=list)
    is_pause_over: bool = False


def decide_owed(
    spec: ScheduleSpec,
    record: ScheduleRecord,
    due: Slot,
    after_due: Slot,
    now: datetime,
    *,
    unfinished: Task | None,
) -> Owed:
    """Decide over every slot from `due` up to now.

    `unfinished` is the schedule's newest task, if it has not ended yet.
    """
    if after_due.instant > now:
        owed, slots = Owed(cursor=due, upcoming=after_due), [due]
    else:
        newest = spec.line.newest_at(now)
        owed = Owed(cursor=newest, upcoming=spec.line.next_after(newest))
        slots = _missed(spec, due, newest, owed)
    if now - slots[-1].instant > ON_TIME:
        owed.trigger = Trigger.CATCH_UP
    paused_until = record.paused_until
    owed.is_pause_over = paused_until is not None and paused_until <= now
    # However short the window: what is on time was not missed.
    window = max(spec.catch_up_window, ON_TIME)
    open_slots = []
    for slot in slots:
        if paused_until is not None and slot.instant < paused_until:
            owed.skipped.append((slot, f"paused until {paused_until:%Y-%m-%d %H:%M}Z: {record.pause_reason}"))
        elif now - slot.instant > window:
            told = format_duration(spec.catch_up_window)
            owed.skipped.append((slot, f"{BEYOND_THE_WINDOW} of {told}"))
        else:
            open_slots.append(slot)
    _choose(spec, open_slots, owed, unfinished)
    return owed


def _missed(spec: ScheduleSpec, due: Slot, newest: Slot, owed: Owed) -> list[Slot]:
    """The slots from `due` to `newest`; of very many, the oldest and the newest."""
    after = spec.line.slots(due, newest.instant)
    slots = list(itertools.islice(itertools.chain([due], after), LOOKED_AT_ONE_BY_ONE))
    if slots[-1] != newest:
        owed.skipped.append((slots[-1], f"missed, and with it all slots up to {newest.text}"))
        slots[-1] = newest
    return slots


def _choose(spec: ScheduleSpec, slots: list[Slot], owed: Owed, unfinished: Task | None) -> None:
    if not slots:
        return
    chosen = slots if spec.catch_up is CatchUp.ALL else slots[-1:]
    newest = chosen[-1]
    for slot in slots[: -len(chosen)]:
        owed.skipped.append((slot, f"missed, and superseded by {newest.text}"))
    if (reason := _overlap(spec, unfinished)) is not None:
        owed.skipped += [(slot, reason) for slot in chosen]
    else:
        owed.fire = chosen


def _overlap(spec: ScheduleSpec, unfinished: Task | None) -> str | None:
    """Why an unfinished task keeps the next one out, if it does."""
    if unfinished is None or spec.overlap in (Overlap.ALLOW, Overlap.CANCEL):
        return None
    if spec.overlap is Overlap.QUEUE and unfinished.state is TaskState.EXECUTING:
        return None
    since = unfinished.started_at or unfinished.scheduled_at
    return f"task {unfinished.id} is still {unfinished.state.value}, since {since:%Y-%m-%d %H:%M:%S}Z"

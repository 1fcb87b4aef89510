"""Looks whether each schedule's run has succeeded in time, and says at once when one has not.

The other alarms are raised by what happens; this one by what has not happened, whatever the cause.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from daemon.clock import Clock
from daemon.durations import format_duration
from daemon.engine.cron import Slot
from daemon.engine.spec import ScheduleSpec
from daemon.watch.alerts import Alerts
from daemon.watch.standing import Facts, Question, Standing, judge, read_facts, slot_of
from state.database import StoreError
from state.records import Severity, Task
from state.store import Store

LATE = "schedule.late"
IDLE = timedelta(seconds=60)
# What is late is looked at this often, so that its end is told soon.
LOOK_EVERY = timedelta(seconds=15)
# The scheduler fires what it owes within a second of a start or a step of the clock; longer than this it
# takes only where it cannot.
UNDECIDED_S = 60.0
# Cron arithmetic takes the loop about 0.15 ms a schedule: a few at a time, and the others in between.
LINES_AT_ONCE = 16
PAUSE = timedelta(milliseconds=10)


@dataclass(slots=True)
class Watched:
    """One schedule: the newest slot whose deadline has passed, and the one after it."""

    spec: ScheduleSpec
    newest: Slot
    upcoming: Slot
    is_known: bool = False  # until something is stored, the next look finds what the last one has
    is_settled: bool = False  # nothing more is to be learnt about the newest
    undecided_since: float | None = None


class Punctuality:
    """Raises `schedule.late` once a slot, however often it is looked at, and ends it when that is made up.

    What was told is noted in the store: neither a restart nor somebody who closes the alert has it told
    again, only a later slot does.
    """

    name = "punctuality"

    def __init__(
        self, store: Store, clock: Clock, alerts: Alerts, specs: Callable[[], Mapping[str, ScheduleSpec]]
    ) -> None:
        self.woken = asyncio.Event()
        self._store = store
        self._clock = clock
        self._alerts = alerts
        self._specs = specs
        self._watched: dict[str, Watched] = {}
        self._looked_at = clock.now()
        self._looked_at_generation = -1
        self._told: dict[str, str] = {}  # the newest slot told of, by schedule
        # Those that are open, by schedule: somebody's own alert of that name is none of them.
        self._late = {
            it.labels["schedule"]: str(it.details.get("slot"))
            for it in alerts.open
            if it.name == LATE and "schedule" in it.labels
        }

    async def step(self) -> datetime:
        """Look at what has come to its deadline, and at what is late already."""
        now = self._clock.now()
        specs = {name: it for name, it in self._specs().items() if it.deadline is not None}
        for name in self._late.keys() - specs.keys():
            await self._end(name)  # nobody waits for it any more
        is_all = self._take_up(specs, now)
        unsettled = [it for it in self._watched.values() if not it.is_settled]
        if self._is_news(unsettled):
            self._looked_at_generation = self._store.generation
            facts = await self._store.read(partial(read_facts, self._questions(unsettled)))
            for watched in unsettled:
                await self._look(watched, facts)
        if not is_all:
            return self._clock.now() + PAUSE
        return min([now + IDLE, *(self._again_at(it, now) for it in self._watched.values())])

    def _take_up(self, specs: Mapping[str, ScheduleSpec], now: datetime) -> bool:
        """Know each schedule's newest slot whose deadline has passed; False while some are not known yet."""
        if now < self._looked_at:
            self._watched.clear()  # the clock was put back: what comes next may be long before what did
        self._looked_at = now
        self._watched = {name: it for name, it in self._watched.items() if specs.get(name) is it.spec}
        places = LINES_AT_ONCE
        for name, spec in specs.items():
            assert spec.deadline is not None
            known = self._watched.get(name)
            if known is not None and known.upcoming.instant + spec.deadline > now:
                continue
            if places == 0:
                return False
            places -= 1
            newest = spec.line.newest_at(now - spec.deadline)
            self._watched[name] = Watched(spec, newest, spec.line.next_after(newest))
        return True

    def _is_news(self, unsettled: Sequence[Watched]) -> bool:
        """Whether a look may find what the last one has not."""
        is_changed = self._store.generation != self._looked_at_generation
        return any(is_changed or not it.is_known for it in unsettled)

    def _questions(self, unsettled: Sequence[Watched]) -> list[Question]:
        return [
            Question(watched.spec.name, slot, self._may_be_served_since(watched.spec.name, slot))
            for watched in unsettled
            for slot in (watched.newest, self._late_slot(watched.spec))
            if slot is not None
        ]

    def _may_be_served_since(self, name: str, slot: Slot) -> bool:
        known = self._store.handlers.get(name)
        return (
            known is not None and known.last_success_at is not None and known.last_success_at >= slot.instant
        )

    async def _look(self, watched: Watched, facts: Mapping[tuple[str, str], Facts]) -> None:
        """Judge the newest slot, and the one that was told to be late where that is another."""
        name = watched.spec.name
        standing = self._standing(watched, facts[name, watched.newest.text])
        watched.is_known = standing is not Standing.UNDECIDED
        if standing is Standing.LATE:
            await self._tell(watched, facts[name, watched.newest.text])
            return
        late = self._late_slot(watched.spec)
        # A slot that was left out says nothing of the one before it; nor, where the clock was put back, does
        # an earlier one of a later.
        if late is not None and (late > watched.newest or standing is Standing.EXCUSED):
            standing = self._standing(watched, facts[name, late.text])
        watched.is_settled = standing in (Standing.SERVED, Standing.EXCUSED)
        if watched.is_settled and name in self._late:
            await self._end(name)

    def _standing(self, watched: Watched, facts: Facts) -> Standing:
        standing = judge(watched.spec, facts)
        if standing is not Standing.UNDECIDED:
            return standing
        now_s = self._clock.monotonic()
        if watched.undecided_since is None:
            watched.undecided_since = now_s
        return Standing.LATE if now_s - watched.undecided_since >= UNDECIDED_S else Standing.UNDECIDED

    async def _tell(self, watched: Watched, facts: Facts) -> None:
        spec, slot = watched.spec, facts.slot
        told = slot_of(spec, self._told.get(spec.name) or self._store.note(_note(spec.name)))
        self._late.setdefault(spec.name, slot.text)
        if told is not None and told >= slot:
            return
        assert spec.deadline is not None
        by = format_duration(spec.deadline)
        await self._alerts.fire(
            LATE,
            severity=Severity.CRITICAL,
            summary=f"{spec.name} has not succeeded within {by} of {slot.text}: {_as_it_stands(facts.task)}",
            labels={"schedule": spec.name},
            details={
                "slot": slot.text,
                "deadline": slot.instant + spec.deadline,
                "task": None if facts.task is None else facts.task.id,
                "state": None if facts.task is None else facts.task.state.value,
                "error": None if facts.task is None else facts.task.error,
            },
            advice=f"nightdesk history --handler {spec.name}; nightdesk trigger {spec.name}",
        )
        self._late[spec.name] = self._told[spec.name] = slot.text
        with contextlib.suppress(StoreError):  # then a restart tells it once more, and counts it
            await self._store.commit(notes={_note(spec.name): slot.text})

    async def _end(self, name: str) -> None:
        del self._late[name]
        await self._alerts.resolve(LATE, {"schedule": name})

    def _late_slot(self, spec: ScheduleSpec) -> Slot | None:
        return slot_of(spec, self._late.get(spec.name))

    def _again_at(self, watched: Watched, now: datetime) -> datetime:
        assert watched.spec.deadline is not None
        due = watched.upcoming.instant + watched.spec.deadline
        return due if watched.is_settled else min(due, now + LOOK_EVERY)


def _as_it_stands(task: Task | None) -> str:
    if task is None:
        return "it has not been started"
    error = f", {task.error}" if task.error else ""
    return f"its task is {task.state.value}{error}"


def _note(name: str) -> str:
    return f"lateSlot:{name}"

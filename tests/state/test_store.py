"""The working copy is what the database holds, whatever happens."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from state.database import Database, StoreConflict, StoreError
from state.records import (
    DeliveryState,
    HandlerRecord,
    Note,
    ScheduleRecord,
    SlotRecord,
    SlotState,
    TaskKey,
    TaskState,
    replace,
)
from state.recovery import open_home
from state.schema import HISTORY_LENGTH
from state.store import Change, Store
from tests.state.sample import (
    NOW,
    home_in,
    make_alert,
    make_delivery,
    make_notice,
    make_silence,
    make_task,
    make_telling,
    memory_of,
    opened,
    records_of,
)

NAMES = st.sampled_from("abcd")
NUMBERS = st.integers(0, 3)


async def as_stored(store: Store) -> dict[str, Any]:
    """What a start would read from the disk, in the shape of `memory_of`."""
    found = await records_of(store)
    notes = {note.name: note.value for note in found.pop("Note").values() if note.name != "generation"}
    return {**found, "notes": notes}


class Storing(RuleBasedStateMachine):
    """Changes of every kind, alone and in groups, refused ones, kills and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="nightdesk-"))
        self.generation = 0
        self.runs = 0

    def do(self, waiting: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(waiting)

    async def _open(self) -> Store:
        home = home_in(self.folder)
        opening = open_home(home, NOW)
        assert opening.problems == []
        store = Store(home, Database(home.database, opening.generation))
        await store.load()
        return store

    @initialize()
    def start(self) -> None:
        self.store = self.do(self._open())

    @rule()
    def stop_and_start(self) -> None:
        before = memory_of(self.store)
        self.do(self.store.close())
        self.store = self.do(self._open())
        assert memory_of(self.store) == before

    @rule()
    def die_and_start(self) -> None:
        """The folder as a kill would leave it: the log not folded back, nothing sealed."""
        before = memory_of(self.store)
        self.do(self.store.quiet())
        dead = Path(tempfile.mkdtemp(prefix="nightdesk-"))
        shutil.copytree(self.folder, dead, dirs_exist_ok=True)
        self.do(self.store.close())
        shutil.rmtree(self.folder)
        self.folder = dead
        self.store = self.do(self._open())
        assert memory_of(self.store) == before

    @rule(name=NAMES, number=NUMBERS, keyed=st.booleans())
    def put_a_task(self, name: str, number: int, keyed: bool) -> None:
        task = make_task(name, attempt=number, state=TaskState.RETRYABLE, error="before", finished_at=NOW)
        more = [TaskKey(key=f"key-{name}", task_id=name, created_at=NOW)] if keyed else []
        self.do(self.store.commit(task, *more))

    @rule(name=NAMES)
    def remove_a_task(self, name: str) -> None:
        self.do(self.store.commit(deletes=[make_task(name)]))

    @rule(number=NUMBERS)
    def start_what_is_stored(self, number: int) -> None:
        change = Change()
        for task in self.store.tasks.values():
            change.start(
                replace(task, state=TaskState.EXECUTING, attempt=number, started_at=NOW, finished_at=None)
            )
        self.do(self.store.commit_change(change))

    @rule(name=NAMES)
    def end_a_task(self, name: str) -> None:
        self.runs += 1
        ended = make_task(name, state=TaskState.COMPLETED, attempt=self.runs, finished_at=NOW)
        change = Change(HandlerRecord(handler="report", last_state=ended.state, last_finished_at=NOW))
        change.delete(ended)
        change.record_run(ended)
        self.do(self.store.commit_change(change))

    @rule(name=NAMES, number=NUMBERS)
    def put_small_things(self, name: str, number: int) -> None:
        at = NOW + timedelta(hours=number)
        self.do(
            self.store.commit(
                make_alert(name, at),
                make_delivery(name, at, list(DeliveryState)[number]),
                ScheduleRecord(name=name, cron="0 1 * * *", timezone="UTC", last_slot=str(number)),
                make_telling(name, at),
                make_notice(name, at, attempts=number, alerts=(name, str(number))),
                make_silence(name, at),
                notes={f"note-{name}": str(number)},
            )
        )

    @rule(name=NAMES)
    def remove_small_things(self, name: str) -> None:
        gone = [
            make_alert(name),
            make_delivery(name),
            make_telling(name),
            make_notice(name),
            make_silence(name),
            Note(name=f"note-{name}", value=""),
        ]
        self.do(self.store.commit(deletes=gone))

    @rule(names=st.lists(NAMES, max_size=6))
    def decide_slots_at_once(self, names: list[str]) -> None:
        """Each with a task; of those of one name only one may be decided, and what comes with it."""
        changes = [
            Change(
                SlotRecord(schedule="nightly", slot=name, state=SlotState.FIRED, decided_at=NOW),
                make_task(name, error=f"try {number}"),
            )
            for number, name in enumerate(names)
        ]
        errors = self.do(self.store.commit_each(changes))
        accepted = [name for name, error in zip(names, errors, strict=True) if error is None]
        assert len(accepted) == len(set(accepted))
        assert all(error is None or isinstance(error, StoreConflict) for error in errors)

    @rule(data=st.data())
    def do_several_things_at_once(self, data: st.DataObject) -> None:
        changes = []
        for number in range(data.draw(st.integers(2, 6))):
            change = Change()
            name = data.draw(NAMES)
            match data.draw(st.sampled_from(["put", "delete", "start", "odd"])):
                case "put":
                    change.put(make_task(name, error=f"group {number}"))
                case "delete":
                    change.delete(make_task(name))
                case "start":
                    # As it was before the group, which may have changed it by now.
                    known = self.store.tasks.get(name, make_task(name))
                    change.start(replace(known, state=TaskState.EXECUTING, started_at=NOW, finished_at=None))
                case "odd":
                    change.put(make_task(name, error="\ud800"))
            changes.append(change)
        self.do(self.store.commit_each(changes))

    @rule(name=NAMES)
    def fail(self, name: str) -> None:
        for record in (make_task(name, attempt=2**70), make_task(name, error="\ud800")):
            try:
                self.do(self.store.commit(make_alert(name), record, notes={"fails": "never"}))
            except StoreError:
                continue
            raise AssertionError("it was stored")

    @invariant()
    def memory_is_what_the_disk_holds(self) -> None:
        if hasattr(self, "store"):
            assert memory_of(self.store) == self.do(as_stored(self.store))

    @invariant()
    def the_generation_never_goes_back(self) -> None:
        if hasattr(self, "store"):
            assert self.store.generation >= self.generation
            self.generation = self.store.generation

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.do(self.store.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)


Storing.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
test_the_working_copy_is_what_the_disk_holds_at_all_times = Storing.TestCase


async def test_all_that_was_committed_is_there_after_a_restart(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        await store.commit(make_task("a"), make_alert("b"), make_delivery("c"), notes={"d": "e"})
        before = memory_of(store)
    async with opened(home_folder) as store:
        assert memory_of(store) == before


async def test_a_change_that_is_refused_leaves_nothing_of_itself(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        before, generation = memory_of(store), store.generation
        try:
            await store.commit(make_task("a"), make_alert("b"), make_task("c", attempt=2**70))
        except StoreError as error:
            assert "too large" in str(error)
        assert memory_of(store) == before
        assert store.generation == generation


async def test_memory_keeps_the_newest_runs_and_counts_them_all(home_folder: Path) -> None:
    total = HISTORY_LENGTH + 7
    async with opened(home_folder) as store:
        for number in range(total):
            change = Change()
            change.record_run(make_task(f"t{number}", state=TaskState.COMPLETED, finished_at=NOW))
            await store.commit_change(change)
        in_memory = list(store.history)
    assert [task.id for task in in_memory] == [f"t{number}" for number in range(7, total)]
    async with opened(home_folder) as store:
        assert list(store.history) == in_memory
        assert store.runs_total == total


async def test_each_of_several_changes_is_answered_for_itself(home_folder: Path) -> None:
    slot = SlotRecord(schedule="nightly", slot="one", state=SlotState.FIRED, decided_at=NOW)
    async with opened(home_folder) as store:
        first, second, third = await store.commit_each(
            [Change(slot), Change(slot, make_task("a")), Change(make_task("b"))]
        )
        assert (first, third) == (None, None)
        assert isinstance(second, StoreConflict)
        assert set(store.tasks) == {"b"}
        assert await store.commit_each([]) == []

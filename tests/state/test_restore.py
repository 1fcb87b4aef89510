"""What comes back from a backup and the JSON state, and what is said to be missing."""

import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from state.backups import take_backup
from state.items import Items
from state.records import DeliveryState, NoticeState, Severity, TaskState, replace
from state.recovery import Opening, open_home
from state.restore import Restored
from state.snapshot import ALERTS_KEPT, ALERTS_SHOWN, NOTICE_KINDS, TASKS_SHOWN
from state.store import Change, Store
from tests.state.sample import (
    LATER,
    NOW,
    add_round,
    as_delivered,
    finish,
    home_in,
    make_alert,
    make_delivery,
    make_notice,
    make_silence,
    make_task,
    make_telling,
    opened,
    save,
    take_batch,
)

Part = Callable[[Store], Awaitable[Any]]


async def lose(folder: Path, before: Part | None, after: Part) -> Opening:
    """Live through two parts, with a backup between them, and lose the database after the second."""
    async with opened(folder) as store:
        if before is not None:
            await before(store)
            take_backup(store.home, NOW)
        await after(store)
        await save(store)
    (folder / "nightdesk.db").unlink()
    return open_home(home_in(folder), LATER)


def restored_of(opening: Opening) -> Restored:
    assert opening.problems == ["nightdesk.db: it is missing"]
    assert opening.restored is not None
    return opening.restored


async def run_many(store: Store, count: int, name: str = "run") -> None:
    for number in range(count):
        change = Change()
        change.record_run(make_task(f"{name}-{number}", state=TaskState.COMPLETED, finished_at=NOW))
        await store.commit_change(change)


async def ids(store: Store) -> list[str]:
    return [item.id for item in await Items(store).waiting(10**6)]


async def test_with_a_state_file_written_last_nothing_is_missing(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await add_round(store, 0)

    async def after(store: Store) -> None:
        await add_round(store, 1)
        await finish(store, "task-0-1")

    restored = restored_of(await lose(home_folder, before, after))
    assert restored.backup == "nightdesk-20261121T200000Z.db"
    assert (restored.tasks, restored.runs, restored.items, restored.lost) == (5, 2, 8, 0)
    async with opened(home_folder, LATER) as store:
        assert sorted(store.tasks) == ["task-0-2", "task-0-3", "task-1-1", "task-1-2", "task-1-3"]
        assert [run.id for run in store.history] == ["task-0-0", "task-1-0", "task-0-1"]
        assert store.runs_total == 3
        assert store.schedules["nightly"].last_slot == "slot-1"
        assert store.note("lastHeartbeatAt") == "2026-11-21T20:00:00.000000Z"
        assert {"alert-0", "alert-1"} == set(store.alerts)
        assert {"delivery-0", "delivery-1"} == set(store.deliveries)
        assert await ids(store) == [f"lead-{round_}-{n}" for round_ in (0, 1) for n in range(4)]
        # Also of tasks that are done: a caller that asks again is still answered with the first one.
        assert {f"key-task-{round_}-{n}" for round_ in (0, 1) for n in range(4)} == set(store.keys)


async def test_the_state_file_alone_brings_back_what_it_shows(home_folder: Path) -> None:
    async def after(store: Store) -> None:
        await add_round(store, 0)

    restored = restored_of(await lose(home_folder, None, after))
    assert (restored.backup, restored.lost) == (None, 0)
    async with opened(home_folder, LATER) as store:
        assert sorted(store.tasks) == ["task-0-1", "task-0-2", "task-0-3"]
        assert await ids(store) == [f"lead-0-{n}" for n in range(4)]


async def test_runs_beyond_the_last_fifty_are_counted_as_missing(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await run_many(store, 7, "early")

    async def after(store: Store) -> None:
        await run_many(store, 60, "late")

    restored = restored_of(await lose(home_folder, before, after))
    assert (restored.runs, restored.lost_runs) == (50, 10)
    async with opened(home_folder, LATER) as store:
        assert store.runs_total == 67
        assert store.history[-1].id == "late-59"


async def test_runs_that_were_swept_out_on_purpose_are_not_counted_as_missing(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await run_many(store, 80, "early")
        await store.run(lambda connection: connection.execute("DELETE FROM run WHERE seq <= 60").rowcount)

    async def after(store: Store) -> None:
        await run_many(store, 5, "late")

    restored = restored_of(await lose(home_folder, before, after))
    assert restored.lost_runs == 0
    async with opened(home_folder, LATER) as store:
        assert store.runs_total == 85


async def test_tasks_and_leads_beyond_those_shown_are_counted_as_missing(home_folder: Path) -> None:
    more = 7

    async def before(store: Store) -> None:
        await store.commit(make_task("t000000"))
        await Items(store).add([{"id": "i0"}], NOW)

    async def after(store: Store) -> None:
        names = [f"t{n:06}" for n in range(1, TASKS_SHOWN + more)]
        await store.commit(*(make_task(name, args={}) for name in names))
        await Items(store).add([{"id": f"i{n}"} for n in range(1, TASKS_SHOWN + more)], NOW)

    restored = restored_of(await lose(home_folder, before, after))
    assert (restored.tasks, restored.lost_tasks) == (TASKS_SHOWN, more)
    assert (restored.items, restored.lost_items) == (TASKS_SHOWN, more)
    assert restored.lost == 2 * more


async def test_leads_that_the_backup_holds_beyond_those_shown_are_not_lost(home_folder: Path) -> None:
    total = TASKS_SHOWN + 100

    async def before(store: Store) -> None:
        await Items(store).add([{"id": f"i{n}"} for n in range(total)], NOW)

    async def after(store: Store) -> None:
        await store.commit(make_task("a"))

    restored = restored_of(await lose(home_folder, before, after))
    assert (restored.items, restored.lost_items) == (total, 0)
    async with opened(home_folder, LATER) as store:
        assert await ids(store) == [f"i{n}" for n in range(total)]


async def test_no_lead_of_a_batch_made_since_the_backup_waits_again(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await Items(store).add([{"id": f"early-{n}"} for n in range(5)], NOW)

    async def after(store: Store) -> None:
        await take_batch(store, "lost-batch")
        await Items(store).add([{"id": f"late-{n}"} for n in range(TASKS_SHOWN + 3)], NOW)

    restored = restored_of(await lose(home_folder, before, after))
    assert (restored.items, restored.lost_items) == (TASKS_SHOWN, 3)
    async with opened(home_folder, LATER) as store:
        assert await ids(store) == [f"late-{n}" for n in range(TASKS_SHOWN)]


async def test_leads_keep_their_order_and_their_time_where_the_backup_has_them(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await Items(store).add([{"id": "b"}, {"id": "a"}], NOW - timedelta(hours=5))

    async def after(store: Store) -> None:
        await Items(store).add([{"id": "c"}], NOW)

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        waiting = await Items(store).waiting()
    assert [it.id for it in waiting] == ["b", "a", "c"]
    assert [it.added_at for it in waiting] == [NOW - timedelta(hours=5), NOW - timedelta(hours=5), LATER]


async def test_a_message_proved_since_the_backup_is_not_owed_again(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        states = (DeliveryState.INTENDED, DeliveryState.RETRYABLE, DeliveryState.UNKNOWN)
        await store.commit(*(make_delivery(state.value, NOW, state) for state in states))
        await store.commit(make_delivery("failed", NOW, DeliveryState.FAILED))
        await store.commit(make_delivery("still", NOW, DeliveryState.RETRYABLE))

    async def after(store: Store) -> None:
        for name in ("intended", "retryable", "unknown"):
            await store.commit(make_delivery(name, NOW, DeliveryState.DELIVERED))

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        states = {name: it.state.value for name, it in store.deliveries.items()}
    assert states == {
        "intended": "delivered",
        "retryable": "delivered",
        "unknown": "delivered",
        "failed": "failed",
        "still": "retryable",
    }


async def test_an_alert_that_ended_since_the_backup_is_not_open_again(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await store.commit(make_alert("over"), make_alert("long over"), make_alert("open"))

    async def after(store: Store) -> None:
        await store.commit(replace(make_alert("over"), resolved_at=NOW))
        await store.commit(deletes=[make_alert("long over")])

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        assert {name: it.is_open for name, it in store.alerts.items()} == {"over": False, "open": True}


async def test_what_is_owed_and_what_was_told_comes_back_as_it_was(home_folder: Path) -> None:
    told = replace(make_telling("a"), told_at=NOW, muted=None, escalated_at=NOW)
    owed = make_notice("owed", alerts=("a", "b"), message={"title": "x", "facts": [["a", "b"]]}, skip=1)

    async def after(store: Store) -> None:
        await store.commit(make_alert("a"), told, owed, as_delivered(make_notice("sent")), make_silence("s"))

    assert restored_of(await lose(home_folder, None, after)).lost == 0
    async with opened(home_folder, LATER) as store:
        assert store.tellings == {told.id: told}
        assert store.notices == {"owed": owed, "sent": as_delivered(make_notice("sent"))}
        assert store.silences == {"s": make_silence("s")}


async def test_a_notice_proved_since_the_backup_is_not_owed_again(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await store.commit(*(make_notice(name) for name in ("proved", "proved and swept", "still")))

    async def after(store: Store) -> None:
        await store.commit(as_delivered(make_notice("proved")), deletes=[make_notice("proved and swept")])

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        states = {name: it.state for name, it in store.notices.items()}
        assert store.notices["proved"] == as_delivered(make_notice("proved"))
        assert store.notices["proved and swept"].delivered_at == NOW
    assert states == {
        "proved": NoticeState.DELIVERED,
        "proved and swept": NoticeState.DELIVERED,
        "still": NoticeState.OWED,
    }


@pytest.mark.parametrize("kind", sorted(NOTICE_KINDS))
async def test_a_message_about_alerts_is_not_taken_for_delivered_because_it_is_not_shown(
    home_folder: Path, kind: str
) -> None:
    states = (DeliveryState.INTENDED, DeliveryState.RETRYABLE, DeliveryState.UNKNOWN)
    tried = [replace(make_delivery(f"n@{it.value}", NOW, it), kind=kind) for it in states]

    async def before(store: Store) -> None:
        await store.commit(make_notice("n"), *tried)

    async def after(store: Store) -> None:
        await store.commit(make_task("later"))

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        assert list(store.deliveries.values()) == tried
        assert store.notices["n"].state is NoticeState.OWED


async def test_a_silence_that_was_ended_since_the_backup_is_not_in_force_again(home_folder: Path) -> None:
    ended = make_silence("ended", ends_at=NOW, ended_by="ann")

    async def before(store: Store) -> None:
        names = ("ended", "ended long ago", "in force")
        await store.commit(*(make_silence(name, ends_at=LATER) for name in names))

    async def after(store: Store) -> None:
        long_ago = make_silence("ended long ago", ends_at=NOW - ALERTS_KEPT, ended_by="ann")
        await store.commit(ended, long_ago)

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        assert store.silences == {"ended": ended, "in force": make_silence("in force", ends_at=LATER)}


async def test_what_was_told_of_a_forgotten_alert_is_forgotten_too(home_folder: Path) -> None:
    async def before(store: Store) -> None:
        await store.commit(make_alert("gone"), make_telling("gone"), make_alert("kept"), make_telling("kept"))

    async def after(store: Store) -> None:
        worse = replace(make_telling("kept"), severity=Severity.CRITICAL, count=9)
        await store.commit(worse, deletes=[make_alert("gone"), make_telling("gone")])

    await lose(home_folder, before, after)
    async with opened(home_folder, LATER) as store:
        assert {name: it.count for name, it in store.tellings.items()} == {"kept@oncall": 9}


async def test_open_alerts_beyond_those_shown_are_kept_from_the_backup_and_the_rest_counted(
    home_folder: Path,
) -> None:
    more, in_backup = 7, 3

    async def before(store: Store) -> None:
        await store.commit(*(make_alert(f"a{n:05}") for n in range(in_backup)))

    async def after(store: Store) -> None:
        await store.commit(*(make_alert(f"a{n:05}") for n in range(in_backup, ALERTS_SHOWN + more)))

    restored = restored_of(await lose(home_folder, before, after))
    assert (restored.lost_alerts, restored.lost) == (more - in_backup, more - in_backup)
    async with opened(home_folder, LATER) as store:
        assert len(store.alerts) == ALERTS_SHOWN + in_backup
        assert {f"a{n:05}" for n in range(in_backup)} <= set(store.alerts)


async def test_a_backup_newer_than_the_state_file_is_taken_as_it_is(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        await add_round(store, 0)
        await save(store)
        await add_round(store, 1)
        take_backup(store.home, NOW)
        generation = store.generation
    (home_folder / "nightdesk.db").unlink()
    opening = open_home(home_in(home_folder), LATER)
    assert restored_of(opening).snapshot_generation is None
    assert opening.generation > generation
    async with opened(home_folder, LATER) as store:
        assert len(store.tasks) == 6


async def test_the_newest_backup_is_the_one_that_knows_most_whatever_the_clock_said(
    home_folder: Path,
) -> None:
    async with opened(home_folder) as store:
        await add_round(store, 0)
        take_backup(store.home, NOW + timedelta(days=400))
        await add_round(store, 1)
        take_backup(store.home, NOW)
    (home_folder / "nightdesk.db").unlink()
    assert restored_of(open_home(home_in(home_folder), LATER)).backup == "nightdesk-20261121T200000Z.db"


async def test_restoring_twice_in_one_instant_works(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        await add_round(store, 0)
        take_backup(store.home, NOW)
        await take_batch(store, "batch")
        await save(store)
    for _ in range(2):
        (home_folder / "nightdesk.db").unlink()
        assert restored_of(open_home(home_in(home_folder), LATER)).lost == 0
        async with opened(home_folder, LATER) as store:
            await add_round(store, store.generation)
            take_backup(store.home, LATER + timedelta(seconds=store.generation))
            await take_batch(store, f"batch-{store.generation}")
            await save(store)


@pytest.mark.parametrize("left", ["nothing", "temporary files"])
async def test_a_restore_that_was_killed_is_made_again(home_folder: Path, left: str) -> None:
    """A log left beside the half-built file must not be replayed into the next one."""
    async with opened(home_folder) as store:
        await add_round(store, 0)
        take_backup(store.home, NOW)
        await add_round(store, 1)
        await save(store)
        if left == "temporary files":
            for suffix in ("", "-wal", "-shm"):
                building = home_folder / f"nightdesk.db.building.tmp{suffix}"
                shutil.copyfile(home_folder / f"nightdesk.db{suffix}", building)
    (home_folder / "nightdesk.db").unlink()
    assert restored_of(open_home(home_in(home_folder), LATER)).lost == 0
    assert list(home_folder.glob("*.tmp*")) == []
    async with opened(home_folder, LATER) as store:
        assert len(store.tasks) == 6

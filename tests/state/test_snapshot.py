"""The JSON state: whole at every instant, checked to the last byte, never ahead of the database."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.codec import as_camel
from state.items import Items
from state.records import DeliveryState, TaskState, replace
from state.snapshot import (
    ALERTS_KEPT,
    ALERTS_SHOWN,
    NOTICE_KINDS,
    TASKS_SHOWN,
    Picture,
    Snapshot,
    SnapshotDamaged,
    decode,
    encode,
    read,
)
from state.store import Store
from tests.state.sample import (
    LATER,
    NOW,
    add_round,
    as_delivered,
    generation_in,
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

ROOT = Path(__file__).parents[2]
FIELDS = [
    "schema", "generation", "savedAt", "startedAt", "lastHeartbeatAt", "lastDigestNotificationAt",
    "schedules", "failureStreaks", "handlers", "totals", "redditQueueTotal", "redditQueue", "queueTotal",
    "queue", "taskHistory", "alertsTotal", "alerts", "tellings", "silences", "outbox", "notices", "checksum",
]  # fmt: skip
WHOLE = encode(
    Picture(
        generation=7, fields={"savedAt": NOW}, tasks=[make_task("a")], tasks_total=1, history=[],
        alerts=[make_alert("b")], alerts_total=1, tellings=[make_telling("b")], silences=[],
        outbox=[make_notice("n")], notices=[], items_json=b'[{"id":"c"}]', items_total=1,
    )
)  # fmt: skip


@pytest.fixture
async def store(home_folder: Path) -> AsyncIterator[Store]:
    async with opened(home_folder) as store:
        yield store


def snapshot_of(store: Store) -> Snapshot:
    return Snapshot(store, Items(store).head, NOW)


async def test_the_file_shows_what_is_remembered_as_plain_json(store: Store) -> None:
    await add_round(store, 0)
    await save(store, LATER)
    shown = json.loads(store.home.state_file.read_bytes())
    assert list(shown) == FIELDS
    assert shown["savedAt"] == "2026-11-22T20:00:00Z"
    assert shown["lastHeartbeatAt"] == "2026-11-21T20:00:00.000000Z"
    assert shown["lastDigestNotificationAt"] is None
    assert shown["generation"] == store.generation
    assert [task["id"] for task in shown["queue"]] == ["task-0-1", "task-0-2", "task-0-3"]
    assert shown["taskHistory"] == [as_camel(store.history[0])]
    assert shown["schedules"]["nightly"]["lastSlot"] == "slot-0"
    assert shown["failureStreaks"] == {"report": 0}
    assert [lead["id"] for lead in shown["redditQueue"]] == [f"lead-0-{n}" for n in range(4)]
    assert (shown["queueTotal"], shown["redditQueueTotal"], shown["totals"]) == (3, 4, {"runs": 1})


async def test_leads_that_a_batch_took_are_not_shown_any_more(store: Store) -> None:
    await add_round(store, 0)
    await take_batch(store, "batch")
    await save(store)
    assert read(store.home.state_file)["redditQueue"] == []


async def test_alerts_are_shown_while_open_and_for_two_days_after(store: Store) -> None:
    await store.commit(
        make_alert("open"),
        replace(make_alert("fresh"), resolved_at=LATER - ALERTS_KEPT + timedelta(seconds=1)),
        replace(make_alert("old"), resolved_at=LATER - ALERTS_KEPT),
    )
    await save(store, LATER)
    assert [it["id"] for it in read(store.home.state_file)["alerts"]] == ["open", "fresh"]


async def test_the_outbox_shows_every_message_that_is_not_proved_delivered(store: Store) -> None:
    await store.commit(*(make_delivery(state.value, NOW, state) for state in DeliveryState))
    await save(store)
    shown = {it["id"] for it in read(store.home.state_file)["outbox"]}
    assert shown == {state.value for state in DeliveryState} - {"delivered"}


async def test_a_message_about_alerts_is_shown_once_and_not_by_each_channel_it_was_tried_on(
    store: Store,
) -> None:
    of_a_notice = [replace(make_delivery(f"n@{kind}"), kind=kind) for kind in sorted(NOTICE_KINDS)]
    await store.commit(make_notice("n", alerts=("a", "b")), make_delivery("digest"), *of_a_notice)
    await save(store)
    delivery, notice = read(store.home.state_file)["outbox"]
    assert delivery["id"] == "digest"
    assert (notice["id"], notice["receiver"], notice["alerts"]) == ("n", "oncall", ["a", "b"])
    assert notice["message"] == {"id": "n", "text": "what happened"}


async def test_notices_and_silences_are_shown_for_two_days_after_their_end(store: Store) -> None:
    at = LATER - ALERTS_KEPT
    second = timedelta(seconds=1)
    await store.commit(
        make_notice("owed", at - second),
        as_delivered(make_notice("told"), at + second),
        as_delivered(make_notice("told long ago"), at),
        make_silence("active", ends_at=LATER + second),
        make_silence("ended", ends_at=at + second),
        make_silence("ended long ago", ends_at=at),
    )
    await save(store, LATER)
    shown = read(store.home.state_file)
    assert [it["id"] for it in shown["outbox"]] == ["owed"]
    assert [it["id"] for it in shown["notices"]] == ["told"]
    assert [it["id"] for it in shown["silences"]] == ["active", "ended"]


async def test_what_was_told_is_shown_with_the_alerts_it_belongs_to(store: Store) -> None:
    long_over = replace(make_alert("old"), resolved_at=LATER - ALERTS_KEPT)
    await store.commit(make_alert("open"), long_over)
    await store.commit(*(make_telling(name, receiver=to) for name in ("open", "old") for to in ("", "boss")))
    await save(store, LATER)
    shown = read(store.home.state_file)
    assert [it["id"] for it in shown["tellings"]] == ["open@", "open@boss"]


async def test_of_very_many_alerts_the_open_and_the_newest_are_shown_and_all_are_counted(
    store: Store,
) -> None:
    second = timedelta(seconds=1)
    ended = [
        replace(make_alert(f"ended-{n:05}", NOW + n * second), resolved_at=NOW) for n in range(ALERTS_SHOWN)
    ]
    await store.commit(make_alert("open", NOW - second), *ended, make_alert("newest", LATER))
    await store.commit(*(make_telling(alert.id) for alert in ended))
    await save(store)
    shown = read(store.home.state_file)
    assert shown["alertsTotal"] == ALERTS_SHOWN + 2
    assert len(shown["alerts"]) == ALERTS_SHOWN
    names = [it["id"] for it in shown["alerts"]]
    assert [*names[:2], *names[-2:]] == ["open", "ended-00002", f"ended-{ALERTS_SHOWN - 1:05}", "newest"]
    assert len(shown["tellings"]) == ALERTS_SHOWN - 2


async def test_long_queues_are_shown_by_their_beginning_and_their_count(store: Store) -> None:
    total = TASKS_SHOWN + 3
    await store.commit(*(make_task(f"t{number:06}", args={}) for number in range(total)))
    await Items(store).add([{"id": f"i{number}"} for number in range(total)], NOW)
    await save(store)
    shown = read(store.home.state_file)
    assert (shown["queueTotal"], shown["redditQueueTotal"]) == (total, total)
    assert (len(shown["queue"]), len(shown["redditQueue"])) == (TASKS_SHOWN, TASKS_SHOWN)
    assert shown["queue"][-1]["id"] == f"t{TASKS_SHOWN - 1:06}"
    assert shown["redditQueue"][-1]["id"] == f"i{TASKS_SHOWN - 1}"


async def test_the_generation_before_is_kept(store: Store) -> None:
    snapshot, generations = snapshot_of(store), []
    for number in range(3):
        await store.commit(make_task(f"t{number}"))
        await snapshot.save(NOW)
        generations.append(store.generation)
    home = store.home
    assert read(home.state_file)["generation"] == generations[-1]
    assert read(home.previous_state_file)["generation"] == generations[-2]
    assert len(read(home.previous_state_file)["queue"]) == 2


async def test_it_is_behind_exactly_when_something_was_committed_since(store: Store) -> None:
    snapshot = snapshot_of(store)
    assert snapshot.is_behind
    await snapshot.save(NOW)
    assert not snapshot.is_behind
    await store.commit(make_task("a"))
    assert snapshot.is_behind
    await snapshot.save(NOW)
    assert not snapshot.is_behind


async def test_what_is_committed_while_the_leads_are_read_does_not_count_as_shown(store: Store) -> None:
    items = Items(store)

    async def slow_head() -> tuple[bytes, int]:
        head = await items.head()
        await items.add([{"id": f"late-{store.generation}"}], NOW)
        return head

    snapshot = Snapshot(store, slow_head, NOW)
    await snapshot.save(NOW)
    first = read(store.home.state_file)
    assert first["redditQueueTotal"] == 0
    assert first["generation"] < store.generation
    assert snapshot.is_behind
    await snapshot.save(NOW)
    second = read(store.home.state_file)
    assert second["redditQueueTotal"] == 1
    assert second["generation"] > first["generation"]


async def test_the_file_is_never_ahead_of_the_database(store: Store) -> None:
    snapshot, stop = snapshot_of(store), asyncio.Event()

    async def commit() -> None:
        number = 0
        while not stop.is_set():
            await store.commit(make_task(f"t{number % 20}", attempt=number))
            number += 1

    async with asyncio.TaskGroup() as parts:
        for _ in range(3):
            parts.create_task(commit())
        for _ in range(20):
            await snapshot.save(NOW)
            shown = read(store.home.state_file)["generation"]
            assert shown <= generation_in(store.home.database)
        stop.set()


async def test_a_start_that_commits_nothing_leaves_a_file_that_is_not_ahead(home_folder: Path) -> None:
    for _ in range(3):
        async with opened(home_folder) as store:
            await save(store)
            assert read(store.home.state_file)["generation"] == generation_in(store.home.database)


async def test_what_a_handler_answered_cannot_keep_the_file_from_being_written(store: Store) -> None:
    odd = {"path": Path("/a"), "error": ValueError("bad"), "set": {1}, 1: "one"}
    await store.commit(make_task("a", state=TaskState.RETRYABLE, summary=odd), make_alert("b"))
    await save(store)
    assert read(store.home.state_file)["queue"][0]["summary"] == {
        "path": "/a",
        "error": "bad",
        "set": [1],
        "1": "one",
    }


async def test_saves_that_overlap_because_one_was_cancelled_do_not_mix(store: Store) -> None:
    snapshot = snapshot_of(store)
    await store.commit(*(make_task(f"t{number}", error="x" * 200) for number in range(3000)))
    for number in range(8):
        await store.commit(make_task("last", attempt=number))
        cancelled = asyncio.create_task(snapshot.save(NOW))
        while not store.home.state_file.with_name("orchestrator_state.json.tmp").exists():
            await asyncio.sleep(0)
            if cancelled.done():
                break
        cancelled.cancel()
        await store.commit(deletes=[make_task(f"t{n}") for n in range(number * 300, number * 300 + 300)])
        await snapshot.save(NOW)
        with contextlib.suppress(asyncio.CancelledError):
            await cancelled
        assert read(store.home.state_file)["generation"] == store.generation
        assert len(read(store.home.state_file)["queue"]) == len(store.tasks)


async def test_a_reader_that_polls_finds_it_whole_every_time(store: Store) -> None:
    home, snapshot = store.home, snapshot_of(store)
    await store.commit(*(make_task(f"t{number}") for number in range(500)))
    await snapshot.save(NOW)
    reader = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "tests/state/polling.py"), str(home.state_file),
        str(home.previous_state_file), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert reader.stdout is not None
    assert await reader.stdout.readline() == b"polling\n"
    for number in range(120):
        await store.commit(make_task("changing", attempt=number, error="x" * number * 50))
        await snapshot.save(NOW)
    said, _ = await reader.communicate(b"")
    assert reader.returncode == 0
    (line,) = said.decode().splitlines()
    assert int(line.removeprefix("polls ")) > 20


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
@settings(max_examples=500, deadline=None)
def test_one_changed_byte_is_noticed_wherever_it_is(index: int, change: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[index] ^= change
    with pytest.raises(SnapshotDamaged):
        decode(bytes(damaged))


def test_every_byte_of_the_end_is_watched() -> None:
    for index in range(len(WHOLE) - 90, len(WHOLE)):
        for value in {*range(256)} - {WHOLE[index]}:
            damaged = bytearray(WHOLE)
            damaged[index] = value
            with pytest.raises(SnapshotDamaged):
                decode(bytes(damaged))


def test_a_file_cut_anywhere_is_noticed() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(SnapshotDamaged):
            decode(WHOLE[:length])


@given(st.binary(max_size=200))
def test_garbage_is_noticed(data: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        decode(data)


def test_a_whole_file_is_read_with_or_without_a_line_end() -> None:
    assert decode(WHOLE) == decode(WHOLE + b"\n")
    assert decode(WHOLE)["generation"] == 7


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1", "not a JSON object|not JSON"),
        (b'{"generation":1', "no schema"),
        (b'{"schema":1', "no generation"),
    ],
)
def test_what_bears_a_checksum_and_is_no_state_is_noticed(content: bytes, reason: str) -> None:
    import hashlib

    sealed = content + b',"checksum":"' + hashlib.sha256(content).hexdigest().encode() + b'"}'
    with pytest.raises(SnapshotDamaged, match=reason):
        decode(sealed)


def test_a_missing_file_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        read(tmp_path / "folder")

"""Batches and their digests: recorded once, shown in a file that is rebuilt whenever it is bad."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from state.database import Database, StoreError
from state.digest_file import FileState, batches_beyond, covering
from state.digests import Digests
from state.home import Home
from state.items import Items, Judgement, WindowMoved
from state.records import Batch, replace
from state.recovery import open_home
from state.store import Store

NOW = datetime(2026, 11, 21, 23, 0, 5, tzinfo=UTC)
DAY = date(2026, 11, 21)


@pytest.fixture
async def store(home_folder: Path) -> AsyncIterator[Store]:
    home = Home(home_folder, home_folder / "logs")
    home.make_folders()
    store = Store(home, Database(home.database, open_home(home, NOW).generation))
    await store.load()
    yield store
    await store.close()


@pytest.fixture
def digests(store: Store) -> Digests:
    return Digests(store)


async def add(store: Store, *scores: float) -> None:
    """One waiting lead for each score."""
    start = sum(1 for _ in await Items(store).listing(10_000, all=True))
    bodies = [
        {"id": f"t3_{start + n}", "title": f"lead {start + n} 🚀", "score": it, "flair": "kept"}
        for n, it in enumerate(scores)
    ]
    await Items(store).add(bodies, NOW)


async def judged(store: Store) -> Batch:
    """Everything that waits, judged and not yet recorded."""
    window = await Digests(store).window()

    def judge(body: Any) -> Judgement:
        return Judgement(body["score"], body["score"] > 0.75, {"own": body["score"]})

    if window.queue_total:
        await Items(store).judge(window.after_seq, window.until_seq, judge)
    return Batch(
        id=f"00000000-0000-4000-8000-{window.until_seq:012}",
        task_id=f"task-{window.until_seq}",
        date=DAY,
        generated_at=NOW + timedelta(seconds=window.until_seq),
        after_seq=window.after_seq,
        until_seq=window.until_seq,
        docs_processed=0,
        queue_total=window.queue_total,
        marked_for_draft=0,
    )


async def batch_of(store: Store, *scores: float, day: date = DAY) -> Batch:
    await add(store, *scores)
    return await Digests(store).record(replace(await judged(store), date=day))


def file_of(digests: Digests) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(digests.path(DAY).read_bytes())
    return value


async def test_a_batch_is_recorded_with_the_counts_of_its_window(store: Store, digests: Digests) -> None:
    batch = await batch_of(store, 0.5, 0.9, 0.75)
    assert (batch.docs_processed, batch.queue_total, batch.marked_for_draft) == (3, 3, 1)
    assert await digests.batch_of(batch.task_id) == batch
    assert await digests.batches_of(DAY) == [batch]
    assert await digests.listing() == [batch]
    assert await digests.newest_date(DAY) == DAY
    assert await digests.newest_date(DAY - timedelta(days=1)) is None


async def test_a_task_records_one_batch_however_often_it_is_run(store: Store, digests: Digests) -> None:
    first = await batch_of(store, 0.9)
    await add(store, 0.8)
    again = replace(await judged(store), task_id=first.task_id)
    assert await digests.record(again) == first
    assert await Items(store).count_waiting() == 1


async def test_a_window_starts_where_the_last_one_ended(store: Store, digests: Digests) -> None:
    await add(store, 0.9)
    early = await judged(store)
    await digests.record(early)
    await add(store, 0.8)
    for after in (0, 2):
        with pytest.raises(WindowMoved):
            await digests.record(replace(await judged(store), id="b", task_id="t", after_seq=after))
    assert await digests.listing() == [replace(early, docs_processed=1, marked_for_draft=1)]


async def test_leads_that_were_not_judged_are_not_recorded(store: Store, digests: Digests) -> None:
    await add(store, 0.9)
    batch = await judged(store)
    await add(store, 0.9)
    with pytest.raises(StoreError, match="1 leads of the window are not judged"):
        await digests.record(replace(batch, until_seq=2))


async def test_the_file_shows_the_batch(store: Store, digests: Digests) -> None:
    batch = await batch_of(store, 0.5, 0.8, 0.9)
    await digests.write_file(DAY, NOW)
    assert digests.path(DAY).name == "digest-2026-11-21.json"
    digest = file_of(digests)
    assert digest["date"] == "2026-11-21"
    assert digest["generatedAt"] == "2026-11-21T23:00:08.000000Z"
    assert digest["batchId"] == batch.id
    assert digest["summary"] == {"docsProcessed": 3, "queueTotal": 3, "markedForDraft": 2}
    assert digest["redditQueue"][0] == {
        "id": "t3_2",
        "title": "lead 2 🚀",
        "flair": "kept",
        "score": 0.9,
        "selectedForDraft": True,
        "reasons": {"own": 0.9},
        "batchId": batch.id,
    }
    assert [entry["id"] for entry in digest["redditQueue"]] == ["t3_2", "t3_1"]
    assert digest["batches"] == [
        {
            "batchId": batch.id,
            "generatedAt": "2026-11-21T23:00:08.000000Z",
            "docsProcessed": 3,
            "queueTotal": 3,
            "markedForDraft": 2,
            "window": {"after": 0, "until": 3},
        }
    ]
    assert (await digests.read_file(DAY)).digest == digest


async def test_a_second_batch_of_a_date_extends_its_file(store: Store, digests: Digests) -> None:
    first = await batch_of(store, 0.9, 0.1)
    await digests.write_file(DAY, NOW)
    second = await batch_of(store, 0.8)
    assert (await digests.read_file(DAY)).state is FileState.STALE
    await digests.write_file(DAY, NOW)
    digest = file_of(digests)
    assert digest["batchId"] == second.id
    assert [it["batchId"] for it in digest["batches"]] == [first.id, second.id]
    assert digest["summary"] == {"docsProcessed": 3, "queueTotal": 3, "markedForDraft": 2}
    assert [it["id"] for it in digest["redditQueue"]] == ["t3_0", "t3_2"]
    part = covering(digest, {second.id})
    assert part is not None
    assert part["summary"] == {"docsProcessed": 1, "queueTotal": 1, "markedForDraft": 1}


async def test_dates_do_not_mix(store: Store, digests: Digests) -> None:
    await batch_of(store, 0.9, day=DAY - timedelta(days=1))
    tonight = await batch_of(store, 0.8)
    digest = await digests.build(DAY)
    assert digest is not None
    assert [it["batchId"] for it in digest["batches"]] == [tonight.id]
    assert [it["id"] for it in digest["redditQueue"]] == ["t3_1"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: data[: len(data) // 2],
        lambda data: b"[]",
        lambda data: data.replace(b"2026-11-21", b"2026-11-20"),
        lambda data: data.replace(b'"markedForDraft": 2', b'"markedForDraft": 3'),
        lambda data: data.replace(b'"selectedForDraft"', b'"x"').replace(b'"title"', b'"y"'),
        lambda data: json.dumps(json.loads(data) | {"redditQueue": []}).encode(),
        lambda data: json.dumps(json.loads(data) | {"batches": []}).encode(),
        lambda data: json.dumps(json.loads(data) | {"generatedAt": "yesterday"}).encode(),
    ],
)
async def test_a_damaged_file_is_known_kept_aside_and_rebuilt(
    store: Store, digests: Digests, damage: Any
) -> None:
    await batch_of(store, 0.9, 0.8)
    await digests.write_file(DAY, NOW)
    whole = digests.path(DAY).read_bytes()
    damaged = damage(whole)
    digests.path(DAY).write_bytes(damaged)
    assert (await digests.read_file(DAY)).state is FileState.DAMAGED
    await digests.write_file(DAY, NOW)
    assert digests.path(DAY).read_bytes() == whole
    kept = digests.path(DAY).with_name("digest-2026-11-21.json.damaged-20261121T230005Z")
    assert kept.read_bytes() == damaged


async def test_a_file_that_lost_a_lead_is_damaged(store: Store, digests: Digests) -> None:
    await batch_of(store, 0.9, 0.8)
    digest = await digests.write_file(DAY, NOW)
    assert digest is not None
    digest["redditQueue"].pop()
    digest["summary"]["markedForDraft"] = 1
    digests.path(DAY).write_text(json.dumps(digest))
    assert (await digests.read_file(DAY)).state is FileState.DAMAGED


async def test_a_missing_file_is_known_and_made(store: Store, digests: Digests) -> None:
    await batch_of(store, 0.9)
    assert (await digests.read_file(DAY)).state is FileState.MISSING
    await digests.write_file(DAY, NOW)
    assert (await digests.read_file(DAY)).state is FileState.GOOD


async def test_no_file_is_made_of_nothing(digests: Digests) -> None:
    assert await digests.write_file(DAY, NOW) is None
    assert await digests.build(DAY) is None
    assert not digests.path(DAY).exists()


async def test_a_file_with_batches_the_database_lost_is_extended(store: Store, digests: Digests) -> None:
    await batch_of(store, 0.9, 0.8)
    digest = await digests.write_file(DAY, NOW)
    assert digest is not None
    lost = {
        "batchId": "lost", "generatedAt": "2026-11-21T22:00:00Z", "docsProcessed": 7, "queueTotal": 7,
        "markedForDraft": 2, "window": {"after": 0, "until": 7},
    }  # fmt: skip
    entry = digest["redditQueue"][0] | {"batchId": "lost"}
    found = digest | {
        "batches": [lost],
        "batchId": "lost",
        "summary": {"docsProcessed": 7, "queueTotal": 7, "markedForDraft": 2},
        "redditQueue": [entry, entry | {"id": "t3_lost", "title": "only in the file"}],
    }
    digests.path(DAY).write_text(json.dumps(found))
    assert (await digests.read_file(DAY)).state is FileState.STALE
    merged = await digests.write_file(DAY, NOW)
    assert merged is not None
    assert [it["batchId"] for it in merged["batches"]] == ["lost", digest["batchId"]]
    assert sorted(it["id"] for it in merged["redditQueue"]) == ["t3_0", "t3_1", "t3_lost"]
    assert (await digests.read_file(DAY)).state is FileState.GOOD
    known = {digest["batchId"]}
    assert batches_beyond(merged, known, None) == ["lost"]
    assert batches_beyond(merged, known, NOW) == []


async def test_a_file_that_cannot_be_written_is_an_os_error_and_the_database_still_answers(
    store: Store, digests: Digests
) -> None:
    await batch_of(store, 0.9)
    folder = digests.path(DAY).parent
    folder.rmdir()
    folder.write_text("in the way")
    with pytest.raises(OSError, match=r"in the way|exists|Not a directory"):
        await digests.write_file(DAY, NOW)
    assert await digests.build(DAY) is not None


async def test_batches_are_unsent_until_a_delivery_is_proved(store: Store, digests: Digests) -> None:
    first = await batch_of(store, 0.9)
    old = await batch_of(store, 0.8, day=DAY - timedelta(days=3))
    assert await digests.unsent(DAY) == [first]
    assert await digests.unsent(DAY, DAY - timedelta(days=7)) == [old, first]
    await digests.mark_sent([first.id], "digest-x@slack", NOW)
    assert await digests.unsent(DAY) == []
    (sent,) = await digests.batches_of(DAY)
    assert (sent.delivery_id, sent.sent_at) == ("digest-x@slack", NOW)
    assert store.notes["lastDigestNotificationAt"] == "2026-11-21T23:00:05.000000Z"


async def test_the_note_of_the_last_delivery_never_goes_back(store: Store, digests: Digests) -> None:
    first, second = await batch_of(store, 0.9), await batch_of(store, 0.8)
    await digests.mark_sent([first.id], "a", NOW)
    await digests.mark_sent([second.id], "b", NOW - timedelta(hours=1))
    assert digests.last_sent_at == NOW
    await digests.mark_sent([first.id], "c", NOW + timedelta(hours=1))
    assert [it.delivery_id for it in await digests.batches_of(DAY)] == ["a", "b"]


async def test_a_note_that_a_crash_left_behind_is_mended(store: Store, digests: Digests) -> None:
    batch = await batch_of(store, 0.9)
    await store.run(
        lambda connection: (
            connection.execute(
                "UPDATE batch SET delivery_id = 'a', sent_at = '2026-11-22T06:00:01Z' WHERE id = ?",
                (batch.id,),
            ).rowcount
        )
    )
    assert digests.last_sent_at is None
    assert await digests.note_last_sent() == datetime(2026, 11, 22, 6, 0, 1, tzinfo=UTC)


async def test_batches_are_bound_to_one_message_all_or_none(store: Store, digests: Digests) -> None:
    first = await batch_of(store, 0.9)
    assert await digests.begin([first.id], "message-1")
    second = await batch_of(store, 0.8)
    assert await digests.begin([first.id], "message-1")
    assert not await digests.begin([second.id, first.id], "message-2")
    assert [it.delivery_id for it in await digests.unsent(DAY)] == ["message-1", None]
    await digests.mark_sent([first.id], "message-1@log", NOW)
    assert not await digests.begin([first.id], "message-1")

"""The queue of leads: kept in order, once per id, shown by its beginning."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from state import items as items_module
from state.database import Database
from state.digests import Digests
from state.home import Home
from state.items import Added, Items, Judgement, WindowMoved
from state.records import Batch
from state.recovery import open_home
from state.store import Store

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    home = Home(folder, folder / "logs")
    home.make_folders()
    store = Store(home, Database(home.database, open_home(home, NOW).generation))
    await store.load()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(home_folder: Path) -> AsyncIterator[Store]:
    async with opened(home_folder) as store:
        yield store


def leads(start: int, end: int) -> list[dict[str, Any]]:
    return [{"id": f"t3_{n}", "title": f"lead {n}", "flair": {"n": n}} for n in range(start, end)]


async def take_all(store: Store, selected: bool = True) -> Batch:
    """A batch of everything that waits."""
    items, digests = Items(store), Digests(store)
    window = await digests.window()
    at = window.after_seq
    while at < window.until_seq:
        at, _ = await items.judge(at, window.until_seq, lambda body: Judgement(0.9, selected, {"own": 0.9}))
    return await digests.record(
        Batch(
            id=f"batch-{window.until_seq}",
            task_id=f"task-{window.until_seq}",
            date=date(2026, 11, 21),
            generated_at=NOW + timedelta(hours=3),
            after_seq=window.after_seq,
            until_seq=window.until_seq,
            docs_processed=0,
            queue_total=window.queue_total,
            marked_for_draft=0,
        )
    )


async def test_leads_are_kept_whole_and_in_order_over_a_restart(home_folder: Path) -> None:
    async with opened(home_folder) as store:
        assert await Items(store).add(leads(0, 2500), NOW) == Added(2500, 0)
    async with opened(home_folder) as store:
        waiting = await Items(store).waiting(limit=3000)
        assert [item.body for item in waiting] == leads(0, 2500)
        assert waiting[0].added_at == NOW
        assert waiting[0].batch_id is None


async def test_the_same_id_twice_is_one_lead_and_the_first_stands(store: Store) -> None:
    items = Items(store)
    twice = [{"id": "t3_a", "title": "first"}, {"id": "t3_a", "title": "second"}]
    assert await items.add(twice, NOW) == Added(1, 1)
    assert await items.add([{"id": "t3_a", "title": "third"}], NOW + timedelta(days=9)) == Added(0, 1)
    assert [item.body["title"] for item in await items.waiting()] == ["first"]


async def test_a_lead_that_was_in_a_batch_does_not_come_back(store: Store) -> None:
    items = Items(store)
    await items.add(leads(0, 3), NOW)
    await take_all(store)
    assert await items.add(leads(0, 4), NOW) == Added(1, 3)
    assert [item.id for item in await items.waiting()] == ["t3_3"]


async def test_the_head_follows_every_change(store: Store) -> None:
    items = Items(store)
    assert await items.head() == (b"[]", 0)
    await items.add(leads(0, 3), NOW)
    shown, total = await items.head()
    assert (json.loads(shown), total) == (leads(0, 3), 3)
    await items.add(leads(2, 5), NOW)
    shown, total = await items.head()
    assert (json.loads(shown), total) == (leads(0, 5), 5)
    await take_all(store)
    assert await items.head() == (b"[]", 0)
    await items.add(leads(5, 6), NOW)
    shown, total = await items.head()
    assert (json.loads(shown), total) == (leads(5, 6), 1)


async def test_the_head_is_read_once_while_nothing_changes(store: Store) -> None:
    items = Items(store)
    await items.add(leads(0, 3), NOW)
    shown, _ = await items.head()
    assert (await items.head())[0] is shown


async def test_a_long_queue_is_shown_by_its_beginning_and_its_length(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items_module, "HEAD_ITEMS", 10)
    items = Items(store)
    for start in (0, 8, 30):
        await items.add(leads(start, start + 22), NOW)
        shown, total = await items.head()
        assert json.loads(shown) == leads(0, 10)
        assert total == await items.count_waiting() == start + 22


async def test_large_leads_are_shown_up_to_a_size(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "HEAD_BYTES", 1000)
    items = Items(store)
    await items.add([{"id": str(n), "title": "ü" * 100} for n in range(20)], NOW)
    shown, total = await items.head()
    assert total == 20
    assert 0 < len(json.loads(shown)) < 10
    assert len(shown) <= 1000


async def test_a_listing_is_paged_and_may_show_all(store: Store) -> None:
    items = Items(store)
    await items.add(leads(0, 3), NOW)
    await take_all(store)
    await items.add(leads(3, 6), NOW)
    assert [item.id for item in await items.listing(2, 1)] == ["t3_4", "t3_5"]
    assert [item.id for item in await items.listing(4, 1, all=True)] == ["t3_1", "t3_2", "t3_3", "t3_4"]


async def test_one_lead_is_explained(store: Store) -> None:
    items = Items(store)
    await items.add(leads(0, 2), NOW)
    batch = await take_all(store)
    await items.add(leads(2, 3), NOW)
    known = await items.explain("t3_1")
    assert known is not None
    assert (known.score, known.selected_for_draft, known.reasons) == (0.9, True, {"own": 0.9})
    assert known.batch_id == batch.id
    waiting = await items.explain("t3_2")
    assert waiting is not None
    assert (waiting.score, waiting.batch_id) == (None, None)
    assert await items.explain("t3_9") is None


async def test_a_recorded_verdict_is_never_changed(store: Store) -> None:
    items = Items(store)
    await items.add(leads(0, 3), NOW)
    await take_all(store)
    with pytest.raises(WindowMoved):
        await items.judge(0, 3, lambda body: Judgement(0.1, False, {}))
    known = await items.explain("t3_0")
    assert known is not None
    assert known.score == 0.9


async def test_the_newest_lead_of_a_window_is_found_and_the_future_is_not_believed(store: Store) -> None:
    items = Items(store)
    times = [100, 300.5, None, 999_999]
    await items.add([{"id": str(n), "title": "x", "created_utc": at} for n, at in enumerate(times)], NOW)
    assert await items.newest_created(0, 4, at_most=5000) == 300.5
    assert await items.newest_created(0, 1, at_most=5000) == 100
    assert await items.newest_created(2, 3, at_most=5000) is None

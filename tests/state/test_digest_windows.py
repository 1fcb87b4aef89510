"""Whatever happens in between, each lead is in exactly one digest."""

import asyncio
import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.database import Database
from state.digests import Digests
from state.home import Home
from state.items import Items, Judgement, WindowMoved
from state.records import Batch
from state.recovery import open_home
from state.store import Store

NOW = datetime(2026, 11, 21, 23, tzinfo=UTC)

# What may happen, in any order: leads arrive (some known already), two batch tasks at once judge and
# record as far as they get, a task is run again after a crash, the program starts anew.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 40), st.integers(1, 8)),
        st.tuples(st.just("open"), st.integers(0, 1), st.integers(0, 3)),
        st.tuples(st.just("judge"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("record"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


class Night:
    """Two batch tasks over one queue, each somewhere on its way."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.ids: set[str] = set()
        self.tasks: dict[int, Batch] = {}

    async def open_store(self) -> None:
        self.store = Store(self.home, Database(self.home.database, open_home(self.home, NOW).generation))
        await self.store.load()
        self.items, self.digests = Items(self.store), Digests(self.store)

    async def add(self, start: int, count: int) -> None:
        ids = [f"t3_{n}" for n in range(start, start + count)]
        await self.items.add([{"id": it, "title": it} for it in ids], NOW)
        self.ids.update(ids)

    async def open(self, task: int, number: int) -> None:
        window = await self.digests.window()
        self.tasks[task] = Batch(
            id=f"batch-{task}-{number}-{window.until_seq}-{len(self.tasks)}-{await self._count()}",
            task_id=f"task-{task}-{number}",
            date=date(2026, 11, 21) + timedelta(days=number % 2),
            generated_at=NOW,
            after_seq=window.after_seq,
            until_seq=window.until_seq,
            docs_processed=0,
            queue_total=window.queue_total,
            marked_for_draft=0,
        )

    async def judge(self, task: int, _: int) -> None:
        batch = self.tasks.get(task)
        if batch is not None and batch.until_seq > batch.after_seq:
            await self.items.judge(batch.after_seq, batch.until_seq, by_number)

    async def record(self, task: int, _: int) -> None:
        batch = self.tasks.get(task)
        if batch is not None:
            await self.judge(task, 0)
            recorded = await self.digests.record(batch)
            await self.digests.write_file(recorded.date, NOW)

    async def restart(self, *_: int) -> None:
        await self.store.close()
        self.tasks.clear()
        await self.open_store()

    async def _count(self) -> int:
        return len(await self.digests.listing(1000))


def by_number(body: Any) -> Judgement:
    is_even = int(body["id"][3:]) % 2 == 0
    return Judgement(1.0 if is_even else 0.0, is_even, {"own": 1.0 if is_even else 0.0})


async def walk(folder: Path, steps: list[tuple[str, int, int]]) -> None:
    home = Home(folder, folder / "logs")
    home.make_folders()
    night = Night(home)
    await night.open_store()
    try:
        for name, first, second in steps:
            try:
                await getattr(night, name)(first, second)
            except WindowMoved:
                night.tasks.pop(first)  # the loser looks anew at what is left
        await night.open(0, 99)
        await night.record(0, 0)
        await check(night)
    finally:
        await night.store.close()


async def check(night: Night) -> None:
    everything = await night.items.listing(10_000, all=True)
    assert {item.id for item in everything} == night.ids
    assert all(item.batch_id is not None for item in everything)
    batches = sorted(await night.digests.listing(1000), key=lambda it: it.until_seq)
    assert sum(batch.docs_processed for batch in batches) == len(night.ids)
    marked: Counter[str] = Counter()
    for day in {batch.date for batch in batches}:
        digest = (await night.digests.read_file(day)).digest
        assert digest is not None
        marked.update(entry["id"] for entry in digest["redditQueue"])
    assert marked == Counter(it for it in night.ids if int(it[3:]) % 2 == 0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_each_lead_is_in_exactly_one_digest_whatever_comes_between(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(walk(Path(folder), steps))

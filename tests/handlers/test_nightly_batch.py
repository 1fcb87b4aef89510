"""The nightly batch: every lead in one digest, marked strictly above the threshold."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from daemon.engine.handler import Done, HandlerError
from handlers import HANDLERS
from handlers.batch import local_date
from handlers.heartbeat import heartbeat
from handlers.nightly_batch import nightly_batch

SLOT = "2026-11-21T23:00:00"


def digest_of(world: Any, day: str = "2026-11-21") -> dict[str, Any]:
    value: dict[str, Any] = json.loads((world.home.digests / f"digest-{day}.json").read_bytes())
    return value


async def run(world: Any, task_id: str = "night-1", **task: Any) -> dict[str, Any]:
    done = await nightly_batch(world.context("nightly-batch", task_id, **task))
    assert isinstance(done, Done)
    return done.summary


async def test_only_what_is_strictly_above_the_threshold_is_marked(world: Any) -> None:
    await world.add(0.7499, 0.75, 0.7501, 1.0)
    summary = await run(world, slot=SLOT)
    assert summary == {"docsProcessed": 4, "markedForDraft": 2, "digest": "digest-2026-11-21.json"}
    assert [entry["id"] for entry in digest_of(world)["redditQueue"]] == ["t3_3", "t3_2"]


async def test_a_task_that_is_run_again_makes_no_second_batch(world: Any) -> None:
    await world.add(0.9)
    first = await run(world, slot=SLOT)
    before = digest_of(world)
    await world.add(0.8)
    (world.home.digests / "digest-2026-11-21.json").unlink()
    await world.restart()
    assert await run(world, slot=SLOT, attempt=2) == first
    assert digest_of(world) == before
    assert await world.house.items.count_waiting() == 1


async def test_a_batch_made_up_after_midnight_is_still_last_nights(world: Any) -> None:
    await world.add(0.9)
    await world.clock.advance(hours=3)
    await run(world, slot=SLOT)
    assert digest_of(world)["date"] == "2026-11-21"
    assert digest_of(world)["generatedAt"].startswith("2026-11-22T02:00")


async def test_a_batch_by_hand_bears_the_local_date(world: Any) -> None:
    world.options.timezone = "Asia/Tokyo"
    await world.add(0.9)
    assert (await run(world))["digest"] == "digest-2026-11-22.json"
    assert local_date(datetime(2026, 11, 21, 4, tzinfo=UTC), "America/Los_Angeles").day == 20


async def test_an_empty_batch_is_warned_of_until_leads_come_again(world: Any) -> None:
    await run(world, slot=SLOT)
    assert world.open_alerts() == ["batch.empty"]
    assert digest_of(world)["summary"] == {"docsProcessed": 0, "queueTotal": 0, "markedForDraft": 0}
    await world.clock.advance(days=1)
    await world.add(0.1)
    await run(world, "night-2", slot="2026-11-22T23:00:00")
    assert world.open_alerts() == []


async def test_a_second_run_of_a_date_with_nothing_waiting_adds_no_batch(world: Any) -> None:
    await world.add(0.9)
    await run(world, slot=SLOT)
    await run(world, "by-hand")
    assert len(await world.house.digests.listing()) == 1
    assert world.open_alerts() == []


async def test_a_slow_batch_is_warned_of(world: Any) -> None:
    world.options.slow_after = timedelta(seconds=-1)
    await world.add(0.9)
    await run(world, slot=SLOT)
    assert world.open_alerts() == ["batch.slow"]
    world.options.slow_after = timedelta(seconds=30)
    await world.add(0.9)
    await run(world, "night-2", slot=SLOT)
    assert world.open_alerts() == []


async def test_leads_without_a_score_are_scored_and_explained(world: Any) -> None:
    lead = {"id": "t3_q", "title": "How do I do this?", "ups": 4000, "num_comments": 900}
    await world.house.items.add(
        [lead | {"created_utc": world.clock.now().timestamp() - 60}], world.clock.now()
    )
    await run(world, slot=SLOT)
    (entry,) = digest_of(world)["redditQueue"]
    assert entry["ups"] == 4000
    assert set(entry["reasons"]) == {"engagement", "freshness", "intent"}
    assert sum(entry["reasons"].values()) == pytest.approx(entry["score"], abs=1e-3)


async def test_a_large_batch_is_taken_in_chunks(world: Any) -> None:
    await world.add(*([0.9] * 5 + [0.1] * 2495))
    assert (await run(world, slot=SLOT))["docsProcessed"] == 2500
    assert len(digest_of(world)["redditQueue"]) == 5


async def test_a_batch_overtaken_by_another_starts_again_with_what_is_left(world: Any) -> None:
    await world.add(0.9, 0.8)
    judge = world.house.items.judge
    overtaken: list[str] = []

    async def overtaking(*window: Any) -> tuple[int, int]:
        if not overtaken:
            overtaken.append("once")
            await run(world, "quicker")
            await world.add(0.95)
        result: tuple[int, int] = await judge(*window)
        return result

    world.house.items.judge = overtaking
    await run(world, slot=SLOT)
    assert [it.docs_processed for it in await world.house.digests.batches_of(date(2026, 11, 21))] == [2, 1]
    assert [entry["id"] for entry in digest_of(world)["redditQueue"]] == ["t3_2", "t3_0", "t3_1"]


async def test_a_digest_that_cannot_be_written_is_written_by_the_next_attempt(world: Any) -> None:
    await world.add(0.9)
    world.home.digests.rmdir()
    world.home.digests.write_text("in the way")
    with pytest.raises(
        HandlerError, match=r"digest-2026-11-21\.json: the digest could not be written"
    ) as failure:
        await run(world, slot=SLOT)
    assert not failure.value.permanent
    world.home.digests.unlink()
    await run(world, slot=SLOT, attempt=2)
    assert len(digest_of(world)["batches"]) == 1


async def test_a_heartbeat_is_noted(world: Any) -> None:
    await heartbeat(world.context("heartbeat"))
    assert world.store.notes["lastHeartbeatAt"] == "2026-11-21T23:00:01.000000Z"
    assert not heartbeat.in_history


def test_the_table_names_the_handlers_of_this_package() -> None:
    assert HANDLERS["nightly-batch"] == "handlers.nightly_batch:nightly_batch"
    assert nightly_batch.name == "nightly-batch"
    assert nightly_batch.timeout == timedelta(minutes=30)

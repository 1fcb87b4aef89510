"""The broom: what has been kept long enough goes, and nothing that is still needed."""

from datetime import timedelta

from state.records import Delivery, DeliveryState
from tests.house import NOW, Gate, House

DAY = timedelta(days=1)


async def sweep(house: House) -> None:
    [broom] = [part for part in house.app.parts if part.name == "broom"]
    assert await broom.step() == house.clock.now() + timedelta(hours=1)


async def test_old_runs_and_slots_go_and_young_ones_stay(house: House) -> None:
    house.limit(history_days=10)
    house.parts = ("scheduler",)
    house.add_handler("work")
    house.add_schedule("work", "0 * * * *")
    await house.start()
    await house.clock.advance(days=12)
    assert len(await house.rows("run")) == len(await house.rows("slot")) == 12 * 24

    await sweep(house)

    oldest = (NOW + 2 * DAY).isoformat().removesuffix("+00:00")
    assert 239 <= len(await house.rows("run")) <= 241
    assert min(row["finished_at"] for row in await house.rows("run")) >= oldest
    assert min(row["decided_at"] for row in await house.rows("slot")) >= oldest


async def test_very_many_old_rows_go_in_one_sweep(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    insert = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
        " INSERT INTO run (id, handler, args, state, trigger, lane, attempt, max_attempts, scheduled_at,"
        " finished_at) SELECT i, 'work', '{}', 'completed', 'api', 'normal', 1, 1, '2020', '2020' FROM n"
    )
    await app.store.run(lambda connection: connection.execute(insert).rowcount)
    await app.queue.enqueue("work")
    await house.settle()

    await sweep(house)

    assert len(await house.rows("run")) == 1


async def test_the_number_of_runs_is_never_forgotten(house: House) -> None:
    house.limit(history_days=10)
    house.add_handler("work")
    app = await house.start()
    for _ in range(5):
        await app.queue.enqueue("work")
    await house.settle()
    await house.clock.advance(days=20)
    await sweep(house)
    await house.kill()

    app = await house.start()

    assert app.store.runs_total == 5


async def test_a_key_is_kept_for_a_week_and_as_long_as_its_task_is_unfinished(house: House) -> None:
    house.add_handler("done")
    house.add_handler("running", Gate(), timeout=30 * DAY)
    app = await house.start()
    for handler in ("done", "running"):
        await app.queue.enqueue(handler, key=handler)
    await house.clock.advance(days=6)
    await sweep(house)
    assert set(app.store.keys) == {"done", "running"}

    await house.clock.advance(days=2)
    await sweep(house)

    assert set(app.store.keys) == {"running"}
    assert [row["key"] for row in await house.rows("task_key")] == ["running"]


async def test_old_deliveries_go_once_their_fate_is_known(house: House) -> None:
    app = await house.start()
    for state in DeliveryState:
        await app.store.commit(
            Delivery(
                id=state.value,
                kind="test",
                subject="x",
                channel="log",
                state=state,
                title="x",
                created_at=NOW,
            )
        )
    await house.clock.advance(days=34)
    await sweep(house)
    assert len(app.store.deliveries) == len(DeliveryState)

    await house.clock.advance(days=2)
    await sweep(house)

    assert set(app.store.deliveries) == {"intended", "unknown", "retryable"}

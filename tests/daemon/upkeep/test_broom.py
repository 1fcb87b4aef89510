"""The broom: what has been kept long enough goes, and nothing that is still needed."""

from datetime import timedelta

import pytest

from daemon.upkeep.broom import ROWS_AT_ONCE
from state.records import Delivery, DeliveryState, replace
from state.store import Change
from tests.house import NOW, Gate, House
from tests.state.sample import (
    as_delivered,
    make_alert,
    make_delivery,
    make_notice,
    make_silence,
    make_telling,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
RETENTION = timedelta(hours=48)


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


async def test_an_alert_goes_with_what_was_told_of_it_once_it_is_over_long_enough(house: House) -> None:
    app = await house.start()
    over = [
        replace(make_alert("old"), resolved_at=NOW - SECOND),
        replace(make_alert("young"), resolved_at=NOW + SECOND),
    ]
    tellings = [make_telling(name, receiver=to) for name in ("old", "young", "open") for to in ("", "oncall")]
    await app.store.commit(make_alert("open"), *over, *tellings, make_telling("lost"))
    await house.clock.advance(RETENTION)

    await sweep(house)

    assert set(app.store.alerts) == {"young", "open"}
    assert set(app.store.tellings) == {"young@", "young@oncall", "open@", "open@oncall"}


async def test_what_was_told_of_an_alert_that_the_disk_does_not_hold_yet_is_kept(house: House) -> None:
    app = await house.start()
    house.disk.is_full = True
    alert = await app.alerts.fire("disk.full", severity=make_alert("x").severity, summary="z")
    house.disk.is_full = False
    await app.store.commit(make_telling(alert.id))

    await sweep(house)

    assert alert.id not in app.store.alerts
    assert set(app.store.tellings) == {f"{alert.id}@oncall"}


async def test_a_notice_goes_with_what_was_tried_for_it_once_it_is_delivered_long_enough(
    house: House,
) -> None:
    app = await house.start()
    notices = [
        as_delivered(make_notice("old"), NOW - SECOND),
        as_delivered(make_notice("young"), NOW + SECOND),
        make_notice("owed", NOW - 400 * DAY),
    ]
    tried = [
        replace(make_delivery(f"{notice.id}@team", NOW, state), id=f"{notice.id}@team{n}", channel=f"team{n}")
        for notice in notices
        for n, state in enumerate(DeliveryState)
    ]
    await app.store.commit(*notices, *tried, make_delivery("digest@team"))
    await house.clock.advance(RETENTION)

    await sweep(house)

    assert set(app.store.notices) == {"young", "owed"}
    left = {name.partition("@")[0] for name in app.store.deliveries}
    assert left == {"young", "owed", "digest"}


async def test_what_an_owed_notice_speaks_of_stays_with_it(house: House) -> None:
    app = await house.start()
    over = [replace(make_alert(name), resolved_at=NOW - 9 * DAY) for name in ("told", "owed")]
    await app.store.commit(*over, *(make_telling(it.id) for it in over), make_notice("n", alerts=("owed",)))
    await sweep(house)
    assert set(app.store.alerts) == {"owed"}
    assert set(app.store.tellings) == {"owed@oncall"}

    await app.store.commit(as_delivered(app.store.notices["n"], NOW))
    await sweep(house)

    assert set(app.store.alerts) == set(app.store.tellings) == set()
    assert set(app.store.notices) == {"n"}


async def test_silences_go_when_they_have_been_over_for_as_long(house: House) -> None:
    app = await house.start()
    await app.store.commit(
        make_silence("old", ends_at=NOW - SECOND),
        make_silence("young", ends_at=NOW + SECOND),
        make_silence("active", ends_at=NOW + 3 * DAY),
    )
    await house.clock.advance(RETENTION)

    await sweep(house)

    assert set(app.store.silences) == {"young", "active"}


async def test_the_alerts_of_a_storm_go_a_part_at_a_time_and_never_after_what_was_told_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await house.start()
    alerts = [replace(make_alert(f"a{n:05}"), resolved_at=NOW - 9 * DAY) for n in range(2800)]
    await app.store.commit(*alerts, *(make_telling(it.id) for it in alerts))
    sizes, commit = [], app.store.commit_change

    async def noted(change: Change) -> None:
        sizes.append(len(change.operations))
        await commit(change)
        assert {it.alert_id for it in app.store.tellings.values()} >= set(app.store.alerts)

    monkeypatch.setattr(app.store, "commit_change", noted)
    await sweep(house)

    assert not app.store.alerts
    assert not app.store.tellings
    assert max(sizes) == ROWS_AT_ONCE
    assert sum(sizes) == 2 * 2800

"""The book of alerts: one open entry for each thing that is wrong, counted, and closed when it is over."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.watch.alerts import fingerprint
from state.records import Severity
from state.snapshot import read
from tests.house import NOW, House

HOUR = timedelta(hours=1)


async def test_the_same_thing_is_one_alert_however_often_it_happens(house: House) -> None:
    alerts = (await house.start()).alerts
    for n in range(5):
        await alerts.fire("redis.down", severity=Severity.WARNING, summary=f"try {n}", labels={"db": "0"})
        await house.clock.advance(minutes=1)

    [alert] = house.app.store.alerts.values()

    assert alerts.open == [alert]
    assert (alert.count, alert.summary) == (5, "try 4")
    assert (alert.first_at, alert.last_at) == (NOW, NOW + timedelta(minutes=4))


async def test_another_label_is_another_alert(house: House) -> None:
    alerts = (await house.start()).alerts
    for db in ("0", "1"):
        await alerts.fire("redis.down", severity=Severity.WARNING, summary="x", labels={"db": db})
    await alerts.fire("redis.slow", severity=Severity.WARNING, summary="x", labels={"db": "0"})

    assert len(alerts.open) == 3


async def test_many_at_once_are_one_alert_with_a_count(house: House) -> None:
    alerts = (await house.start()).alerts

    await asyncio.gather(*(alerts.fire("x.y", severity=Severity.ERROR, summary="z") for _ in range(50)))

    [alert] = house.app.store.alerts.values()
    assert alert.count == 50


@pytest.mark.parametrize(
    ("severities", "kept"),
    [
        (["info", "critical", "warning"], "critical"),
        (["warning", "warning"], "warning"),
        (["error", "info"], "error"),
    ],
)
async def test_an_open_alert_can_worsen_and_does_not_better(
    house: House, severities: list[str], kept: str
) -> None:
    alerts = (await house.start()).alerts
    for severity in severities:
        await alerts.fire("x.y", severity=Severity(severity), summary="z")

    assert [alert.severity.value for alert in alerts.open] == [kept]


async def test_what_is_over_is_closed_and_may_begin_anew(house: House) -> None:
    alerts = (await house.start()).alerts
    await alerts.fire("x.y", severity=Severity.ERROR, summary="z")
    await house.clock.advance(hours=1)

    resolved = await alerts.resolve("x.y")
    again = await alerts.resolve("x.y")
    await house.clock.advance(hours=1)
    await alerts.fire("x.y", severity=Severity.INFO, summary="z")

    assert resolved is not None
    assert resolved.resolved_at == NOW + HOUR
    assert again is None
    assert [(alert.count, alert.severity) for alert in alerts.open] == [(1, Severity.INFO)]
    assert len(house.app.store.alerts) == 2


async def test_what_is_open_stays_open_over_a_kill(house: House) -> None:
    alerts = (await house.start()).alerts
    await alerts.fire("x.y", severity=Severity.ERROR, summary="z")
    await house.kill()

    alerts = (await house.start()).alerts
    await alerts.fire("x.y", severity=Severity.ERROR, summary="z")

    assert [(alert.name, alert.count) for alert in alerts.open if alert.name == "x.y"] == [("x.y", 2)]


async def test_what_is_told_is_recorded_and_never_open(house: House) -> None:
    alerts = (await house.start()).alerts

    told = await alerts.tell("clock.stepped", severity=Severity.WARNING, summary="z")

    assert alerts.open == []
    assert told.resolved_at == NOW
    assert list(house.app.store.alerts.values()) == [told]


async def test_a_full_disk_keeps_nobody_from_raising_an_alarm(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = (await house.start()).alerts
    house.disk.is_full = True

    await alerts.fire("x.y", severity=Severity.ERROR, summary="z")

    assert house.alerts == ["x.y"]
    assert [it.levelname for it in caplog.records if it.message == "alert.unstored"] == ["CRITICAL"]


async def test_an_alert_that_a_full_disk_refused_is_stored_once_there_is_room(house: House) -> None:
    app = await house.start()
    house.disk.is_full = True
    alert = await app.alerts.fire("x.y", severity=Severity.ERROR, summary="z")
    await app.alerts.keep_unstored()
    assert alert.id not in app.store.alerts

    house.disk.is_full = False
    await app.alerts.keep_unstored()

    assert app.store.alerts[alert.id] == alert


async def test_an_alert_that_was_closed_meanwhile_is_not_opened_again_by_its_late_record(
    house: House,
) -> None:
    app = await house.start()
    house.disk.is_full = True
    alert = await app.alerts.fire("x.y", severity=Severity.ERROR, summary="z")
    house.disk.is_full = False
    closed = app.alerts.resolving("x.y")
    assert closed is not None
    await app.store.commit(closed)

    await app.alerts.keep_unstored()

    assert app.store.alerts[alert.id] == closed


async def test_what_ended_long_ago_is_forgotten_and_what_is_open_is_not(house: House) -> None:
    app = await house.start()
    for name in ("old.one", "open.one"):
        await app.alerts.fire(name, severity=Severity.ERROR, summary="z")
    await app.alerts.resolve("old.one")
    await house.clock.advance(hours=49)

    await app.store.commit_change(app.alerts.forget_old(house.clock.now()))

    assert [alert.name for alert in app.store.alerts.values()] == ["open.one"]


async def test_an_alert_that_no_file_can_hold_does_not_keep_the_state_from_being_written(
    house: House,
) -> None:
    app = await house.start()
    hostile = {"path": Path("/tmp"), "object": object(), "half": "\ud800", "big": 2**80}
    for key, value in hostile.items():
        await app.alerts.fire(
            f"x.{key}",
            severity=Severity.ERROR,
            summary="half \ud800",
            labels={"half": "\ud800"},
            details={key: value},
            advice="\ud800",
        )

    await app.saver.save_now()

    assert len(read(house.home.state_file)["alerts"]) == len(await house.rows("alert")) == 4


async def test_an_alert_is_logged_as_gravely_as_it_is(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    alerts = (await house.start()).alerts
    for severity in Severity:
        await alerts.fire(f"x.{severity.value}", severity=severity, summary="z", advice="do this")

    levels = [it.levelname for it in caplog.records if it.message == "alert.fired"]
    assert levels == ["INFO", "WARNING", "ERROR", "CRITICAL"]


def test_a_fingerprint_knows_no_order_of_labels() -> None:
    assert fingerprint("x", {"a": "1", "b": "2"}) == fingerprint("x", {"b": "2", "a": "1"})
    assert fingerprint("x", {"a": "1"}) != fingerprint("x", {"a": "2"}) != fingerprint("y", {"a": "2"})

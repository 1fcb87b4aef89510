"""The pulse: a loop that lags and a clock that was stepped are noticed."""

import logging
from datetime import timedelta

import pytest

from state.records import Severity
from tests.house import House


@pytest.mark.parametrize("step", [timedelta(hours=-2), timedelta(hours=2), timedelta(days=3)])
async def test_a_stepped_clock_is_told_once(house: House, step: timedelta) -> None:
    house.parts = ("pulse",)
    app = await house.start()
    await house.clock.advance(seconds=3)

    await house.clock.step(step)
    await house.clock.advance(seconds=30)

    [alert] = app.store.alerts.values()
    assert (alert.name, alert.severity, alert.is_open) == ("clock.stepped", Severity.WARNING, False)
    assert alert.details["stepped_s"] == step.total_seconds()


async def test_a_small_correction_is_no_step(house: House) -> None:
    house.parts = ("pulse",)
    app = await house.start()

    for seconds in (30, -30, 5):
        await house.clock.step(timedelta(seconds=seconds))
        await house.clock.advance(seconds=10)

    assert app.store.alerts == {}


async def test_a_loop_that_lags_is_measured_and_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    app = await house.start()
    await app.pulse.step()
    await house.clock.advance(seconds=1)
    await app.pulse.step()
    assert app.pulse.lag_s == 0

    await house.clock.advance(seconds=4)
    await app.pulse.step()

    assert app.pulse.lag_s == 3
    [record] = [it for it in caplog.records if it.message == "loop.lagged"]
    assert record.levelno == logging.WARNING


async def test_the_pulse_is_felt_every_second(house: House) -> None:
    house.parts = ("pulse",)
    app = await house.start()

    await house.clock.advance(seconds=10)

    assert app.pulse.ticked_at == house.clock.monotonic() == 10

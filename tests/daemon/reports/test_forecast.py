"""The forecast: it is said that a deadline will be missed while there is still time to do something."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.reports.forecast import LOOK_EVERY, WARM_UP, Forecaster, Outlook, forecast
from state.ledger.errors import LedgerDown
from state.ledger.records import Load
from state.records import Severity
from tests.daemon.reports.owing import DUE, Office

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DEADLINE = DUE + 2 * HOUR


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    yield made
    await made.house.close()


def forecaster(office: Office) -> Forecaster:
    return Forecaster(office.ledger, office.app.alerts, office.house.clock)


def load(due: int, in_: timedelta = 2 * HOUR) -> Load:
    return Load(deadline_at=DUE + in_, open=due, due=due)


LOOKS = [
    ("nothing due", [load(0)], 0, 10, []),
    ("fast enough", [load(100)], 100, 10, [Outlook.CALM]),
    ("too slow", [load(1300)], 100, 10, [Outlook.TOO_SLOW]),
    ("nothing done", [load(100)], 0, 10, [Outlook.STALLED]),
    ("too early to tell", [load(100)], 0, 1, [Outlook.CALM]),
    ("a few that are retried", [load(3)], 0, 10, [Outlook.CALM]),
    ("a few, and it is near", [load(3, HOUR / 2)], 0, 10, [Outlook.STALLED]),
    ("passed already", [load(100, -MINUTE)], 0, 10, []),
    (
        "those before it count",
        [load(590, HOUR), load(300, HOUR * 1.2)],
        100,
        10,
        [Outlook.CALM, Outlook.TOO_SLOW],
    ),
    ("missed ones count too", [load(900, -HOUR), load(100, HOUR)], 100, 10, [Outlook.TOO_SLOW]),
]


@pytest.mark.parametrize(
    ("loads", "done", "minutes", "outlooks"), [it[1:] for it in LOOKS], ids=[it[0] for it in LOOKS]
)
def test_how_it_looks(loads: list[Load], done: int, minutes: int, outlooks: list[Outlook]) -> None:
    assert [it.outlook for it in forecast(loads, done, minutes * MINUTE, DUE)] == outlooks


def test_a_forecast_says_how_many_will_be_late_and_when_the_last_will_be_there() -> None:
    (ahead,) = forecast([load(1300)], 100, 10 * MINUTE, DUE)
    assert (ahead.late, ahead.due) == (100, 1300)
    assert ahead.ends_at == DUE + 130 * MINUTE


async def test_a_provider_at_a_tenth_of_its_speed_is_told_long_before_the_first_miss(office: Office) -> None:
    names = [f"c{number:04}" for number in range(1000)]
    await office.plan(*names)
    part, written = forecaster(office), 0
    told_at = None
    for minute in range(120):
        # Ten a minute would do; from the fifth minute on there is one.
        todo = 10 if minute < 5 else 1
        await office.write(*names[written : written + todo])
        written += todo
        await part.step()
        if told_at is None and office.alert("coverage.at-risk") is not None:
            told_at = office.now
        await office.house.clock.advance(minutes=1)
    assert told_at is not None
    assert DEADLINE - told_at >= 20 * MINUTE
    alert = office.alert("coverage.at-risk")
    assert alert is not None
    assert (alert.severity, alert.labels, alert.count) == (Severity.ERROR, {"date": "2026-11-21"}, 1)
    assert "will be late" in alert.summary


async def test_it_is_over_when_it_looks_well_again(office: Office) -> None:
    names = [f"c{number:02}" for number in range(20)]
    await office.plan(*names)
    part = forecaster(office)
    await part.step()
    await office.house.clock.advance(seconds=WARM_UP.total_seconds())
    await part.step()
    alert = office.alert("coverage.at-risk")
    assert alert is not None
    assert "nothing gets done" in alert.summary
    await office.write(*names[:15])
    await part.step()
    assert office.alert("coverage.at-risk") is None


async def test_a_quiet_night_after_work_does_not_count_as_slowness(office: Office) -> None:
    await office.plan("a")
    part = forecaster(office)
    await part.step()
    await office.write()
    await office.house.clock.advance(hours=1)
    await part.step()
    await office.plan(*[f"b{number:02}" for number in range(20)])
    await part.step()
    assert office.alert("coverage.at-risk") is None


async def test_a_forecast_of_a_ledger_that_is_down_is_left_out(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> list[Load]:
        raise LedgerDown("the ledger is away")

    monkeypatch.setattr(office.ledger, "loads", down)
    assert await forecaster(office).step() == DUE + LOOK_EVERY

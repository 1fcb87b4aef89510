"""How many reports of a day may come from a lower rung before somebody hears of it."""

from datetime import date, timedelta

import pytest

from handlers.llm.base import Prose
from handlers.llm.degraded import MOST_DAYS, Count, DegradedShare, judge
from state.records import Severity
from tests.handlers.conftest import World

DAY = date(2026, 11, 21)
BY_FIRST = Prose(text="", rung="a", is_degraded=False)
BY_TEMPLATE = Prose(text="", rung="template", is_degraded=True)


@pytest.mark.parametrize(
    ("written", "degraded", "expected", "severity"),
    [
        (0, 0, 100, None),
        (100, 10, 100, None),
        (100, 11, 100, Severity.WARNING),
        (100, 99, 100, Severity.WARNING),
        (100, 100, 100, Severity.CRITICAL),
        (5, 5, 100, None),  # too early to tell
        (20, 20, 100, Severity.CRITICAL),  # the day will not be better
        (20, 19, 100, Severity.WARNING),
        (1, 1, 1, Severity.CRITICAL),
        (1, 1, 0, Severity.CRITICAL),  # more than were expected
        (3, 1, 3, Severity.WARNING),
    ],
)
def test_more_than_a_tenth_is_a_warning_and_all_are_critical(
    written: int, degraded: int, expected: int, severity: Severity | None
) -> None:
    assert judge(Count(written=written, degraded=degraded), expected) is severity


async def test_it_is_told_once_worsens_once_and_ends_with_a_day_that_begins_well(world: World) -> None:
    share = DegradedShare(world.house.alerts)
    told = []
    for prose in [BY_TEMPLATE] * 30:
        await share.count(DAY, prose, expected=100)
        told.append([(it.severity, it.count) for it in world.house.alerts.open])
    assert told[10] == [(Severity.WARNING, 1)]
    assert told[-1] == [(Severity.CRITICAL, 2)]
    await share.count(DAY + timedelta(days=1), BY_TEMPLATE, expected=100)
    assert world.open_alerts() == ["llm.degraded"]
    await share.count(DAY + timedelta(days=1), BY_FIRST, expected=100)
    assert world.open_alerts() == []


async def test_only_the_newest_days_are_kept(world: World) -> None:
    share = DegradedShare(world.house.alerts)
    for number in range(10):
        await share.count(DAY + timedelta(days=number), BY_FIRST, expected=1)
    assert len(share.days) == MOST_DAYS
    assert max(share.days) == DAY + timedelta(days=9)

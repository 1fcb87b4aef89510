"""How many reports of a day may come from a lower rung before somebody hears of it."""

from datetime import date, timedelta

import pytest

from handlers.llm.base import Prose
from handlers.llm.degraded import MOST_DAYS, Count, DegradedShare, Share, judge
from state.records import Severity
from tests.handlers.conftest import World

DAY = date(2026, 11, 21)
BY_FIRST = Prose(text="", rung="a", is_degraded=False)
BY_TEMPLATE = Prose(text="", rung="template", is_degraded=True)


@pytest.mark.parametrize(
    ("written", "degraded", "expected", "share"),
    [
        (0, 0, 100, Share.FEW),
        (100, 10, 100, Share.FEW),
        (100, 11, 100, Share.MANY),
        (100, 99, 100, Share.MANY),
        (100, 100, 100, Share.ALL),
        (5, 5, 100, Share.FEW),  # too early to tell
        (20, 20, 100, Share.ALL),  # the day will not be better
        (20, 19, 100, Share.MANY),
        (1, 1, 1, Share.ALL),
        (1, 1, 0, Share.ALL),  # more than were expected
        (3, 1, 3, Share.MANY),
    ],
)
def test_more_than_a_tenth_is_a_warning_and_all_are_critical(
    written: int, degraded: int, expected: int, share: Share
) -> None:
    assert judge(Count(written=written, degraded=degraded), expected) is share


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

"""Times, as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daemon.cli.times import Shower, short

NOW = datetime(2026, 11, 21, 21, 14, 43, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-11-21T21:00:00.123456Z", "22:00:00"),
        ("2026-11-21T23:30:00Z", "11-22 00:30"),
        ("2026-11-20T22:00:00Z", "11-20 23:00"),
        ("2018-05-05T12:00:00Z", "2018-05-05"),
        (None, "-"),
    ],
)
def test_a_time_is_shown_in_the_zone_and_without_what_goes_without_saying(at: str | None, shown: str) -> None:
    assert short(at, BERLIN, NOW) == shown


def test_distances_are_told_in_both_directions() -> None:
    times = Shower(BERLIN, NOW)
    assert times.ago(NOW - timedelta(minutes=4, seconds=2)) == "4m 2s ago"
    assert times.ago(NOW + timedelta(hours=3)) == "in 3h"
    assert times.ago(NOW) == "just now"
    assert times.ago(None) == "never"
    assert times.between(NOW, NOW + timedelta(milliseconds=850)) == "850ms"
    assert times.between(None, NOW) == "-"
    assert times.zone_name == "CET"

"""Durations as people write and read them."""

from datetime import timedelta
from typing import Any

import pytest

from daemon.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(minutes=90)),
        (" 5s ", timedelta(seconds=5)),
        ("0s", timedelta(0)),
        ("1m1m", timedelta(minutes=2)),
    ],
)
def test_a_duration_is_read(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "-5s", "1e3s", "5s!", "five", "1h 30m", "5S", ".5s", "5.s", 5, None, "1w"]
)
def test_what_is_no_duration_is_refused_with_what_one_looks_like(text: Any) -> None:
    with pytest.raises(ValueError, match='is no duration; write a number and a unit, as in "30s"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9999999999d", "9" * 400 + "s"])
def test_a_duration_that_is_too_long_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is too long a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0ms"),
        (timedelta(milliseconds=850), "850ms"),
        (timedelta(seconds=0.9996), "1s"),
        (timedelta(seconds=30), "30s"),
        (timedelta(minutes=90), "1h 30m"),
        (timedelta(hours=2, minutes=5, seconds=7), "2h 5m"),
        (timedelta(days=1), "1d"),
        (timedelta(days=400, seconds=1), "400d 1s"),
        (-timedelta(seconds=30), "-30s"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(span: timedelta, text: str) -> None:
    assert format_duration(span) == text

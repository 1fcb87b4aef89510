"""What answers mean, and how long a receiver asks to be left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.notify.answers import LONGEST_WAIT, classify, retry_after
from daemon.notify.base import Failure

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None),
        (202, None),
        (204, None),
        (301, Failure.PERMANENT),
        (302, Failure.PERMANENT),
        (307, Failure.PERMANENT),
        (400, Failure.PERMANENT),
        (401, Failure.PERMANENT),
        (403, Failure.PERMANENT),
        (404, Failure.PERMANENT),
        (408, Failure.TRANSIENT),
        (410, Failure.PERMANENT),
        (413, Failure.PERMANENT),
        (425, Failure.TRANSIENT),
        (429, Failure.TRANSIENT),
        (500, Failure.TRANSIENT),
        (502, Failure.TRANSIENT),
        (503, Failure.TRANSIENT),
        (504, Failure.TRANSIENT),
        (529, Failure.TRANSIENT),
    ],
)
def test_each_status_has_its_class(status: int, failure: Failure | None) -> None:
    assert classify(status) is failure


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("0", 0),
        ("-5", 0),
        ("7200", 7200),
        ("99999999", 86400),
        ("1e9", 86400),
        ("Sat, 21 Nov 2026 06:01:30 GMT", 90),
        ("Saturday, 21-Nov-26 06:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 05:00:00 GMT", 0),
        ("Sat, 21 Nov 2036 05:00:00 GMT", 86400),
    ],
)
def test_a_wait_is_read_from_seconds_and_dates_and_capped(header: str, seconds: float) -> None:
    assert retry_after({"Retry-After": header}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "header", ["", "soon", "nan", "inf", "-inf", "1_0", "٣", "12 hours", "1,5", "9" * 400]
)
def test_garbage_is_no_wait(header: str) -> None:
    assert retry_after({"Retry-After": header}, NOW) is None


def test_the_header_is_found_however_it_is_written() -> None:
    assert retry_after({"x": "1", "retry-AFTER": "3"}, NOW) == timedelta(seconds=3)
    assert retry_after({}, NOW) is None


@given(st.text(max_size=80))
def test_no_header_whatever_raises_or_asks_for_more_than_a_day(header: str) -> None:
    wait = retry_after({"Retry-After": header}, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT

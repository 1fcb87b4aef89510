"""JSON and times, there and back."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.codec import (
    NotJson,
    as_camel,
    from_camel,
    from_json,
    json_schemas,
    parse_time,
    raw_json,
    time_text,
    to_json,
)
from state.records import Alert, Note, Severity, Task

NOW = datetime(2026, 11, 21, 21, 14, 43, 123456, tzinfo=UTC)
ZONES = st.one_of(st.just(UTC), st.timezones())
FIRST, LAST = datetime(2, 1, 2), datetime(9998, 12, 30)  # noqa: DTZ001 - hypothesis adds the zone
TIMES = st.datetimes(min_value=FIRST, max_value=LAST, timezones=ZONES)


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    assert time_text(NOW) == "2026-11-21T21:14:43.123456Z"
    assert time_text(NOW.replace(microsecond=0)) == "2026-11-21T21:14:43.000000Z"
    assert time_text(NOW.astimezone(timezone(timedelta(hours=2)))) == "2026-11-21T21:14:43.123456Z"


@given(TIMES)
def test_a_time_comes_back_as_the_same_instant(at: datetime) -> None:
    assert parse_time(time_text(at)) == at.astimezone(UTC)


@given(TIMES, TIMES)
def test_texts_sort_as_their_times_do(a: datetime, b: datetime) -> None:
    first, second = a.astimezone(UTC), b.astimezone(UTC)
    assert (time_text(a) < time_text(b)) == (first < second)


def test_the_two_hours_of_an_autumn_night_are_told_apart() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    winter = summer.replace(fold=1)
    assert summer == winter  # Python's own view, which must not leak in
    assert time_text(summer) == "2026-10-25T00:30:00.000000Z"
    assert time_text(winter) == "2026-10-25T01:30:00.000000Z"


def test_a_time_without_an_offset_is_refused_both_ways() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        time_text(NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="has no offset; write it with Z"):
        parse_time("2026-11-21T21:14:43")


@pytest.mark.parametrize("text", ["2026-11-21T23:14:43.123456+02:00", "2026-11-21T21:14:43.123456Z"])
def test_any_time_with_an_offset_is_read(text: str) -> None:
    assert parse_time(text) == NOW


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "21:14Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


def test_what_is_no_json_is_refused_with_its_place() -> None:
    with pytest.raises(NotJson, match="line 2 column"):
        from_json('{"a": 1,\n oops}')


def test_what_has_no_json_form_becomes_its_text() -> None:
    value = {"path": PurePosixPath("/a"), "set": {1}, "pair": (1, 2), 3: "three", "at": NOW}
    assert from_json(to_json(value)) == {
        "path": "/a",
        "set": [1],
        "pair": [1, 2],
        "3": "three",
        "at": "2026-11-21T21:14:43.123456Z",
    }


def test_a_record_is_shown_in_camel_case_and_comes_back() -> None:
    task = Task(id="a", handler="report", args={"n": 1}, scheduled_at=NOW, max_attempts=3)
    shown = as_camel(task)
    assert shown["maxAttempts"] == 3
    assert shown["scheduledAt"] == "2026-11-21T21:14:43.123456Z"
    assert shown["summary"] is None
    assert from_camel(Task, from_json(to_json(shown))) == task


def test_a_record_that_holds_something_odd_can_still_be_shown() -> None:
    alert = Alert(
        id="a", fingerprint="f", name="n.m", severity=Severity.ERROR, summary="s", first_at=NOW, last_at=NOW,
        details={"path": PurePosixPath("/a"), "error": ValueError("bad")},
    )  # fmt: skip
    assert as_camel(alert)["details"] == {"path": "/a", "error": "bad"}


def test_json_that_is_encoded_already_goes_in_as_it_is() -> None:
    assert to_json({"items": raw_json(b"[1, 2]")}) == b'{"items":[1, 2]}'


def test_types_are_described_as_json_schema() -> None:
    shown, named = json_schemas([list[Note], int], "#/parts/{name}")
    assert shown == [{"type": "array", "items": {"$ref": "#/parts/Note"}}, {"type": "integer"}]
    assert named["Note"]["properties"]["name"] == {"type": "string"}

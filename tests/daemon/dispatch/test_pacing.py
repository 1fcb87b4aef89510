"""Three messages in ten minutes at most, and nobody waits five for news."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dispatch.pacing import earliest
from daemon.notify.base import Failure
from state.records import Severity
from tests.daemon.dispatch.phones import office
from tests.house import House

START = datetime(2026, 11, 21, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)


def test_the_first_message_goes_at_once() -> None:
    assert earliest([], START) == START


@given(st.lists(st.integers(0, 400), min_size=4, max_size=60))
def test_whatever_comes_whenever_at_most_three_go_in_ten_minutes_and_none_waits_five(gaps: list[int]) -> None:
    sent: list[datetime] = []
    at = START
    for gap in gaps:
        at += timedelta(seconds=gap)
        due = earliest(sent, at)
        assert due - at <= timedelta(minutes=4, seconds=30)
        sent.append(due)
        at = due
    for index, first in enumerate(sent):
        assert sum(first <= later < first + TEN_MINUTES for later in sent[index:]) <= 3


def test_times_to_come_do_not_count() -> None:
    assert earliest([START + timedelta(hours=3)], START) == START


@pytest.mark.one_loop
async def test_2800_failures_in_a_minute_are_three_messages_that_name_them_all(house: House) -> None:
    desk = office(house)
    await desk.open()
    begun = house.clock.now()
    for second in range(60):
        for n in range(47 if second < 40 else 46):
            number = second * 47 + n if second < 40 else 1880 + (second - 40) * 46 + n
            name = f"job-{number:04}"
            await house.app.alerts.fire(
                "task.failed",
                severity=Severity.ERROR,
                summary=f"{name} failed for good",
                labels={"handler": name},
            )
        await desk.advance(seconds=1)
    await desk.advance(minutes=15)

    times = desk.phones["slack"].times
    assert times[0] - begun <= timedelta(seconds=30)
    for first in times:
        assert sum(first <= later < first + TEN_MINUTES for later in times) <= 3
    assert times[-1] - begun <= timedelta(minutes=5)
    named = {entry.title for message in desk.phones["slack"].messages for entry in message.entries}
    assert named == {f"job-{number:04} failed for good" for number in range(2800)}
    incidents = {notice.incident for notice in house.app.store.notices.values()}
    assert len(incidents) == 1
    members = {it for notice in house.app.store.notices.values() for it in notice.alerts}
    assert members == set(house.app.store.alerts)
    assert len(members) == 2800


async def test_many_of_one_kind_are_one_alert_and_one_message(house: House) -> None:
    desk = office(house)
    await desk.open()
    for _ in range(60):
        for _ in range(47):
            await house.app.alerts.fire("task.failed", severity=Severity.ERROR, summary="it failed")
        await desk.advance(seconds=1)
    await desk.advance(minutes=10)
    assert len(desk.phones["slack"].got) == 1
    [alert] = house.app.alerts.open
    assert alert.count == 2820


async def test_a_storm_into_a_dead_network_is_told_in_few_messages_when_it_is_back(house: House) -> None:
    desk = office(house, "slack")
    await desk.open()
    desk.phones["slack"].failure = Failure.TRANSIENT
    for n in range(100):
        await house.app.alerts.fire(
            "task.failed", severity=Severity.ERROR, summary=f"{n} failed", labels={"handler": str(n)}
        )
        await desk.advance(seconds=30)
    desk.phones["slack"].failure = None
    await desk.advance(minutes=1)
    told = {e.title for m in desk.phones["slack"].messages for e in m.entries} | {
        m.title for m in desk.phones["slack"].messages
    }
    assert {f"{n} failed" for n in range(100)} <= told
    assert len(desk.phones["slack"].got) <= 3

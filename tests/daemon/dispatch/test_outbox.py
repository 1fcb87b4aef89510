"""An alert arrives over whichever channel is up, through crashes and outages, with one id on every copy."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from daemon.notify.base import Failure
from state.records import DeliveryState, NoticeState, Severity, replace
from tests.daemon.dispatch.phones import Office, Record, office
from tests.house import House

CHANNELS = ("slack", "mail", "pager")
UPS = list(itertools.product((True, False), repeat=3))
NAMES = ["-".join(name if up else "dead" for name, up in zip(CHANNELS, ups, strict=True)) for ups in UPS]
FAILURES = list(Failure)


@pytest.fixture
def desk(house: House) -> Office:
    return office(house)


def cut(desk: Office, ups: tuple[bool, ...], failure: Failure) -> None:
    for name, is_up in zip(CHANNELS, ups, strict=True):
        desk.phones[name].failure = None if is_up else failure


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("crash", ["never", "before the send", "after the send"])
@pytest.mark.parametrize("ups", UPS, ids=NAMES)
async def test_whichever_channels_are_up_it_arrives_once_any_is(
    desk: Office, ups: tuple[bool, ...], crash: str, failure: Failure
) -> None:
    await desk.open()
    cut(desk, ups, failure)
    held = asyncio.Event()
    if crash != "never":
        for phone in desk.phones.values():
            phone.before, phone.after = (held, None) if crash == "before the send" else (None, held)
    alert = await desk.fire()
    await desk.advance(seconds=7)
    if crash != "never":
        for phone in desk.phones.values():
            phone.before = phone.after = None
        await desk.kill()
    await desk.advance(seconds=120)

    told = [message for phone in desk.phones.values() for message in phone.messages]
    about = [it for it in told if it.title == "x.broke is wrong"]
    assert bool(about) is any(ups)
    assert len({it.id for it in about}) == (1 if any(ups) else 0)
    # The one doubt there can be is the copy whose answer the crash took away.
    assert len(about) <= (2 if crash == "after the send" else 1)
    owed = [it for it in desk.house.app.dispatch.owed() if alert.id in it.alerts]
    assert bool(owed) is not any(ups)


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_arose_while_nothing_was_reached_arrives_within_a_minute_of_the_recovery(
    desk: Office, failure: Failure
) -> None:
    await desk.open()
    cut(desk, (False, False, False), failure)
    fired = {}
    for name in ("a.broke", "b.broke", "c.broke"):
        fired[name] = (await desk.fire(name)).first_at
        await desk.advance(minutes=2)
    await desk.kill()
    await desk.advance(minutes=4)
    assert desk.all_times() == []

    cut(desk, (True, True, True), failure)
    if failure is Failure.PERMANENT:
        # What refuses for good is repaired by somebody, who then has the config read again.
        desk.house.app.dispatch.adopt(desk.house.config, desk.house.app.notify)
    back = desk.house.clock.now()
    await desk.advance(seconds=60)

    told = [message for phone in desk.phones.values() for message in phone.messages]
    said = {line.title: line for message in told for line in message.entries} | {
        message.title: message for message in told if not message.entries
    }
    for name, at in fired.items():
        assert f"{name} is wrong" in said, name
        everything = " ".join(
            [
                *(note.note for message in told for note in message.entries),
                *(value for message in told for _, value in message.facts),
            ]
        )
        assert f"{at:%Y-%m-%d %H:%M:%S}" in everything
    assert all(at - back <= timedelta(seconds=60) for at in desk.all_times())


async def test_a_lost_answer_sends_the_same_message_over_the_next_channel(desk: Office) -> None:
    await desk.open()
    slack = desk.phones["slack"]
    slack.failure, slack.arrives_all_the_same = Failure.UNKNOWN, True
    await desk.fire()
    await desk.advance(seconds=30)
    assert [it.id for it in slack.messages] == [it.id for it in desk.phones["mail"].messages]
    [notice] = desk.house.app.store.notices.values()
    assert notice.channel == "mail"


async def test_answers_that_are_always_lost_do_not_make_copies_without_end(house: House) -> None:
    desk = office(house, "slack")
    await desk.open()
    slack = desk.phones["slack"]
    slack.failure, slack.arrives_all_the_same = Failure.UNKNOWN, True
    await desk.fire()
    await desk.advance(hours=1)
    about = [it for it in slack.messages if it.title == "x.broke is wrong"]
    assert len({it.id for it in about}) == 1
    assert len(about) <= 8
    assert desk.house.app.dispatch.owed()


async def test_a_passing_failure_is_tried_twice_and_then_the_next_channel(desk: Office) -> None:
    await desk.open()
    desk.phones["slack"].failure = Failure.TRANSIENT
    await desk.fire()
    await desk.advance(seconds=20)
    assert len(desk.phones["slack"].tries) == 2
    assert len(desk.phones["mail"].got) == 1


async def test_who_asks_for_a_long_wait_is_passed_over_at_once(desk: Office) -> None:
    await desk.open()
    slack = desk.phones["slack"]
    slack.failure, slack.retry_after = Failure.TRANSIENT, timedelta(hours=2)
    alert = await desk.fire()
    await desk.advance(seconds=10)
    assert len(slack.tries) == 1
    assert desk.phones["mail"].times[0] - alert.first_at <= timedelta(seconds=7)


async def test_a_line_in_the_log_is_no_delivery(house: House) -> None:
    desk = office(house, "log", "slack")
    desk.phones["log"] = Record(house.clock)
    await desk.open()
    desk.phones["slack"].failure = Failure.TRANSIENT
    await desk.fire()
    await desk.advance(minutes=1)
    assert desk.phones["log"].got == []
    assert len(desk.house.app.dispatch.owed()) == 1


async def test_what_was_proved_before_a_crash_is_not_sent_again(desk: Office) -> None:
    await desk.open()
    await desk.fire()
    await desk.advance(seconds=7)
    for _ in range(3):
        await desk.kill()
        await desk.advance(minutes=2)
    assert [it.title for it in desk.phones["slack"].messages].count("x.broke is wrong") == 1


async def test_the_proof_of_one_channel_is_enough_after_a_crash_between_the_two_records(desk: Office) -> None:
    await desk.open()
    await desk.fire()
    await desk.advance(seconds=7)
    store = desk.house.app.store
    [notice] = store.notices.values()
    assert store.deliveries[f"{notice.id}@slack"].state is DeliveryState.DELIVERED
    await store.commit(replace(notice, state=NoticeState.OWED, delivered_at=None, channel=None))
    await desk.kill()
    await desk.advance(minutes=1)
    assert [it.title for it in desk.phones["slack"].messages].count("x.broke is wrong") == 1
    assert desk.house.app.store.notices[notice.id].state is NoticeState.DELIVERED


async def test_an_alert_whose_message_a_crash_prevented_is_told_after_it(desk: Office) -> None:
    await desk.open()
    await desk.fire(severity=Severity.CRITICAL)
    await desk.kill()  # before the group's wait was over: there is no notice yet, only the alert
    await desk.advance(seconds=10)
    assert "x.broke is wrong" in [
        *(it.title for it in desk.phones["slack"].messages),
        *(entry.title for it in desk.phones["slack"].messages for entry in it.entries),
    ]

"""From an alert to a person: when, how often, in what company, and what is not told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.config.sections import Route
from daemon.notify.base import Failure
from daemon.notify.notifier import Notifier
from state.records import NoticeState, Severity
from tests.daemon.dispatch.phones import Office, office
from tests.house import House

MINUTE = timedelta(minutes=1)
GROUP_WAIT = timedelta(seconds=5)


@pytest.fixture
def desk(house: House) -> Office:
    return office(house)


async def test_an_alert_is_told_on_the_first_channel_within_seconds(desk: Office) -> None:
    await desk.open()
    alert = await desk.fire(labels={"job": "a"}, advice="nightdesk status", details={"error": "boom"})
    await desk.advance(seconds=6)

    [(at, message)] = desk.phones["slack"].got
    assert at - alert.first_at <= GROUP_WAIT + timedelta(seconds=1)
    assert (message.kind, message.severity, message.title) == ("alert", Severity.ERROR, "x.broke is wrong")
    assert ("Job", "a") in message.facts
    assert "Last error: boom" in message.text
    assert "What to do: nightdesk status" in message.text
    assert f"nightdesk alerts ack {alert.id}" in message.text
    assert desk.phones["mail"].got == desk.phones["pager"].got == []
    [telling] = desk.house.app.dispatch.tellings_of(alert.id)
    assert telling.told_at == at
    assert desk.house.app.dispatch.owed() == []


async def test_what_happens_together_is_told_together(desk: Office) -> None:
    await desk.open()
    for n in range(5):
        await desk.fire("job.broke", labels={"job": str(n)}, summary=f"job {n} is broken")
    await desk.advance(seconds=10)

    [message] = desk.phones["slack"].messages
    assert message.title == "5 alerts: 5 error"
    assert [it.title for it in message.entries] == [f"job {n} is broken" for n in range(5)]


async def test_the_end_is_told_in_the_same_thread(desk: Office) -> None:
    await desk.open()
    await desk.fire()
    await desk.advance(minutes=2)
    await desk.resolve()
    await desk.advance(minutes=2)

    first, last = desk.phones["slack"].messages
    assert (last.kind, last.title, last.severity) == ("resolved", "Over: x.broke is wrong", None)
    assert last.thread == first.thread
    assert last.closes == (first.thread,)
    assert first.closes == ()
    assert "It lasted 2m" in last.text


async def test_what_was_over_at_once_is_told_once(desk: Office) -> None:
    await desk.open()
    await desk.house.app.alerts.tell("daemon.tripped", severity=Severity.ERROR, summary="it tripped")
    await desk.advance(hours=3)

    [message] = desk.phones["slack"].messages
    assert (message.kind, message.title) == ("alert", "it tripped")


async def test_an_alert_that_counts_on_is_not_told_again_before_its_time(desk: Office) -> None:
    await desk.open()
    for _ in range(40):
        await desk.fire()
        await desk.advance(minutes=1)
    assert len(desk.phones["slack"].got) == 1

    await desk.advance(minutes=25)
    _, again = desk.phones["slack"].messages
    assert "It is still open." in again.text
    passed = desk.phones["slack"].times[1] - desk.phones["slack"].times[0]
    assert timedelta(hours=1) <= passed <= timedelta(hours=1, seconds=15)


async def test_what_gets_worse_is_told_again_at_once_and_has_to_be_acknowledged_anew(desk: Office) -> None:
    await desk.open()
    alert = await desk.fire()
    await desk.advance(minutes=2)
    await desk.house.app.alerts.acknowledge(alert, "ada")
    await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(seconds=10)

    _, worse = desk.phones["slack"].messages
    assert worse.severity is Severity.CRITICAL
    assert "It is worse than before." in worse.text
    [alert] = desk.house.app.alerts.open
    assert alert.acknowledged_at is None


async def test_an_acknowledged_alert_is_not_repeated_and_its_end_is_told(desk: Office) -> None:
    await desk.open()
    alert = await desk.fire()
    await desk.advance(minutes=2)
    await desk.house.app.alerts.acknowledge(alert, "ada")
    await desk.advance(hours=10)
    assert len(desk.phones["slack"].got) == 1

    await desk.resolve()
    await desk.advance(minutes=1)
    assert desk.phones["slack"].messages[-1].kind == "resolved"


async def test_a_reminder_names_all_that_is_open_in_one_message(desk: Office) -> None:
    await desk.open()
    for n in range(3):
        await desk.fire("job.broke", labels={"job": str(n)})
        await desk.advance(minutes=9)
    before = len(desk.phones["slack"].got)
    await desk.advance(minutes=40)

    reminders = desk.phones["slack"].messages[before:]
    assert [len(it.entries) for it in reminders] == [3]


async def test_below_the_threshold_it_is_recorded_and_not_told(desk: Office) -> None:
    await desk.open()
    alert = await desk.fire(severity=Severity.WARNING)
    await desk.advance(hours=2)

    assert desk.all_times() == []
    [telling] = desk.house.app.dispatch.tellings_of(alert.id)
    assert telling.muted == "below the threshold"
    assert desk.house.app.store.alerts[alert.id].is_open


async def test_where_alerts_are_turned_off_nobody_is_told(house: House) -> None:
    desk = office(house, enabled=False)
    await desk.open()
    alert = await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(hours=2)
    assert desk.all_times() == []
    assert desk.house.app.dispatch.tellings_of(alert.id)[0].muted == "alerts are turned off"


async def test_a_silence_mutes_and_ends_by_itself(desk: Office) -> None:
    await desk.open()
    now = desk.house.clock.now()
    await desk.house.app.dispatch.silences.add("x.*", now + timedelta(hours=2), "planned work", "ada")
    alert = await desk.fire()
    await desk.advance(minutes=119)
    assert desk.all_times() == []
    assert "ada" in (desk.house.app.dispatch.tellings_of(alert.id)[0].muted or "")

    await desk.advance(minutes=2)
    assert [it.title for it in desk.phones["slack"].messages] == ["x.broke is wrong"]


async def test_what_came_and_went_under_a_silence_is_not_told_afterwards(desk: Office) -> None:
    await desk.open()
    now = desk.house.clock.now()
    await desk.house.app.dispatch.silences.add("x.*", now + timedelta(hours=1), "planned work", "ada")
    await desk.fire()
    await desk.advance(minutes=30)
    await desk.resolve()
    await desk.advance(hours=5)
    assert desk.all_times() == []


async def test_children_are_counted_and_told_only_if_they_outlive_their_cause(desk: Office) -> None:
    await desk.open()
    await desk.fire("database.down", Severity.CRITICAL)
    for n in range(12):
        await desk.fire("report.failed", labels={"company": f"c{n}"})
    await desk.advance(minutes=2)
    [message] = desk.phones["slack"].messages
    assert ("Comes of it", "12 more alerts, not told one by one") in message.facts

    for n in range(11):
        await desk.resolve("report.failed", company=f"c{n}")
    await desk.resolve("database.down")
    await desk.advance(minutes=10)
    titles = [it.title for it in desk.phones["slack"].messages]
    assert titles == ["database.down is wrong", "Over: database.down is wrong", "report.failed is wrong"]


async def test_an_unacknowledged_critical_goes_to_the_next_person(house: House) -> None:
    route = Route(receiver="first", escalate_after=5 * MINUTE, escalate_to="second")
    desk = office(house, receivers={"first": ("slack",), "second": ("pager",)}, routes=(route,))
    await desk.open()
    alert = await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(minutes=4)
    assert desk.phones["pager"].got == []
    await desk.advance(minutes=2)

    [message] = desk.phones["pager"].messages
    assert message.kind == "escalation"
    assert message.title == "Not acknowledged: x.broke is wrong"
    await desk.house.app.alerts.acknowledge(alert, "ada")
    await desk.resolve()
    await desk.advance(minutes=2)
    assert desk.phones["pager"].messages[-1].kind == "resolved"
    assert desk.phones["slack"].messages[-1].kind == "resolved"


async def test_without_another_receiver_it_goes_further_over_the_next_channel(house: House) -> None:
    desk = office(house, routes=(Route(receiver="oncall", escalate_after=5 * MINUTE),))
    await desk.open()
    await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(minutes=6)

    assert len(desk.phones["slack"].got) == 1
    [message] = desk.phones["mail"].messages
    assert message.kind == "escalation"


async def test_an_acknowledged_critical_stays_where_it_is(house: House) -> None:
    desk = office(house, routes=(Route(receiver="oncall", escalate_after=5 * MINUTE),))
    await desk.open()
    alert = await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(minutes=1)
    await desk.house.app.alerts.acknowledge(alert, "ada")
    await desk.advance(hours=2)
    assert len(desk.all_times()) == 1


async def test_each_alert_goes_where_its_route_leads(house: House) -> None:
    desk = office(
        house,
        receivers={"team": ("slack",), "dba": ("mail",)},
        routes=(Route(receiver="dba", match={"name": "database.*"}), Route(receiver="team")),
    )
    await desk.open()
    await desk.fire("database.slow")
    await desk.fire("x.broke")
    await desk.advance(minutes=1)
    assert [it.title for it in desk.phones["mail"].messages] == ["database.slow is wrong"]
    assert [it.title for it in desk.phones["slack"].messages] == ["x.broke is wrong"]


async def test_a_channel_that_is_dead_is_told_over_another(desk: Office) -> None:
    await desk.open()
    desk.phones["slack"].failure = Failure.PERMANENT
    await desk.fire()
    await desk.advance(minutes=3)

    told = [it.title for it in desk.phones["mail"].messages]
    assert told == ["x.broke is wrong", "The channel slack refuses messages"]
    desk.phones["slack"].failure = None
    await desk.house.app.notify.send(desk.phones["mail"].messages[0], to="slack", subject="again")
    await desk.advance(minutes=6)
    assert "Over: The channel slack refuses messages" in [
        it.title for phone in desk.phones.values() for it in phone.messages
    ]


async def test_a_channel_that_is_dead_is_left_alone(desk: Office) -> None:
    await desk.open()
    desk.phones["slack"].failure = Failure.PERMANENT
    for n in range(6):
        await desk.fire("job.broke", labels={"job": str(n)})
        await desk.advance(minutes=6)
    assert len(desk.phones["slack"].tries) == 1


async def test_what_is_told_late_is_an_alert_of_its_own(house: House) -> None:
    desk = office(house, "slack")
    await desk.open()
    desk.phones["slack"].failure = Failure.TRANSIENT
    await desk.fire()
    await desk.advance(minutes=6)
    assert "alert.late" in house.alerts
    desk.phones["slack"].failure = None
    await desk.advance(minutes=3)

    assert [notice.state for notice in house.app.dispatch.owed()] == []
    titles = [it.title for it in desk.phones["slack"].messages]
    assert titles[0] == "x.broke is wrong"
    assert any("alert" in title for title in titles[1:])
    await desk.advance(minutes=10)
    await desk.fire("y.broke")
    await desk.advance(minutes=10)
    assert "alert.late" not in house.alerts


async def test_an_alert_is_told_on_a_full_disk_and_written_down_later(desk: Office) -> None:
    await desk.open()
    desk.house.disk.is_full = True
    alert = await desk.fire(severity=Severity.CRITICAL)
    await desk.advance(minutes=1)
    assert len(desk.phones["slack"].got) == 1
    assert desk.house.app.store.notices == {}

    desk.house.disk.is_full = False
    await desk.house.app.alerts.keep_unstored()
    await desk.advance(minutes=1)
    [notice] = desk.house.app.store.notices.values()
    assert notice.state is NoticeState.DELIVERED
    assert desk.house.app.store.tellings[f"{alert.id}@oncall"].told_at is not None
    assert len(desk.phones["slack"].got) == 1


async def test_a_changed_config_tells_the_new_receiver_of_what_is_open(house: House) -> None:
    desk = office(house, receivers={"a": ("slack",), "b": ("mail",)}, routes=(Route(receiver="a"),))
    await desk.open()
    await desk.fire()
    await desk.advance(minutes=1)
    changed = house.config.alerts.model_copy(update={"routes": (Route(receiver="b"),)})
    house.app.dispatch.adopt(replace(house.config, alerts=changed), house.app.notify)
    await desk.advance(minutes=1)
    assert len(desk.phones["mail"].got) == 1


async def test_a_test_goes_at_once_is_told_once_and_holds_up_nothing(desk: Office) -> None:
    await desk.open()
    for n in range(4):
        await desk.house.app.alerts.tell(
            "alert.test", severity=Severity.INFO, summary="a test", labels={"test": str(n)}
        )
        await desk.advance(seconds=2)
    await desk.fire()
    await desk.advance(seconds=10)
    told = desk.phones["slack"].messages
    assert [it.kind for it in told] == ["test"] * 4 + ["alert"]
    await desk.advance(hours=2)
    assert [it.kind for it in desk.phones["slack"].messages].count("test") == 4


async def test_a_channel_that_was_taken_out_of_the_config_is_no_longer_down(desk: Office) -> None:
    await desk.open()
    desk.phones["slack"].failure = Failure.PERMANENT
    await desk.fire()
    await desk.advance(seconds=10)
    app = desk.house.app
    assert [it.labels for it in app.alerts.open if it.name == "channel.down"] == [{"channel": "slack"}]
    del desk.phones["slack"]
    app.notify = Notifier(desk.phones, app.store, desk.house.clock)
    app.dispatch.adopt(desk.house.config, app.notify)
    await desk.advance(seconds=10)
    assert [it for it in app.alerts.open if it.name == "channel.down"] == []


async def test_lateness_is_counted_once_though_it_is_seen_twice(house: House) -> None:
    desk = office(house, "slack")
    await desk.open()
    until = house.clock.now() + timedelta(hours=2)
    await house.app.dispatch.silences.add("channel.*", until, "told late as well, else", "ada")
    desk.phones["slack"].failure = Failure.TRANSIENT
    await desk.fire()
    await desk.advance(minutes=6)
    desk.phones["slack"].failure = None
    await desk.advance(seconds=16)
    [late] = [it for it in house.app.alerts.known() if it.name == "alert.late"]
    assert late.count == 1


async def test_a_clock_put_back_keeps_nobody_from_being_told(desk: Office) -> None:
    await desk.open()
    await desk.fire("a.broke")
    await desk.advance(minutes=1)
    await desk.house.clock.step(timedelta(hours=-3))
    await desk.fire("b.broke")
    await desk.advance(minutes=2)
    assert len(desk.phones["slack"].got) == 2

"""The morning message: the night's digest once, never an older one as new, and a word when there is none."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from daemon.engine.handler import Cancel, Done, HandlerError, Outcome, Snooze
from daemon.notify.base import ChannelError, Failure
from handlers.nightly_batch import nightly_batch
from handlers.send_digest import send_digest
from state.database import StoreError
from state.records import Task, TaskState

DAY = date(2026, 11, 21)
MORNING = datetime(2026, 11, 22, 6, 0, 1, tzinfo=UTC)


async def night(world: Any, *scores: float, day: date = DAY, task_id: str = "") -> None:
    await world.add(*scores)
    slot = f"{day.isoformat()}T23:00:00"
    await nightly_batch(world.context("nightly-batch", task_id or f"night-{day}", slot=slot))


async def send(world: Any, task_id: str = "send-1", **task: Any) -> Outcome | None:
    return await send_digest(world.context("send-digest", task_id, **task))


def path(world: Any, day: date = DAY) -> Any:
    return world.home.digests / f"digest-{day.isoformat()}.json"


async def test_the_nights_digest_is_sent_and_proved(world: Any) -> None:
    await night(world, 0.9, 0.1, 0.8)
    await world.go_to(MORNING)
    done = await send(world)
    assert isinstance(done, Done)
    assert done.summary == {"date": "2026-11-21", "outcome": "delivered", "messages": 1, "channel": "team"}
    (message,) = world.room.messages
    assert message.title == "Digest of 2026-11-21: 2 marked"
    assert [entry.title for entry in message.entries] == ["lead 0", "lead 2"]
    assert world.store.notes["lastDigestNotificationAt"] == "2026-11-22T06:00:01.000000Z"
    (batch,) = await world.house.digests.batches_of(DAY)
    assert batch.delivery_id == f"{message.id}@team"


async def test_it_is_sent_once_however_often_it_is_run(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    await send(world)
    again = await send(world, "send-2")
    assert again == Cancel(reason="the digest of 2026-11-21 was already sent at 2026-11-22 06:00 UTC")
    await world.restart()
    assert isinstance(await send(world, "send-3"), Cancel)
    assert len(world.room.messages) == 1


async def test_a_later_batch_of_the_date_is_sent_without_what_was_sent(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    await send(world)
    await night(world, 0.8, task_id="by-hand")
    await send(world, "send-2")
    assert [[entry.title for entry in it.entries] for it in world.room.messages] == [["lead 0"], ["lead 1"]]


async def test_a_later_batch_that_marked_nothing_is_no_news(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    await send(world)
    await night(world, 0.2, task_id="by-hand")
    assert isinstance(await send(world, "send-2"), Cancel)


async def test_the_team_hears_that_nothing_was_above_the_threshold(world: Any) -> None:
    await night(world, 0.2, 0.3)
    await world.go_to(MORNING)
    await send(world)
    (message,) = world.room.messages
    assert message.title == "Digest of 2026-11-21: nothing above the threshold"
    assert message.text == "2 leads were looked at; none scored above the threshold."
    assert "lastDigestNotificationAt" in world.store.notes


@pytest.mark.parametrize("damage", ["missing", "empty", "zeros", "yesterday's"])
async def test_a_bad_file_is_rebuilt_and_yesterdays_is_never_sent(world: Any, damage: str) -> None:
    await night(world, 0.95, day=DAY - timedelta(days=1))
    yesterday = path(world, DAY - timedelta(days=1)).read_bytes()
    await night(world, 0.9, 0.8)
    whole = path(world).read_bytes()
    if damage == "missing":
        path(world).unlink()
    else:
        path(world).write_bytes({"empty": b"", "zeros": b"\0" * 500, "yesterday's": yesterday}[damage])
    await world.go_to(MORNING)
    await send(world)
    assert world.room.titles == ["Digest of 2026-11-21: 2 marked", "Late: digest of 2026-11-20: 1 marked"]
    assert path(world).read_bytes() == whole


async def test_a_digest_nobody_made_is_made_before_it_is_sent(world: Any) -> None:
    await night(world, 0.95)
    await world.go_to(MORNING)
    await send(world)
    await world.add(0.9)
    await world.go_to(MORNING + timedelta(days=1))
    await send(world, "send-2")
    assert world.room.titles[1:] == ["Digest of 2026-11-22: 1 marked"]
    made = json.loads(path(world, DAY + timedelta(days=1)).read_bytes())
    assert made["summary"]["docsProcessed"] == 1


async def test_when_none_can_be_made_the_team_is_told_and_it_is_alerted(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await night(world, 0.95, day=DAY - timedelta(days=1))
    await world.go_to(MORNING)

    async def broken(batch: object) -> None:
        raise StoreError("the table of batches is damaged")

    monkeypatch.setattr(world.house.digests, "record", broken)
    for attempt in (1, 2):
        with pytest.raises(HandlerError, match="the table of batches is damaged") as failure:
            await send(world, attempt=attempt)
        assert not failure.value.permanent
    assert world.room.titles == ["Tonight's digest is not available"]
    assert "An older one is not sent in its place" in world.room.messages[0].text
    assert world.open_alerts() == ["digest.missing"]
    assert "lastDigestNotificationAt" not in world.store.notes
    monkeypatch.undo()
    await send(world, attempt=3)
    assert world.room.titles[1] == "Digest of 2026-11-21: nothing above the threshold"
    assert "digest.missing" not in world.open_alerts()


async def test_a_digest_that_cannot_be_written_is_sent_from_the_database(world: Any) -> None:
    await night(world, 0.9)
    path(world).unlink()
    world.home.digests.rmdir()
    world.home.digests.write_text("in the way")
    await world.go_to(MORNING)
    await send(world)
    assert world.room.titles == ["Digest of 2026-11-21: 1 marked"]


async def test_a_night_that_was_missed_follows_as_late(world: Any) -> None:
    for days in (9, 2, 1, 0):
        await night(world, 0.9, day=DAY - timedelta(days=days))
    await night(world, 0.1, day=DAY - timedelta(days=3))
    await world.go_to(MORNING)
    await send(world)
    assert world.room.titles == [
        "Digest of 2026-11-21: 1 marked",
        "Late: digest of 2026-11-20: 1 marked",
        "Late: digest of 2026-11-19: 1 marked",
    ]
    assert isinstance(await send(world, "send-2"), Cancel)


async def test_a_digest_made_by_hand_today_is_sent_when_asked(world: Any) -> None:
    await world.go_to(MORNING + timedelta(hours=8))
    await world.add(0.9)
    await nightly_batch(world.context("nightly-batch", "by-hand"))
    await send(world)
    assert world.room.titles == ["Digest of 2026-11-22: 1 marked"]


async def test_without_a_nightly_schedule_it_is_todays_digest(world: Any) -> None:
    await night(world, 0.9)
    world.schedules.line = None
    await world.go_to(MORNING)
    await send(world)
    assert world.room.titles[0] == "Digest of 2026-11-22: nothing above the threshold"
    assert world.room.titles[1].startswith("Late: digest of 2026-11-21")


async def test_a_batch_that_is_at_work_is_waited_for_but_not_for_ever(world: Any) -> None:
    await world.go_to(MORNING)
    task = Task(
        id="night-1", handler="nightly-batch", state=TaskState.EXECUTING, slot="2026-11-21T23:00:00",
        scheduled_at=MORNING, started_at=MORNING,
    )  # fmt: skip
    await world.store.commit(task)
    await world.add(0.9)
    assert isinstance(await send(world), Snooze)
    await world.clock.advance(minutes=11)
    assert isinstance(await send(world), Done)
    assert world.room.titles == ["Digest of 2026-11-21: 1 marked"]


async def test_a_transient_failure_is_tried_again_and_alerted_at_the_last_attempt(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    world.room.failures = [ChannelError("busy", retry_after=timedelta(seconds=30)), ChannelError("busy")]
    with pytest.raises(HandlerError, match="did not arrive on team: busy") as failure:
        await send(world)
    assert failure.value.retry_after == timedelta(seconds=30)
    assert world.open_alerts() == []
    with pytest.raises(HandlerError):
        await send(world, attempt=5)
    assert world.open_alerts() == ["digest.unsent"]
    await send(world, "send-2")
    assert world.open_alerts() == []
    assert len(world.room.messages) == 1


async def test_batches_that_come_between_two_attempts_go_out_under_their_own_id(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    world.room.failures = [ChannelError("busy")]
    with pytest.raises(HandlerError):
        await send(world)
    await night(world, 0.8, task_id="by-hand")
    await send(world, attempt=2)
    assert sorted(entry.title for it in world.room.messages for entry in it.entries) == ["lead 0", "lead 1"]
    assert len({it.id for it in world.room.messages}) == 2


async def test_a_permanent_failure_is_alerted_and_not_tried_again(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    world.room.failures = [ChannelError("no such room", failure=Failure.PERMANENT)]
    with pytest.raises(HandlerError) as failure:
        await send(world)
    assert failure.value.permanent
    assert world.open_alerts() == ["digest.unsent"]


async def test_an_unknown_outcome_is_alerted_and_never_sent_again_unasked(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    world.room.failures = [ChannelError("the answer was lost", failure=Failure.UNKNOWN)]
    done = await send(world)
    assert isinstance(done, Done)
    assert done.summary["outcome"] == "unknown"
    (alert,) = world.house.alerts.open
    assert (alert.name, alert.severity) == ("digest.unknown", "error")
    assert "nightdesk digest send 2026-11-21 --again" in alert.advice
    assert "lastDigestNotificationAt" not in world.store.notes
    await send(world, "send-2")
    await night(world, 0.8, day=DAY + timedelta(days=1))
    await world.go_to(MORNING + timedelta(days=1))
    await send(world, "send-3")
    assert world.room.titles == ["Digest of 2026-11-22: 1 marked"]
    (alert,) = world.house.alerts.open
    assert alert.count == 2  # by the two runs of that morning, not by the one of the next
    await send(world, "send-4", args={"date": "2026-11-21", "resend": True})
    assert world.room.titles[1:] == ["Digest of 2026-11-21: 1 marked"]
    assert world.open_alerts() == []


async def test_what_was_asked_for_again_is_tried_once_while_its_fate_is_unknown(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    lost = ChannelError("the answer was lost", failure=Failure.UNKNOWN)
    world.room.failures = [lost, lost]
    await send(world)
    again = {"date": "2026-11-21", "resend": True}
    await send(world, "send-2", args=again)
    await send(world, "send-2", args=again, attempt=2)
    assert world.room.failures == []
    assert world.room.messages == []


async def test_a_crash_after_the_delivery_does_not_send_it_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)

    async def crash(*_: object) -> None:
        raise StoreError("killed here")

    monkeypatch.setattr(world.house.digests, "mark_sent", crash)
    with pytest.raises(StoreError):
        await send(world)
    await world.restart()
    await world.clock.advance(minutes=5)
    assert isinstance(await send(world, attempt=2), Done)
    assert len(world.room.messages) == 1
    assert world.store.notes["lastDigestNotificationAt"] == "2026-11-22T06:00:01.000000Z"


async def test_what_was_delivered_is_sent_again_only_when_asked(world: Any) -> None:
    await night(world, 0.9)
    await world.go_to(MORNING)
    await send(world)
    assert isinstance(await send(world, "send-2", args={"date": "2026-11-21"}), Cancel)
    await send(world, "send-3", args={"date": "2026-11-21", "resend": True})
    await send(world, "send-3", args={"date": "2026-11-21", "resend": True}, attempt=2)
    assert world.room.titles == ["Digest of 2026-11-21: 1 marked"] * 2
    assert world.room.messages[0].id != world.room.messages[1].id


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("2026-11-01", "there is no digest of 2026-11-01; nightdesk digest list shows those there are"),
        ("tomorrow", "date: 'tomorrow' is no date; write it as 2026-11-21"),
    ],
)
async def test_a_date_without_a_digest_is_refused_with_the_next_step(
    world: Any, named: str, reason: str
) -> None:
    await world.go_to(MORNING)
    with pytest.raises(HandlerError) as failure:
        await send(world, args={"date": named})
    assert str(failure.value) == reason
    assert failure.value.permanent


async def test_a_target_that_is_a_channel_takes_its_place(world: Any) -> None:
    world.options.target = "ops"
    await night(world, 0.9)
    await world.go_to(MORNING)
    await send(world)
    assert (world.room.titles, world.ops.titles) == ([], ["Digest of 2026-11-21: 1 marked"])


async def test_a_channel_that_is_not_there_is_alerted(world: Any) -> None:
    world.options.channel = "slak"
    await night(world, 0.9)
    await world.go_to(MORNING)
    with pytest.raises(HandlerError, match='there is no channel "slak"'):
        await send(world)
    assert world.open_alerts() == ["digest.unsent"]


async def test_leads_only_the_file_knows_are_sent_along_after_the_database_was_lost(world: Any) -> None:
    await night(world, 0.9)
    await world.store.close()
    for file in world.home.folder.glob("nightdesk.db*"):
        file.unlink()
    await world.open()
    await world.go_to(MORNING)
    await send(world)
    assert [entry.title for entry in world.room.messages[0].entries] == ["lead 0"]
    assert isinstance(await send(world, "send-2"), Cancel)

"""A missed deadline is told at once, once a slot, and ended when it is made up."""

import asyncio
from dataclasses import replace as replaced
from datetime import timedelta
from typing import Any

from daemon.engine.cron import CronLine
from daemon.engine.handler import Cancel, Done, Snooze
from daemon.engine.spec import Overlap
from daemon.loops import repeat
from daemon.watch.punctuality import LATE, LINES_AT_ONCE, Punctuality
from state.records import Alert, Severity, SlotState, Task
from tests.house import NOW, Answers, Gate, House

HOUR = timedelta(hours=1)
DAILY = "0 22 * * *"  # an hour after the house opens
FAILURE = RuntimeError("no route to host")


def watch(house: House) -> Punctuality:
    """Have the part run in an open house."""
    app = house.app
    part = Punctuality(app.store, house.clock, app.alerts, lambda: app.scheduler.specs)
    house._loops.append(asyncio.create_task(repeat(part, house.clock)))
    return part


def have(house: House, handler: Any, cron: str = DAILY, **fields: Any) -> None:
    """Have a job that must have succeeded within an hour of its time."""
    house.add_handler("report", handler, timeout=timedelta(days=2))
    house.add_schedule("report", cron, deadline=HOUR, timeout=timedelta(days=2), **fields)


def late(house: House) -> list[Alert]:
    """Every alert of this kind, the open one last."""
    found = [it for it in house.app.alerts.known() if it.name == LATE]
    return sorted(found, key=lambda it: (it.is_open, it.first_at))


async def run(house: House, **span: float) -> None:
    await house.start()
    watch(house)
    await house.clock.advance(**span)


async def test_who_is_in_time_is_not_spoken_of(house: House) -> None:
    have(house, Answers(Done()))
    await run(house, days=3)
    assert late(house) == []
    assert len(house.handled("report")) == 3


async def test_a_failed_run_is_late_when_its_deadline_passes_and_not_before(house: House) -> None:
    have(house, Answers(FAILURE))
    await run(house, hours=1, minutes=59, seconds=59)
    assert late(house) == []

    await house.clock.advance(seconds=1)

    [alert] = late(house)
    assert alert.is_open
    assert (alert.severity.value, alert.labels, alert.count) == ("critical", {"schedule": "report"}, 1)
    assert alert.first_at == NOW + 2 * HOUR
    assert alert.summary == (
        "report has not succeeded within 1h of 2026-11-21T22:00:00: its task is discarded,"
        " RuntimeError: no route to host"
    )
    assert alert.details["slot"] == "2026-11-21T22:00:00"
    assert alert.details["deadline"] == "2026-11-21T23:00:00Z"
    assert alert.details["state"] == "discarded"
    assert alert.details["task"] == house.handled("report")[0].id
    assert alert.advice == "nightdesk history --handler report; nightdesk trigger report"


async def test_it_is_told_once_a_slot_however_long_it_lasts(house: House) -> None:
    have(house, Answers(FAILURE))
    await run(house, hours=20)
    [alert] = late(house)
    assert alert.count == 1

    await house.clock.advance(hours=10)

    [alert] = late(house)
    assert (alert.count, alert.details["slot"]) == (2, "2026-11-22T22:00:00")


async def test_a_run_that_hangs_is_late_and_its_end_is_told_soon(house: House) -> None:
    gate = Gate()
    have(house, gate)
    await run(house, hours=3)
    [alert] = late(house)
    assert (alert.is_open, alert.details["state"]) == (True, "executing")

    gate.opened.set()
    await house.clock.advance(seconds=16)

    [alert] = late(house)
    assert alert.resolved_at is not None
    assert alert.resolved_at <= NOW + 3 * HOUR + timedelta(seconds=16)


async def test_one_that_waits_for_its_next_attempt_or_puts_itself_off_is_late_too(house: House) -> None:
    have(house, Answers(Snooze(minutes=90, reason="no digest has been written yet"), Done()))
    await run(house, hours=2)
    [alert] = late(house)
    assert (alert.is_open, alert.details["state"]) == (True, "scheduled")

    await house.clock.advance(hours=1)

    assert [it.is_open for it in late(house)] == [False]


async def test_a_run_that_was_cancelled_with_a_reason_is_not_late(house: House) -> None:
    have(house, Answers(Cancel(reason="a holiday")))
    await run(house, hours=12)
    assert late(house) == []


async def test_the_next_slot_that_succeeds_ends_it(house: House) -> None:
    have(house, Answers(FAILURE, Done()))
    await run(house, hours=24)
    assert [it.is_open for it in late(house)] == [True]

    await house.clock.advance(hours=1, seconds=20)

    [alert] = late(house)
    assert alert.resolved_at is not None
    assert alert.resolved_at <= NOW + 25 * HOUR + timedelta(seconds=20)


async def test_a_run_that_somebody_triggers_ends_it(house: House) -> None:
    have(house, Answers(FAILURE, FAILURE, Done()))
    await run(house, hours=3)
    for is_open in (True, False):
        await house.app.scheduler.trigger("report", None, None)
        await house.clock.advance(seconds=16)
        assert [it.is_open for it in late(house)] == [is_open]


async def test_a_success_before_its_time_does_not_make_up_for_it(house: House) -> None:
    have(house, Answers(Done(), FAILURE))
    await house.start()
    watch(house)
    await house.app.scheduler.trigger("report", None, None)
    await house.clock.advance(hours=3)
    assert [it.is_open for it in late(house)] == [True]


async def test_the_end_of_an_earlier_run_does_not_make_up_for_a_later_slot(house: House) -> None:
    gates = [Gate(), Gate()]
    arrived: list[Task] = []

    async def handler(ctx: Any) -> Any:
        arrived.append(ctx.task)
        return await gates[len(arrived) - 1](ctx)

    have(house, handler, "0 */2 * * *", overlap=Overlap.QUEUE)
    house.limit(concurrency=1)
    await run(house, hours=3, minutes=30)  # the run of 22:00 goes on when that of 00:00 is due
    gates[0].opened.set()
    await house.clock.advance(minutes=45)

    assert [(it.is_open, it.details["slot"]) for it in late(house)] == [
        (False, "2026-11-21T22:00:00"),
        (True, "2026-11-22T00:00:00"),
    ]


async def test_a_paused_schedule_is_not_late(house: House) -> None:
    have(house, Answers(Done()))
    await house.start()
    watch(house)
    await house.app.scheduler.pause("report", NOW + 30 * HOUR, "nobody is there to read it")
    await house.clock.advance(hours=28)
    assert late(house) == []
    assert {it.state for it in await house.slots("report")} == {SlotState.SKIPPED}


async def test_slots_that_are_left_out_behind_one_that_hangs_do_not_hide_it(house: House) -> None:
    gate = Gate()
    have(house, gate, "0 * * * *")
    await run(house, hours=6, minutes=30)
    [alert] = late(house)
    assert (alert.is_open, alert.count, alert.details["slot"]) == (True, 1, "2026-11-21T22:00:00")
    assert len(await house.slots("report")) == 6

    gate.opened.set()
    await house.clock.advance(seconds=16)

    assert [it.is_open for it in late(house)] == [False]


async def test_what_was_due_before_the_schedule_was_known_is_not_asked_for(house: House) -> None:
    have(house, Answers(FAILURE), "0 21 * * *")
    await house.clock.advance(minutes=30)
    await run(house, hours=20)
    assert late(house) == []


async def test_what_is_late_over_a_restart_is_not_told_again_and_ends_as_it_would_have(house: House) -> None:
    have(house, Answers(FAILURE, Done()))
    await run(house, hours=3)
    for _ in range(2):
        await house.kill()
        await run(house, hours=1)
        [alert] = late(house)
        assert (alert.is_open, alert.count) == (True, 1)

    await house.clock.advance(hours=24)

    assert [it.is_open for it in late(house)] == [False]


async def test_a_deadline_that_passed_while_the_daemon_was_down_is_told_at_once(house: House) -> None:
    gate = Gate()
    have(house, gate)
    await run(house, minutes=30)
    await house.stop()
    await house.clock.advance(hours=5)
    await run(house, seconds=16)
    [alert] = late(house)
    assert (alert.is_open, alert.details["state"]) == (True, "executing")

    gate.opened.set()
    await house.clock.advance(seconds=16)

    assert [it.is_open for it in late(house)] == [False]


async def test_somebody_who_closes_it_is_not_told_again_but_of_the_next_slot(house: House) -> None:
    have(house, Answers(FAILURE))
    await run(house, hours=3)
    await house.app.alerts.close(late(house)[0], "ann")
    await house.clock.advance(hours=1)
    await house.kill()
    await run(house, hours=19)
    assert [it.is_open for it in late(house)] == [False]

    await house.clock.advance(hours=4)

    assert [(it.is_open, it.details["slot"]) for it in late(house)] == [
        (False, "2026-11-21T22:00:00"),
        (True, "2026-11-22T22:00:00"),
    ]


async def test_a_clock_that_is_put_back_neither_tells_it_again_nor_ends_it(house: House) -> None:
    have(house, Answers(Done(), FAILURE))
    await run(house, hours=27)  # the first slot was served, the second is late
    assert [it.count for it in late(house)] == [1]

    await house.clock.step(timedelta(hours=-24))
    await house.clock.advance(hours=30)

    [alert] = late(house)
    assert (alert.is_open, alert.count, alert.details["slot"]) == (True, 1, "2026-11-22T22:00:00")


async def test_a_clock_that_was_years_ahead_for_a_moment_does_not_end_the_watch(house: House) -> None:
    have(house, Answers(FAILURE))
    house.parts = ("queue",)  # a scheduler that saw that clock would owe nothing for years
    await house.start()
    part = watch(house)
    await house.clock.step(timedelta(days=3650))
    await house.clock.step(timedelta(days=-3650))
    await house.clock.advance(minutes=2)
    assert part._watched["report"].upcoming.text == "2026-11-21T22:00:00"


async def test_a_clock_that_is_put_forward_over_the_deadline_makes_it_late_until_it_is_made_up(
    house: House,
) -> None:
    gate = Gate()
    have(house, gate)
    await run(house, minutes=30)
    await house.clock.step(3 * HOUR)
    await house.clock.advance(seconds=20)
    assert [it.is_open for it in late(house)] == [True]

    gate.opened.set()
    await house.clock.advance(seconds=16)

    assert [it.is_open for it in late(house)] == [False]


async def test_a_schedule_that_is_taken_out_is_not_waited_for_any_more(house: House) -> None:
    have(house, Answers(FAILURE))
    await run(house, hours=3)

    await house.app.scheduler.adopt({})
    await house.clock.advance(minutes=1)

    assert [it.is_open for it in late(house)] == [False]


async def test_a_changed_schedule_is_watched_by_its_new_line(house: House) -> None:
    have(house, Answers(FAILURE))
    await run(house, hours=3)

    line = CronLine.parse("@every 4h", "UTC")
    await house.app.scheduler.adopt({"report": replaced(house.specs["report"], line=line)})
    await house.clock.advance(minutes=2)
    assert [it.is_open for it in late(house)] == [False]
    await house.clock.advance(hours=6)

    assert [(it.is_open, it.details["slot"]) for it in late(house)] == [
        (False, "2026-11-21T22:00:00"),
        (True, "2026-11-22T04:00:00Z"),
    ]


async def test_a_slot_that_the_scheduler_never_comes_to_is_late_too(house: House) -> None:
    have(house, Answers(Done()))
    house.parts = ("queue",)
    await run(house, hours=2)
    assert late(house) == []
    await house.clock.advance(seconds=80)
    [alert] = late(house)
    assert alert.summary.endswith("2026-11-21T22:00:00: it has not been started")

    await house.app.scheduler.step()
    await house.clock.advance(seconds=16)

    assert [it.is_open for it in late(house)] == [False]


async def test_a_full_disk_keeps_nobody_from_being_told(house: House) -> None:
    have(house, Answers(FAILURE))
    await run(house, hours=1, minutes=30)
    house.disk.is_full = True
    await house.clock.advance(hours=2)
    assert [(it.is_open, it.count) for it in late(house)] == [(True, 1)]


async def test_alerts_of_that_name_that_are_no_such_alerts_harm_nothing(house: House) -> None:
    have(house, Answers(FAILURE))
    await house.start()
    for labels in ({}, {"schedule": "report"}, {"schedule": "gone"}):
        await house.app.alerts.fire(LATE, severity=Severity.INFO, summary="by hand", labels=labels)
    watch(house)

    await house.clock.advance(hours=3)

    open_ones = [it for it in house.app.alerts.open if it.name == LATE]
    assert [(it.labels, it.severity.value) for it in open_ones] == [
        ({}, "info"),
        ({"schedule": "report"}, "critical"),
    ]


async def test_schedules_without_a_deadline_are_left_alone(house: House) -> None:
    house.add_handler("report", Answers(FAILURE))
    house.add_schedule("report", DAILY)
    await run(house, hours=30)
    assert late(house) == []


async def test_very_many_schedules_are_taken_up_a_few_at_a_time(house: House) -> None:
    count = 10 * LINES_AT_ONCE + 1
    house.add_handler("report")
    for number in range(count):
        house.add_schedule(f"s{number}", DAILY, handler="report", deadline=HOUR)
    house.parts = ("queue",)
    await house.start()
    part = Punctuality(house.app.store, house.clock, house.app.alerts, lambda: house.app.scheduler.specs)
    known = []
    for _ in range(11):
        again_at = await part.step()
        known.append(len(part._watched))
        assert (again_at - NOW < timedelta(seconds=1)) == (known[-1] < count)
    assert known == [min(n * LINES_AT_ONCE, count) for n in range(1, 12)]

"""The sweep: whatever the schedules do, what is owed is found within a minute and promised to be written."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import daemon.reports.sweep
from daemon.reports.sweep import GRACE, RETRY, SWEEP_EVERY, Sweep, Why, why_of
from state.ledger.errors import LedgerDown
from state.ledger.records import Held, Status
from state.records import Severity, TaskState
from state.records import replace as change
from tests.contracts.ledgers import DAY, company, owed
from tests.daemon.reports.owing import DUE, TODAY, WORKER, Office, companies

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    yield made
    await made.house.close()


def sweep(office: Office) -> Sweep:
    app, house = office.app, office.house
    return Sweep(office.ledger, app.store, app.alerts, house.clock, lambda: house.config, app.queue.enqueue)


async def after(office: Office, part: Sweep, minutes: float) -> None:
    await office.house.clock.advance(minutes=minutes)
    await part.step()


async def test_what_is_due_is_promised_at_once_where_nobody_is_at_work(office: Office) -> None:
    await office.plan("a", "b")
    assert await sweep(office).step() == DUE + SWEEP_EVERY
    (task,) = office.tasks()
    assert task.args == {"dates": ["2026-11-21"], "why": "sweep"}
    assert (task.lane.value, task.trigger.value) == ("catch-up", "catch-up")
    assert office.alert("backup.intervened") is None


async def test_what_is_not_due_yet_is_left_alone(office: Office) -> None:
    await office.plan("a")
    await office.house.clock.step(-MINUTE)
    await sweep(office).step()
    assert office.tasks() == []


async def test_the_primary_at_work_is_given_its_chance(office: Office) -> None:
    await office.plan("a")
    await office.app.queue.enqueue("daily-reports")
    part = sweep(office)
    await part.step()
    assert office.tasks() == []
    await after(office, part, GRACE.total_seconds() / 60)
    assert len(office.tasks()) == 1


async def test_two_sweeps_in_a_minute_make_one_task(office: Office) -> None:
    await office.plan("a")
    await sweep(office).step()
    await sweep(office).step()
    assert len(office.tasks()) == 1


async def test_no_second_task_while_the_first_one_waits(office: Office) -> None:
    await office.plan("a")
    part = sweep(office)
    for _ in range(5):
        await part.step()
        await office.house.clock.advance(minutes=1)
    assert len(office.tasks()) == 1


async def test_a_task_that_hangs_is_not_waited_for(office: Office) -> None:
    await office.plan("a")
    part = sweep(office)
    await part.step()
    (task,) = office.tasks()
    office.app.store.tasks[task.id] = change(task, state=TaskState.EXECUTING, started_at=DUE)
    await after(office, part, 29)
    assert len(office.tasks()) == 1
    await after(office, part, 1)
    assert len(office.tasks()) == 2
    alert = office.alert("backup.intervened")
    assert alert is not None
    assert alert.details["late"] == 1


async def test_a_long_task_that_gets_on_is_waited_for(office: Office) -> None:
    await office.plan("a", "b")
    part = sweep(office)
    await part.step()
    (task,) = office.tasks()
    office.app.store.tasks[task.id] = change(task, state=TaskState.EXECUTING, started_at=DUE)
    await office.house.clock.advance(minutes=30)
    await office.write("a")
    await after(office, part, 5)
    assert len(office.tasks()) == 1
    assert office.alert("backup.intervened") is None


async def test_what_nobody_began_for_long_is_served_and_told(office: Office) -> None:
    await office.plan("a", "b")
    await after(office, sweep(office), 11)
    alert = office.alert("backup.intervened")
    assert alert is not None
    assert alert.severity is Severity.WARNING
    assert alert.details["late"] == 2
    assert "2 late" in alert.summary


async def test_a_failed_attempt_is_taken_up_when_it_is_time(office: Office) -> None:
    await office.plan("a")
    await office.write("a", status=None)
    part = sweep(office)
    await part.step()
    assert office.tasks() == []
    await after(office, part, 1)
    assert len(office.tasks()) == 1
    alert = office.alert("backup.intervened")
    assert alert is not None
    assert alert.details["failed"] == 1


async def test_a_lease_that_ran_out_is_taken_up_as_stuck(office: Office) -> None:
    await office.plan("a")
    await office.write("a", status=Status.LEASED)
    part = sweep(office)
    await part.step()
    assert office.tasks() == []
    await after(office, part, 2)
    alert = office.alert("backup.intervened")
    assert alert is not None
    assert alert.details["stuck"] == 1


async def test_what_the_planner_left_out_is_planned_and_served(office: Office) -> None:
    await office.roster(*companies("a", "b"))
    await office.house.clock.advance(minutes=30)
    part = sweep(office)
    await part.step()
    assert await office.standing() == {}, "at a start the planner has its turn first"
    await after(office, part, 1)
    assert await office.standing() == {"a": "due", "b": "due"}
    alert = office.alert("backup.intervened")
    assert alert is not None
    assert alert.details["missing"] == 2


async def test_a_date_that_has_not_begun_for_a_company_is_not_planned(office: Office) -> None:
    await office.roster(company("far", timezone="Pacific/Honolulu", channel="log"))
    part = sweep(office)
    await part.step()
    await after(office, part, 1)
    assert await office.standing() == {}
    assert await office.standing(TODAY - DAY) != {}


async def test_an_older_day_gives_way_to_a_newer_one(office: Office) -> None:
    await office.plan("a", on=TODAY - DAY)
    await office.plan("a")
    await sweep(office).step()
    assert await office.standing(TODAY - DAY) == {"a": "excused"}
    assert office.tasks()[0].args["dates"] == ["2026-11-21"]


async def test_a_missed_deadline_is_one_alert_a_date_and_ends_with_the_last_report(office: Office) -> None:
    await office.plan("a", "b")
    part = sweep(office)
    await after(office, part, 121)
    alert = office.alert("coverage.missed")
    assert alert is not None
    assert (alert.severity, alert.labels) == (Severity.CRITICAL, {"date": "2026-11-21"})
    assert (alert.details["open"], alert.count) == (2, 1)
    await after(office, part, 1)
    still = office.alert("coverage.missed")
    assert still is not None
    assert still.count == 1
    await office.write(status=Status.DELIVERED_LATE)
    await after(office, part, 1)
    assert office.alert("coverage.missed") is None


async def test_the_word_of_an_intervention_is_taken_back_after_a_clean_day(office: Office) -> None:
    await office.plan("a")
    part = sweep(office)
    await after(office, part, 11)
    await office.write()
    await after(office, part, 23 * 60)
    assert office.alert("backup.intervened") is not None
    await after(office, part, 61)
    assert office.alert("backup.intervened") is None


async def test_who_holds_a_report_for_too_long_is_told_of_and_not_robbed(office: Office) -> None:
    await office.plan("a")
    (held,) = await office.write("a", status=Status.LEASED)
    part = sweep(office)
    for _ in range(8):
        await office.house.clock.advance(minutes=16)
        lease = [Held(held.company_id, held.date, held.epoch)]
        assert not await office.ledger.renew(WORKER, lease, office.now, 20 * MINUTE)
    await part.step()
    alert = office.alert("report.stuck")
    assert alert is not None
    assert alert.details["first"] == ["a 2026-11-21"]
    assert office.tasks() == []
    await after(office, part, 21)
    await office.write()
    await after(office, part, 1)
    assert office.alert("report.stuck") is None


async def test_a_ledger_that_is_down_is_asked_again_soon(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.plan("a")
    part = sweep(office)

    async def down(*_: object) -> int:
        raise LedgerDown("the ledger is away")

    with monkeypatch.context() as away:
        away.setattr(office.ledger, "mark_due", down)
        assert await part.step() == DUE + RETRY
    assert office.tasks() == []
    await part.step()
    assert len(office.tasks()) == 1


async def test_a_queue_that_is_full_is_tried_again_soon(office: Office) -> None:
    await office.plan("a")
    office.app.queue._max_waiting = 0
    part = sweep(office)
    assert await part.step() == DUE + RETRY
    office.app.queue._max_waiting = 10
    await part.step()
    assert len(office.tasks()) == 1


async def test_without_reports_in_the_config_nothing_is_looked_at(office: Office) -> None:
    await office.plan("a")
    office.house.config = replace(office.house.config, reports=None)
    assert await sweep(office).step() == DUE + SWEEP_EVERY
    assert office.tasks() == []


async def test_of_very_many_no_date_is_left_out(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon.reports.sweep, "PAGE", 2)
    await office.plan(*[f"a{number:02}" for number in range(30)], on=TODAY - DAY)
    await office.plan("b")
    await after(office, sweep(office), 11)
    assert office.tasks()[0].args["dates"] == ["2026-11-20", "2026-11-21"]
    alert = office.alert("backup.intervened")
    assert alert is not None
    assert "at least 20 reports" in alert.summary


WHYS = [
    ({"status": Status.DUE}, 0, False, Why.DUE),
    ({"status": Status.PLANNED}, 0, False, Why.DUE),
    ({"status": Status.DUE}, 0, True, None),
    ({"status": Status.DUE}, 2, True, Why.DUE),
    ({"status": Status.DUE}, 60, True, Why.DUE),
    ({"status": Status.DUE}, 10, False, Why.LATE),
    ({"status": Status.PLANNED}, -1, False, None),
    ({"status": Status.DUE, "attempts": 1, "retry_at": DUE + MINUTE}, 0, False, None),
    ({"status": Status.DUE, "attempts": 1, "retry_at": DUE + MINUTE}, 1, False, Why.FAILED),
    ({"status": Status.DUE, "attempts": 1, "retry_at": DUE + MINUTE}, 2, True, None),
    ({"status": Status.DUE, "attempts": 1, "retry_at": DUE + MINUTE}, 3, True, Why.FAILED),
    ({"status": Status.LEASED, "lease_expires_at": DUE + MINUTE}, 0, False, None),
    ({"status": Status.SENT, "lease_expires_at": DUE + MINUTE}, 1, False, Why.STUCK),
    ({"status": Status.DELIVERED}, 1, False, None),
    ({"status": Status.FAILED}, 60, False, None),
]


@pytest.mark.parametrize(
    ("fields", "minutes", "busy", "why"),
    WHYS,
    ids=[f"{it[0]['status']}-{it[1]}-{'busy' if it[2] else 'idle'}-{it[3]}" for it in WHYS],
)
def test_why_an_obligation_is_taken_up(
    fields: dict[str, object], minutes: int, busy: bool, why: Why | None
) -> None:
    one = owed("a", **fields)
    assert why_of(one, DUE + minutes * MINUTE, is_primary_busy=busy) is why

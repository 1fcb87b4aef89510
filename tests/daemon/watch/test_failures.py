"""How each job fares: one record kept for good, and an alarm that fits what happened."""

from datetime import timedelta
from typing import Any

import pytest

from daemon.engine.handler import Cancel, Done, HandlerError, Snooze
from state.records import Severity, TaskState
from tests.house import NOW, Answers, House

NO = HandlerError("no room", permanent=True)


async def run(house: House, times: int = 1, handler: str = "work", **fields: Any) -> None:
    for _ in range(times):
        await house.app.queue.enqueue(handler, **fields)
        await house.settle()


async def test_a_record_counts_runs_failures_and_the_streak(house: House) -> None:
    house.add_handler("work", Answers(Done(), NO, NO, Done(), NO))
    app = await house.start()
    await run(house, 4)
    house_before = app.store.handlers["work"]
    await house.clock.advance(hours=1)
    await run(house)

    record = app.store.handlers["work"]
    assert (house_before.failure_streak, record.failure_streak) == (0, 1)
    assert (record.runs, record.failures, record.last_error) == (5, 3, "no room")
    assert record.last_state is TaskState.DISCARDED
    assert (record.last_success_at, record.last_finished_at) == (NOW, NOW + timedelta(hours=1))


async def test_a_record_outlives_restarts_and_the_history(house: House) -> None:
    house.add_handler("work", Answers(NO))
    house.add_handler("other")
    await house.start()
    await run(house, 2)
    await run(house, 60, "other")
    await house.kill()

    app = await house.start()
    await run(house)

    assert app.store.handlers["work"].failure_streak == 3
    assert {alert.name: alert.severity for alert in app.alerts.open}["handler.failing"] is Severity.CRITICAL


async def test_every_attempt_counts_towards_the_streak(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no")))
    app = await house.start()
    await run(house, max_attempts=3)

    await house.clock.advance(hours=1)

    assert app.store.handlers["work"].failure_streak == 3
    [alert] = app.alerts.open
    assert (alert.name, alert.severity) == ("handler.failing", Severity.CRITICAL)
    assert alert.summary == "work has failed 3 times in a row: ValueError: no"
    assert alert.details["failure_streak"] == 3


async def test_a_failure_that_will_be_tried_again_alarms_nobody(house: House) -> None:
    house.add_handler("work", Answers(ValueError("no"), Done()))
    await house.start()

    await run(house, max_attempts=2)

    assert house.alerts == []


async def test_a_failure_for_good_says_what_to_do(house: House) -> None:
    house.add_handler("work", Answers(NO))
    app = await house.start()
    await run(house)

    [alert] = app.alerts.open
    assert alert.summary == "work failed for good after 1 attempt: no room"
    assert alert.advice == "nightdesk history --handler work"
    assert alert.labels == {"handler": "work"}


@pytest.mark.parametrize(
    "answer", [Cancel(reason="x"), Snooze(minutes=60, reason="x")], ids=["cancel", "snooze"]
)
async def test_what_is_no_failure_neither_counts_nor_ends_an_alarm(
    house: House, answer: Cancel | Snooze
) -> None:
    house.add_handler("work", Answers(NO, answer))
    app = await house.start()
    await run(house, 2)

    assert app.store.handlers["work"].runs == 1
    assert house.alerts == ["task.failed"]


async def test_two_commands_are_two_jobs(house: House) -> None:
    house.add_handler("command", Answers(NO, NO, Done(), NO))
    for name in ("dump", "copy"):
        house.add_schedule(name, "0 0 1 1 *", handler="command")
    app = await house.start()

    for name in ("dump", "copy", "dump", "copy"):
        await app.scheduler.trigger(name, None, None)
        await house.settle()

    streaks = {name: record.failure_streak for name, record in app.store.handlers.items()}
    assert streaks == {"dump": 0, "copy": 2}
    assert [alert.labels for alert in app.alerts.open] == [{"handler": "copy"}]


async def test_a_success_of_one_ends_no_alarm_of_another(house: House) -> None:
    house.add_handler("work", Answers(NO))
    house.add_handler("other")
    await house.start()
    await run(house)
    await run(house, 1, "other")

    assert house.alerts == ["task.failed"]


async def test_the_end_of_a_task_and_its_alert_are_on_the_disk_together(house: House) -> None:
    house.add_handler("work", Answers(NO))
    await house.start()
    await run(house)
    await house.kill()

    await house.start()

    assert [row["state"] for row in await house.rows("run")] == ["discarded"]
    assert "task.failed" in house.alerts


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_how_many_failures_are_critical_is_configured(house: House, limit: int) -> None:
    alerts = house.config.alerts.model_copy(update={"consecutive_failures": limit})
    object.__setattr__(house.config, "alerts", alerts)
    house.add_handler("work", Answers(NO))
    await house.start()

    await run(house, limit - 1)
    assert "handler.failing" not in house.alerts
    await run(house)

    assert "handler.failing" in house.alerts

"""The wiring: what a start finds, what a stop leaves, and what a reload changes."""

from datetime import timedelta
from pathlib import Path

import pytest

from daemon.app import HEARTBEAT
from daemon.context import Context
from daemon.engine.handler import Done, Outcome, Snooze
from state.codec import parse_time, time_text
from state.database import StoreError
from state.records import Severity, TaskState, Trigger
from state.snapshot import read
from tests.house import NOW, Answers, Gate, House


async def test_a_start_beats_at_once_and_writes_the_state(house: House) -> None:
    house.add_handler(HEARTBEAT, in_history=False)
    app = await house.start()

    assert [task.trigger for task in house.ran] == [Trigger.STARTUP]
    assert app.is_ready
    assert parse_time(read(house.home.state_file)["startedAt"]) == NOW


async def test_a_clean_stop_is_followed_by_no_alarm(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    await app.queue.enqueue("work")
    await house.stop()

    app = await house.start()

    assert [alert.name for alert in app.store.alerts.values()] == []


async def test_a_stop_leaves_the_state_as_it_is_in_the_database(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()
    waiting = await app.queue.enqueue("work", scheduled_at=NOW + timedelta(hours=1))
    running = await app.queue.enqueue("work")
    await house.settle()
    await house.stop()

    state = read(house.home.state_file)

    queue = {task["id"]: task["state"] for task in state["queue"]}
    assert queue == {waiting.task.id: "scheduled", running.task.id: "available"}


async def test_a_kill_is_told_once_with_what_was_in_flight(house: House) -> None:
    house.add_handler("work", Gate())
    app = await house.start()
    ids = [(await app.queue.enqueue("work")).task.id for _ in range(30)]
    await house.settle()
    await house.kill()

    app = await house.start()
    [alert] = app.store.alerts.values()
    assert (alert.name, alert.severity, alert.is_open) == ("daemon.unclean-stop", Severity.ERROR, False)
    assert alert.details["inFlightTotal"] == 30
    assert alert.details["inFlight"] == [f"work ({it})" for it in ids[:20]]
    assert alert.details["runningSince"] == time_text(NOW)
    await house.stop()
    await house.start()

    assert len(house.app.store.alerts) == 1


async def test_a_kill_with_nothing_in_flight_is_told_too(house: House) -> None:
    await house.start()
    await house.kill()

    app = await house.start()

    assert [alert.details["inFlightTotal"] for alert in app.store.alerts.values()] == [0]


async def test_a_damaged_state_is_told_and_kept_aside(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    await app.queue.enqueue("work", key="k")
    await house.settle()
    await house.stop()
    house.home.database.write_bytes(b"rubbish" * 1000)

    app = await house.start()

    [alert] = [it for it in app.store.alerts.values() if it.name == "state.restored"]
    assert alert.severity is Severity.CRITICAL
    assert [path.name for path in house.home.folder.glob("*.damaged-*")]
    assert [run.key for run in app.store.history] == ["k"]


# One task without the daemon


async def test_one_task_is_run_alone_and_tells_its_end(house: House) -> None:
    house.add_handler("work", Answers(Done(n=1)))
    app = await house.open()

    task, is_duplicate = await app.run_once("work", key="k")
    again, is_duplicate_again = await app.run_once("work", key="k")

    assert (task.state, task.summary, is_duplicate) == (TaskState.COMPLETED, {"n": 1}, False)
    assert (again.id, is_duplicate_again) == (task.id, True)
    assert len(house.ran) == 1
    assert [run["id"] for run in read(house.home.state_file)["taskHistory"]] == [task.id]


async def test_one_task_that_puts_itself_off_is_left_to_the_daemon(house: House) -> None:
    house.add_handler("work", Answers(Snooze(minutes=5, reason="not yet"), Done()))
    app = await house.open()
    task, _ = await app.run_once("work")
    await house.kill()

    await house.start()
    await house.clock.advance(minutes=6)

    assert task.state is TaskState.SCHEDULED
    assert [run.state for run in house.app.store.history] == [TaskState.COMPLETED]


async def test_what_waits_stays_waiting_while_one_task_is_run_alone(house: House) -> None:
    house.add_handler("work", gate := Gate())
    house.add_handler("other")
    app = await house.start()
    await app.queue.enqueue("work")
    await house.settle()
    await house.kill()

    app = await house.open()
    await app.run_once("other")
    assert len(gate.arrived) == 1
    await house.kill()
    app = await house.start()

    assert len(gate.arrived) == 2
    names = [alert.name for alert in app.store.alerts.values()]
    assert names == ["daemon.unclean-stop"]


# Reloading


async def test_a_reload_takes_handlers_schedules_and_options_together(house: House) -> None:
    house.add_handler("work")
    app = await house.start()
    seen = []

    async def look(ctx: Context) -> Outcome:
        seen.append(ctx.options)
        return Done()

    house.add_handler("look", look, section="digest")
    house.add_schedule("look", "*/10 * * * *")
    await app.adopt(house.prepared)
    await house.clock.advance(minutes=10)

    assert seen == [house.config.digest]
    assert set(app.store.schedules) == {"look"}


async def test_a_reload_that_cannot_be_stored_leaves_everything_as_it_was(house: House) -> None:
    house.add_handler("work")
    house.add_schedule("work", "*/10 * * * *")
    app = await house.start()
    plan, config = app.plan, app.config
    del house.specs["work"], house.handlers["work"]
    house.disk.is_full = True

    with pytest.raises(StoreError):
        await app.adopt(house.prepared)
    house.disk.is_full = False
    await house.clock.advance(minutes=10)

    assert (app.plan, app.worker.plan, app.config) == (plan, plan, config)
    assert len(house.ran) == 1


async def test_a_task_that_runs_during_a_reload_goes_on(house: House) -> None:
    gate = Gate()
    house.add_handler("work", gate)
    app = await house.start()
    await app.queue.enqueue("work")
    await house.settle()
    del house.handlers["work"]

    await app.adopt(house.prepared)
    gate.opened.set()
    await house.settle()

    assert [run.state for run in app.store.history] == [TaskState.COMPLETED]


async def test_an_app_that_is_closed_without_a_word_leaves_no_noise(
    house: House, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    house.add_handler("work", Gate())
    app = await house.start()
    await app.queue.enqueue("work")
    await house.settle()

    await house.close()

    assert [it for it in caplog.records if it.name == "asyncio"] == []

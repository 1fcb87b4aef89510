"""How full the queue and the ledger are, counted."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.reports.queues import loads_of, queues_of
from state.ledger.postgres import PostgresLedger
from state.records import Lane, Task, TaskState
from tests.daemon.reports.owing import DUE, Office
from tests.postgres import Postgres


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    await made.open()
    yield made
    await made.house.close()


def task(number: int, state: TaskState, *, ago_s: float = 0, lane: Lane = Lane.NORMAL) -> Task:
    at = DUE - timedelta(seconds=ago_s)
    return Task(id=f"task-{number}", handler=f"work-{number % 2}", state=state, lane=lane, scheduled_at=at)


def test_a_lane_tells_what_waits_what_runs_and_how_long_the_oldest_has_waited() -> None:
    tasks = [
        task(1, TaskState.AVAILABLE, ago_s=90),
        task(2, TaskState.AVAILABLE, ago_s=30),
        task(3, TaskState.EXECUTING, ago_s=300),
        task(4, TaskState.RETRYABLE, ago_s=-60),
        task(5, TaskState.AVAILABLE, ago_s=5, lane=Lane.CATCH_UP),
    ]
    found = queues_of(tasks, DUE)
    assert found["lanes"] == {
        "alerts": {"depth": 0, "later": 0, "running": 0, "oldestAgeS": 0.0},
        "normal": {"depth": 2, "later": 1, "running": 1, "oldestAgeS": 90.0},
        "catch-up": {"depth": 1, "later": 0, "running": 0, "oldestAgeS": 5.0},
    }
    assert found["handlers"] == {
        "work-0": {"available": 1, "retryable": 1},
        "work-1": {"available": 2, "executing": 1},
    }


async def test_the_ledger_tells_what_it_owes_by_deadline(office: Office) -> None:
    await office.plan("a", "b")
    found = await loads_of(office.ledger, DUE + timedelta(hours=3))
    assert found["status"] == "ok"
    assert found["loads"] == [
        {"deadlineAt": "2026-11-21T07:00:00.000000Z", "open": 2, "due": 2, "isMissed": True}
    ]


async def test_a_ledger_that_is_away_is_told_as_down(tmp_path: Path) -> None:
    ledger = PostgresLedger(Postgres(tmp_path / "nowhere").url())
    found = await loads_of(ledger, DUE)
    await ledger.close()
    assert (found["status"], found["loads"]) == ("down", [])
    assert "does not answer" in found["error"]


async def test_without_reports_there_is_nothing_to_owe() -> None:
    assert await loads_of(None, DUE) == {"status": "off", "loads": []}

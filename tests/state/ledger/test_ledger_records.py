"""What the ledger's records say of themselves."""

from datetime import timedelta

import pytest

from state.ledger.records import FINAL, OPEN, PlanState, RosterChange, Status, delivered_status
from tests.contracts.ledgers import NOW, owed

DEADLINE = owed("a").deadline_at


@pytest.mark.parametrize(
    ("late", "rung", "status"),
    [
        (timedelta(0), "main", Status.DELIVERED),
        (timedelta(0), "template", Status.DELIVERED_DEGRADED),
        (timedelta(microseconds=1), "main", Status.DELIVERED_LATE),
        (timedelta(hours=1), "template", Status.DELIVERED_LATE),
    ],
    ids=["in time", "in time by template", "a moment late", "late by template"],
)
def test_a_delivery_is_named_by_its_deadline_first(late: timedelta, rung: str, status: Status) -> None:
    assert delivered_status(owed("a"), DEADLINE + late, rung) is status


def test_every_status_is_open_or_final() -> None:
    assert set(Status) == FINAL | OPEN
    assert not FINAL & OPEN
    assert [status for status in Status if status.is_delivered and not status.is_final] == []
    assert [state.value for state in PlanState if state.is_final] == ["done", "cancelled", "stopped"]


def test_a_first_roster_shrinks_by_nothing() -> None:
    change = RosterChange(added=3, changed=0, departed=0, total=3, present=0, version=1)
    assert change.shrinks_by == 0.0
    assert owed("a").key == ("a", NOW.date())

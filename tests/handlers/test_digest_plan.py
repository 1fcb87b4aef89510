"""Which messages a morning owes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from handlers.digest_plan import asked_again, expected_date, message_id_of, owed
from state.records import Batch

DAY = date(2026, 11, 21)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
AT = datetime(2026, 11, 21, 23, tzinfo=UTC)


def batch(name: str, day: date = DAY, marked: int = 1, **fields: Any) -> Batch:
    return Batch(
        id=name, task_id=name, date=day, generated_at=AT, after_seq=0, until_seq=9, docs_processed=9,
        queue_total=9, marked_for_draft=marked, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slot", "newest", "today", "expected"),
    [
        (DAY, DAY, AFTER, DAY),
        (DAY, None, AFTER, DAY),  # nobody made it: it is still the one the team waits for
        (DAY, BEFORE, AFTER, DAY),
        (DAY, AFTER, AFTER, AFTER),  # made by hand since
        (DAY, AFTER + timedelta(days=900), AFTER, AFTER),  # a batch from a clock that was wrong
        (None, BEFORE, DAY, DAY),
        (None, None, DAY, DAY),
    ],
)
def test_the_expected_date_is_the_newest_slots_or_newer(
    slot: date | None, newest: date | None, today: date, expected: date
) -> None:
    assert expected_date(slot, newest, today) == expected


def test_the_expected_date_comes_first_and_older_ones_are_late() -> None:
    parcels = owed([batch("a", BEFORE), batch("b")], DAY, DAY, ())
    assert [(it.day, it.is_late, it.batch_ids) for it in parcels] == [
        (DAY, False, ("b",)),
        (BEFORE, True, ("a",)),
    ]


def test_batches_of_a_date_share_a_message_unless_they_are_bound_already() -> None:
    parcels = owed([batch("a", delivery_id="m"), batch("b"), batch("c")], DAY, DAY, ())
    assert [(it.message_id, it.batch_ids) for it in parcels] == [
        ("m", ("a",)),
        (message_id_of(DAY, ("c", "b")), ("b", "c")),
    ]


def test_where_nothing_was_marked_only_the_expected_date_is_told_and_only_once() -> None:
    assert owed([batch("a", BEFORE, marked=0)], DAY, DAY, ()) == []
    assert len(owed([batch("b", marked=0)], DAY, DAY, ())) == 1
    assert owed([batch("b", marked=0)], DAY, DAY, {DAY}) == []


def test_asked_again_what_arrived_gets_an_id_of_its_own_and_what_may_have_keeps_its_id() -> None:
    sent = batch("a", delivery_id="m@slack", sent_at=AT)
    parcels = asked_again([sent, batch("b", delivery_id="n"), batch("c")], DAY, "task-1")
    assert [(it.message_id, it.is_sent, it.is_again) for it in parcels] == [
        ("digest-2026-11-21-again-task-1", True, False),
        ("n", False, True),
        (message_id_of(DAY, ("c",)), False, False),
    ]


def test_the_id_of_a_message_depends_on_the_date_and_the_batches_alone() -> None:
    assert message_id_of(DAY, ("a", "b")) == message_id_of(DAY, ("b", "a"))
    assert len({message_id_of(DAY, ("a",)), message_id_of(BEFORE, ("a",)), message_id_of(DAY, ("b",))}) == 3

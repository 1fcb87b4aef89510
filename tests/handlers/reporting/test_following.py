"""What follows from a send, without any channel."""

from datetime import UTC, date, datetime, timedelta

import pytest

from handlers.reporting.following import Next, Review, Sent, decide, may_retry, retry_at, review, status_of
from state.ledger.records import Obligation, Status
from state.records import DeliveryState

DUE = datetime(2026, 11, 21, 5, tzinfo=UTC)
DEADLINE = DUE + timedelta(hours=2)
RESEND = timedelta(minutes=15)


def owed(attempts: int = 1) -> Obligation:
    return Obligation(
        company_id="acme", date=date(2026, 11, 21), due_at=DUE, deadline_at=DEADLINE, attempts=attempts
    )


def sent(state: DeliveryState) -> Sent:
    return Sent(state=state)


@pytest.mark.parametrize(
    ("state", "has_another", "wanted"),
    [
        (DeliveryState.DELIVERED, True, Next.DONE),
        (DeliveryState.FAILED, True, Next.NEXT_CHANNEL),
        (DeliveryState.FAILED, False, Next.GIVE_UP),
        (DeliveryState.RETRYABLE, True, Next.RETRY),
        (DeliveryState.RETRYABLE, False, Next.RETRY),
        (DeliveryState.UNKNOWN, True, Next.LOOK_INTO),
    ],
)
def test_each_outcome_has_its_next_step(state: DeliveryState, has_another: bool, wanted: Next) -> None:
    assert decide(sent(state), owed(), DUE, has_another=has_another) is wanted


def test_a_report_is_tried_until_its_day_is_over() -> None:
    over = DUE + timedelta(hours=24)
    assert may_retry(owed(50), over - timedelta(seconds=1))
    assert not may_retry(owed(50), over)
    assert may_retry(owed(1), over), "one of an older day has a few tries too"
    assert decide(sent(DeliveryState.RETRYABLE), owed(50), over, has_another=False) is Next.GIVE_UP


def test_a_wait_does_not_pass_over_the_deadline_unless_it_was_asked_for() -> None:
    now = DEADLINE - timedelta(seconds=4)
    assert retry_at(owed(9), now) == now + timedelta(seconds=2)
    assert retry_at(owed(9), now, timedelta(minutes=5)) == now + timedelta(minutes=5)
    assert now < retry_at(owed(9), DEADLINE) <= DEADLINE + timedelta(minutes=10)


def test_a_delivery_is_named_by_the_deadline_first() -> None:
    in_time, late = DEADLINE, DEADLINE + timedelta(seconds=1)
    assert status_of(Next.DONE, owed(), in_time, "main", is_degraded=False) is Status.DELIVERED
    assert status_of(Next.DONE, owed(), in_time, "template", is_degraded=True) is Status.DELIVERED_DEGRADED
    assert status_of(Next.DONE, owed(), in_time, "template", is_degraded=False) is Status.DELIVERED
    assert status_of(Next.DONE, owed(), late, "template", is_degraded=True) is Status.DELIVERED_LATE
    assert status_of(Next.RETRY, owed(), in_time, "main", is_degraded=False) is None
    assert status_of(Next.GIVE_UP, owed(), in_time, "main", is_degraded=False) is Status.FAILED


@pytest.mark.parametrize(
    ("times", "minutes", "may_repeat", "wanted"),
    [
        (1, 14, True, Review.WAIT),
        (1, 15, True, Review.SEND_AGAIN),
        (1, 15, False, Review.ASK),
        (2, 60, True, Review.ASK),
    ],
)
def test_a_lost_answer_is_followed_up_once(
    times: int, minutes: int, may_repeat: bool, wanted: Review
) -> None:
    now = DUE + timedelta(minutes=minutes)
    assert review(times, DUE, now, RESEND, may_repeat=may_repeat) is wanted


def test_what_nobody_has_a_note_of_is_for_people() -> None:
    assert review(0, None, DUE, RESEND, may_repeat=True) is Review.ASK

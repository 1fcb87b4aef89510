"""What follows from a send: a plain function from what came of it to the next step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from daemon.engine.verdict import retry_wait
from state.ledger.records import Obligation, Status, delivered_status
from state.records import DeliveryState

# A report is of use on its own day; when it is tried for the first time after that, it is tried so often.
DAY = timedelta(hours=24)
LEAST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of one send."""

    state: DeliveryState  # never INTENDED
    proof: str | None = None
    error: str | None = None
    retry_after: timedelta | None = None


class Next(StrEnum):
    """What is done after a send."""

    DONE = "done"  # it is proved
    NEXT_CHANNEL = "next-channel"  # this one will never take it, and there is another
    RETRY = "retry"  # known not to have arrived: later
    GIVE_UP = "give-up"  # known not to have arrived, and trying again cannot help, or its day is over
    LOOK_INTO = "look-into"  # it may have arrived


def decide(sent: Sent, obligation: Obligation, now: datetime, *, has_another: bool) -> Next:
    """What is to be done. What may have arrived is never tried on another channel."""
    if sent.state is DeliveryState.DELIVERED:
        return Next.DONE
    if sent.state is DeliveryState.UNKNOWN:
        return Next.LOOK_INTO
    if sent.state is DeliveryState.FAILED:
        return Next.NEXT_CHANNEL if has_another else Next.GIVE_UP
    return Next.RETRY if may_retry(obligation, now) else Next.GIVE_UP


def may_retry(obligation: Obligation, now: datetime) -> bool:
    """Whether there is sense in trying again: on its day always, later a few times."""
    return now < obligation.due_at + DAY or obligation.attempts < LEAST_ATTEMPTS


def retry_at(obligation: Obligation, now: datetime, asked: timedelta | None = None) -> datetime:
    """When to try again: later each time, not before the receiver asked for, and once before the deadline.

    A wait that would pass over the deadline is cut to half of what is left, but for what was asked.
    """
    wait = retry_wait(max(1, obligation.attempts))
    left = obligation.deadline_at - now
    if timedelta(0) < left < wait:
        wait = left / 2
    return now + max(wait, asked or timedelta(0))


def status_of(
    next_: Next, obligation: Obligation, now: datetime, rung: str, *, is_degraded: bool
) -> Status | None:
    """Where it leaves the obligation; None where it stays open."""
    if next_ is Next.DONE:
        # The template is no poor stand-in where no model is configured.
        return delivered_status(obligation, now, rung if is_degraded else None)
    return {Next.GIVE_UP: Status.FAILED, Next.LOOK_INTO: Status.UNKNOWN}.get(next_)


class Review(StrEnum):
    """What is done about a report of which nobody knows whether it has arrived."""

    WAIT = "wait"  # for the answer may still come
    SEND_AGAIN = "send-again"  # once, by the same id, by which the receiver drops a second copy
    ASK = "ask"  # only a person can say


def review(
    times: int, since: datetime | None, now: datetime, resend_after: timedelta, *, may_repeat: bool
) -> Review:
    """What to do about a report whose answer was lost so many times, the last time at `since`.

    `may_repeat`: a second copy by the same id shows as one.
    """
    if since is None or not may_repeat or times > 1:
        return Review.ASK
    return Review.SEND_AGAIN if now >= since + resend_after else Review.WAIT

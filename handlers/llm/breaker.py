"""When a provider is asked, when it is left alone, and for how long: values in, a named answer out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from handlers.llm.base import Trouble
from state.codec import NotJson, from_json, parse_time, time_text, to_json

FAILURES_TO_OPEN = 3  # in a row
FIRST_REST = timedelta(minutes=1)  # doubled with each opening in a row
LONGEST_DOUBLED = timedelta(minutes=15)
# A person has to do something about it; asking once an hour finds out that it has been done.
REST_FOR_A_PERSON = timedelta(hours=1)
LONGEST_REST = timedelta(hours=24)

FOR_A_PERSON = frozenset({Trouble.MONEY, Trouble.AUTH, Trouble.GONE})
AT_ONCE = FOR_A_PERSON | {Trouble.RATE}
# What says something of the provider. The rest says something of one company's data, which must not be
# able to close a provider for all.
COUNTED = AT_ONCE | {Trouble.TRANSIENT, Trouble.TIMEOUT, Trouble.INVALID}

# Shorter pauses that a provider asks for are its everyday pace, and nothing to wake anybody for.
WORTH_AN_ALERT = timedelta(minutes=5)


class Standing(StrEnum):
    """What may be done with a provider now, in the words of circuit breakers."""

    CLOSED = "closed"  # everybody may ask
    OPEN = "open"  # nobody may
    HALF_OPEN = "half-open"  # one may, and the others see what becomes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is remembered of a provider's failures."""

    failures: int = 0  # in a row
    openings: int = 0  # in a row, without an answer between them
    until: datetime | None = None  # nobody asks before; None: closed
    trouble: Trouble | None = None  # what opened it
    is_alerted: bool = False


def standing(breaker: Breaker, now: datetime) -> Standing:
    """Whether a provider may be asked now."""
    if breaker.until is None:
        return Standing.CLOSED
    # A clock that was put back must not make a rest of an hour one of a year.
    if now >= breaker.until or breaker.until - now > LONGEST_REST:
        return Standing.HALF_OPEN
    return Standing.OPEN


def after_failure(
    breaker: Breaker, trouble: Trouble, retry_after: timedelta | None, now: datetime
) -> Breaker:
    """What is remembered after one more failure; an answer that was merely no good is none."""
    if trouble not in COUNTED:
        return Breaker()
    how = standing(breaker, now)
    if how is Standing.OPEN:
        # It was asked before the door closed, and knows nothing new, unless it knows something worse.
        is_worse = trouble in FOR_A_PERSON and breaker.trouble not in FOR_A_PERSON
        return _opened(breaker, trouble, retry_after, now) if is_worse else breaker
    failures = breaker.failures + 1
    if trouble in AT_ONCE or how is Standing.HALF_OPEN or failures >= FAILURES_TO_OPEN:
        return _opened(breaker, trouble, retry_after, now)
    return replace(breaker, failures=failures)


def _opened(breaker: Breaker, trouble: Trouble, retry_after: timedelta | None, now: datetime) -> Breaker:
    rest = rest_of(trouble, breaker.openings, retry_after)
    is_news = trouble is not Trouble.RATE or rest >= WORTH_AN_ALERT or breaker.openings >= 2
    return Breaker(
        failures=breaker.failures + 1,
        openings=breaker.openings + 1,
        until=now + rest,
        trouble=trouble,
        is_alerted=breaker.is_alerted or is_news,
    )


def rest_of(trouble: Trouble, openings: int, retry_after: timedelta | None) -> timedelta:
    """How long a provider is left alone; what it asks for itself is obeyed, up to a day."""
    own = (
        REST_FOR_A_PERSON
        if trouble in FOR_A_PERSON
        else min(FIRST_REST * 2 ** min(openings, 10), LONGEST_DOUBLED)
    )
    return min(max(own, retry_after or timedelta(0)), LONGEST_REST)


def written(breaker: Breaker, identity: str) -> str:
    """The breaker as a note of the store. `identity`: of whom it speaks."""
    until = None if breaker.until is None else time_text(breaker.until)
    body = {
        "identity": identity,
        "failures": breaker.failures,
        "openings": breaker.openings,
        "until": until,
        "trouble": breaker.trouble,
        "isAlerted": breaker.is_alerted,
    }
    return to_json(body).decode()


def read(note: str | None, identity: str, now: datetime) -> Breaker:
    """The breaker that a note holds; a closed one where there is none, or where it is of somebody else.

    A key that was not taken may have been changed together with the restart: one asks at once.
    """
    try:
        body = from_json(note or "null")
        if not isinstance(body, dict) or body["identity"] != identity or body["until"] is None:
            return Breaker()
        trouble = Trouble(body["trouble"])
        until = parse_time(body["until"])
        counts = int(body["failures"]), int(body["openings"])
        is_alerted = body["isAlerted"] is True
    except (NotJson, KeyError, ValueError, TypeError):
        return Breaker()
    return Breaker(
        failures=counts[0],
        openings=counts[1],
        until=min(until, now) if trouble is Trouble.AUTH else until,
        trouble=trouble,
        is_alerted=is_alerted,
    )

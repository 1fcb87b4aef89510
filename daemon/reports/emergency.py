"""An emergency trigger as a plan: what it would do, counted before it does it, and when it has to stop.

A plan sees to it that reports are there; what has arrived is not sent again. To send again all the same
takes a second plan, which names the first: whoever forces has seen what would be doubled.
"""

import math
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from daemon.reports.asking import count_asked
from daemon.reports.calendar import DAY, Timing, excuse_for, local_date
from daemon.reports.estimating import estimate
from state.codec import parse_time
from state.ledger.base import Ledger
from state.ledger.records import DELIVERED, OPEN, Key, Obligation, Plan, Status

CANARY_SHARE = 0.05
MOST_CANARIES = 20
MOST_FAILING = 0.2
# A report takes a minute at worst, and its second channel another.
CANARY_FOR = timedelta(minutes=15)
LONGEST_DELAY = timedelta(days=1)
PAGE = 1000
ESTIMATE = "estimate"  # what it was expected to take and to cost, beside what it counts
RUN = "run"  # what the plan remembers of its own course, beside what it counts
SENT_AGAIN = DELIVERED | {Status.UNKNOWN}


class PlanRefused(Exception):
    """A plan that makes no sense; the text names the field, its value, and the next step."""


class NothingCalled(Exception):
    """There is no such company, or plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for by an emergency trigger."""

    reason: str
    owner: str
    company_id: str | None = None  # None is all of them
    day: date | None = None  # None is today: the company's, or that of the config's zone
    delay: timedelta = timedelta(0)
    force_of: str | None = None
    key: str = ""


async def draw_up(
    ledger: Ledger, wish: Wish, timing: Timing, now: datetime, *, usd_each: float | None = None
) -> Plan:
    """The plan for a wish, counted and not kept yet; `usd_each`: what one report costs, where it is known.

    Raises:
        PlanRefused, NothingCalled: there can be none.
        LedgerError: the ledger does not answer.
    """
    if not timedelta(0) <= wish.delay <= LONGEST_DELAY:
        raise PlanRefused("delayMinutes: from 0 to 1440 are taken; for later, trigger it then")
    scope = None if wish.company_id is None else (wish.company_id,)
    day = await _day_of(ledger, wish, now)
    if wish.force_of is not None:
        day = await _forced_day(ledger, wish, scope, day)
    day = day or now.astimezone(ZoneInfo(timing.zone)).date()
    if day > now.date() + DAY:
        raise PlanRefused(f"date: {day.isoformat()} has not begun anywhere; write one that has")
    await ledger.mark_due(now)
    asked = await count_asked(ledger, day, scope, timing, now)
    counts = await _counted(ledger, day, scope, asked, is_forced=wish.force_of is not None)
    expected = await estimate(ledger, counts["willSend"], now + wish.delay, now, usd_each)
    return Plan(
        id=f"plan-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}",
        reason=wish.reason,
        owner=wish.owner,
        dates=(day,),
        scope=scope,
        counts={**counts, ESTIMATE: expected.as_row()},
        created_at=now,
        starts_at=now + wish.delay,
        delay_s=wish.delay.total_seconds(),
        force_of=wish.force_of,
        key=wish.key,
    )


async def _day_of(ledger: Ledger, wish: Wish, now: datetime) -> date | None:
    """The date that is asked for, or the company's today; None where nothing was said."""
    if wish.company_id is None:
        return wish.day
    company = await ledger.company(wish.company_id)
    if company is None:
        raise NothingCalled(
            f'there is no company "{wish.company_id}"; `nightdesk companies list` shows all of them'
        )
    if wish.day is not None or wish.force_of is not None:
        return wish.day
    return local_date(company, now)


async def _forced_day(
    ledger: Ledger, wish: Wish, scope: tuple[str, ...] | None, day: date | None
) -> date | None:
    """The date of the plan that a force goes by, which has to have been for the same."""
    earlier = None if wish.force_of is None else await ledger.plan_of(wish.force_of)
    if earlier is None:
        raise PlanRefused(
            f'force: there is no plan "{wish.force_of}"; trigger without --force first, look at what it'
            " counts, and give its id"
        )
    if earlier.scope != scope or (day is not None and (day,) != earlier.dates):
        raise PlanRefused(f"force: {earlier.id} was for another company or date; give one for the same")
    return earlier.dates[0]


async def _counted(
    ledger: Ledger, day: date, scope: tuple[str, ...] | None, asked: int, *, is_forced: bool
) -> dict[str, int]:
    """`asked`: how many are owed one for the asking alone, since they were not on the roster yet."""
    if scope is None:
        statuses = (await ledger.counts(day, day)).get(day, {})
        return shares(statuses, await ledger.count_missing(day) + asked, is_forced=is_forced)
    statuses, absent = Counter[Status](), asked
    for one in scope:
        row, company = await ledger.obligation(Key(one, day)), await ledger.company(one)
        if row is not None:
            statuses[row.status] += 1
        elif company is not None and excuse_for(company, day) is None:
            absent += 1
    return shares(statuses, absent, is_forced=is_forced)


def shares(statuses: Mapping[Status, int], missing: int, *, is_forced: bool) -> dict[str, int]:
    """What a plan says it will do, by what stands in the ledger."""

    def count(wanted: Collection[Status]) -> int:
        return sum(statuses.get(status, 0) for status in wanted)

    again = count(SENT_AGAIN) if is_forced else 0
    not_due = count([Status.PLANNED])
    return {
        "willSend": count(OPEN) - not_due + count([Status.FAILED]) + missing + again,
        "alreadyDelivered": count(DELIVERED),
        "sentAgain": again,
        "excused": count([Status.EXCUSED]),
        "unknown": count([Status.UNKNOWN]),
        "notDueYet": not_due,
    }


def canaries(will_send: int) -> int:
    """How many go first: enough to learn from, few enough to apologise to."""
    return min(will_send, MOST_CANARIES, max(1, math.ceil(CANARY_SHARE * will_send)))


class Verdict(StrEnum):
    """What the first slice of a plan says about the rest."""

    WAIT = "wait"
    GO_ON = "go-on"
    STOP = "stop"


def judge(
    rows: Sequence[Obligation], attempts_before: Mapping[str, int], since: datetime, now: datetime
) -> Verdict:
    """Whether the rest may follow; what has not ended in its time has failed."""
    failed = sum(_has_failed(one, attempts_before.get(one.company_id, 0)) for one in rows)
    pending = sum(not one.status.is_final for one in rows) - sum(
        _was_given_back(one, attempts_before.get(one.company_id, 0)) for one in rows
    )
    is_over = pending == 0 or now - since >= CANARY_FOR
    if failed + (pending if is_over else 0) > MOST_FAILING * len(rows):
        return Verdict.STOP
    return Verdict.GO_ON if is_over else Verdict.WAIT


def _has_failed(one: Obligation, attempts_before: int) -> bool:
    return one.status in (Status.FAILED, Status.UNKNOWN) or _was_given_back(one, attempts_before)


def _was_given_back(one: Obligation, attempts_before: int) -> bool:
    return one.status is Status.DUE and one.attempts > attempts_before


async def rows_of(
    ledger: Ledger, plan: Plan, statuses: Collection[Status] | None = None
) -> AsyncIterator[list[Obligation]]:
    """What a plan is about, page by page."""
    for day in plan.dates:
        if plan.scope is not None:
            found = [await ledger.obligation(Key(one, day)) for one in plan.scope]
            yield [one for one in found if one is not None and (statuses is None or one.status in statuses)]
            continue
        after = ""
        while page := await ledger.obligations(day, statuses=statuses, after=after, limit=PAGE):
            yield page
            after = page[-1].company_id


def concerned(plan: Plan) -> frozenset[Status]:
    """Whose reports a plan takes up, by where they stand."""
    again = SENT_AGAIN if plan.force_of is not None else frozenset()
    return (OPEN - {Status.PLANNED}) | {Status.FAILED} | again


def plan_row(plan: Plan) -> dict[str, Any]:
    """A plan as the API and the command line answer it."""
    counts = {name: value for name, value in plan.counts.items() if name not in (RUN, ESTIMATE)}
    expected = plan.counts.get(ESTIMATE, {})
    ends_at = expected.get("endsAt")
    return {
        "planId": plan.id,
        "taskId": plan.counts.get(RUN, {}).get("taskId"),
        "state": plan.state.value,
        "counts": counts,
        "startsAt": plan.starts_at,
        "estimatedEndAt": None if ends_at is None else parse_time(ends_at),
        "estimatedCostUsd": expected.get("costUsd"),
        "reason": plan.reason,
        "owner": plan.owner,
        "dates": [day.isoformat() for day in plan.dates],
        "companies": None if plan.scope is None else list(plan.scope),
        "forceOf": plan.force_of,
        "createdAt": plan.created_at,
        "endedAt": plan.ended_at,
    }

"""Obligations planned, come due, and leased: each lease has an owner, an end, and an epoch that grows."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from state.ledger.marks import KEY, keys_given, note, refused
from state.ledger.records import Held, Key, Obligation, Status
from state.ledger.script import PASSING_OVER, Given, Query, Row, Script, as_record, columns_of, given, plain

NO_ANSWER = "the process that sent it went away before it heard the answer"
_HELD = (*KEY, ("epoch", "integer"))

_PLAN = """
INSERT INTO obligation (company_id, date, status, due_at, deadline_at, attempts, epoch, planned_at, reason,
    plan_id, roster_version, ready_at)
SELECT company_id, date, status, due_at, deadline_at, 0, 0, $1, reason, plan_id, roster_version,
    CASE WHEN status = 'planned' THEN due_at END
FROM owed WHERE true
ON CONFLICT (date, company_id) DO NOTHING RETURNING company_id"""


def plan(obligations: Sequence[Obligation], now: datetime) -> Script[int]:
    """Write what is not there yet; how many were."""
    for one in obligations:
        if one.status not in (Status.PLANNED, Status.EXCUSED):
            raise ValueError(f"{one.company_id} {one.date}: planned as {one.status.value}")
    written = yield Query(_PLAN, (now,), (given("owed", obligations, of=Obligation),))
    return len(written)


# A deadline that has passed says what was promised, and no change of the roster makes a promise of the past.
# It is asked for what is not meant: of equalities PostgreSQL thinks, until it has statistics of the table,
# that next to no row fulfils them, and then compares all that do with all that are given, one by one.
_REPLAN = """
UPDATE obligation SET status = owed.status, due_at = owed.due_at, deadline_at = owed.deadline_at,
    reason = owed.reason, roster_version = owed.roster_version,
    ready_at = CASE WHEN owed.status = 'planned' THEN owed.due_at END
FROM owed WHERE obligation.date = owed.date AND obligation.company_id = owed.company_id
    AND obligation.attempts < 1 AND obligation.status NOT IN ('leased', 'produced', 'sent', 'delivered',
        'delivered-late', 'delivered-degraded', 'unknown', 'failed')
    AND obligation.deadline_at > $1 AND owed.deadline_at > $1
    AND ((obligation.status = 'excused') <> (owed.status = 'excused')
        OR (owed.status = 'planned'
            AND (obligation.due_at <> owed.due_at OR obligation.deadline_at <> owed.deadline_at)))
RETURNING obligation.company_id, obligation.date, obligation.reason"""


def replan(obligations: Sequence[Obligation], now: datetime) -> Script[int]:
    """Bring what nobody has begun up to what is owed by now; how many were changed."""
    changed = yield Query(_REPLAN, (now,), (given("owed", obligations, of=Obligation),))
    excused = [row for row in changed if row["reason"] is not None]
    yield from note(excused, now, "obligation.excused", lambda row: str(row["reason"]))
    planned = [row for row in changed if row["reason"] is None]
    yield from note(planned, now, "obligation.replanned", lambda _: "the roster has changed")
    return len(changed)


def mark_due(now: datetime, limit: int) -> Script[int]:
    """Say of those whose time has come that it has."""
    keys = yield Query(
        "SELECT company_id, date FROM obligation WHERE ready_at <= $1 AND status = 'planned' LIMIT $2",
        (now, limit),
        keep=PASSING_OVER,
    )
    yield Query(
        "UPDATE obligation SET status = 'due' FROM wanted WHERE obligation.date = wanted.date"
        " AND obligation.company_id = wanted.company_id",
        given=(keys_given(keys),),
    )
    return len(keys)


_CLAIMABLE = """
SELECT company_id, date, status, lease_owner, lease_expires_at FROM obligation WHERE ready_at <= $1"""
_EARLIEST_FIRST = " ORDER BY deadline_at, company_id LIMIT $2"
_OF_COMPANIES = " AND company_id IN (SELECT company_id FROM of_company)"
_OF_DATES = " AND date IN (SELECT date FROM of_date)"
_OF_PLAN = " AND plan_id = $3"

_LEASE = """
UPDATE obligation SET status = 'leased', lease_owner = $1, lease_expires_at = $2, ready_at = $2,
    leased_at = $3, epoch = epoch + 1, attempts = attempts + 1, retry_at = NULL,
    first_attempt_ok = CASE WHEN attempts > 0 THEN false END
FROM wanted WHERE obligation.date = wanted.date AND obligation.company_id = wanted.company_id
RETURNING """ + ", ".join(f"obligation.{name}" for name, _ in columns_of(Obligation))

_LOSE = """
UPDATE obligation SET status = 'unknown', ready_at = NULL, lease_expires_at = NULL, error = $1,
    first_attempt_ok = CASE WHEN first_attempt_ok THEN true ELSE false END
FROM wanted WHERE obligation.date = wanted.date AND obligation.company_id = wanted.company_id"""

_LOSE_SENDS = """
UPDATE send SET state = 'unknown', ended_at = $1, error = $2
FROM wanted WHERE send.date = wanted.date AND send.company_id = wanted.company_id
    AND send.state = 'intended'"""


def claim(
    owner: str,
    now: datetime,
    lease_for: timedelta,
    limit: int,
    *,
    company_ids: Collection[str] | None,
    dates: Collection[date] | None,
    plan_id: str | None,
) -> Script[list[Obligation]]:
    """Lease what may be worked on, the earliest deadline first.

    What was sent by somebody whose lease has run out is not handed out: it may have arrived. It becomes
    `unknown`, to be looked into.
    """
    query = _claimable(now, limit, company_ids, dates, plan_id)
    taken: list[Obligation] = []
    while not taken:
        rows = yield query
        if not rows:
            break
        yield from _lose([row for row in rows if row["status"] == "sent"], now)
        workable = [row for row in rows if row["status"] != "sent"]
        if workable:
            leased = yield Query(_LEASE, (owner, now + lease_for, now), (keys_given(workable),))
            taken = [as_record(Obligation, row) for row in leased]
            expired = [row for row in workable if row["status"] in ("leased", "produced")]
            yield from note(expired, now, "lease.expired", lambda row: f"held by {row['lease_owner']}")
    return sorted(taken, key=lambda one: (one.deadline_at, one.company_id, one.date))


def _claimable(
    now: datetime,
    limit: int,
    company_ids: Collection[str] | None,
    dates: Collection[date] | None,
    plan_id: str | None,
) -> Query:
    sql, tables = _CLAIMABLE, list[Given]()
    if company_ids is not None:
        sql += _OF_COMPANIES
        tables.append(of_companies(company_ids))
    if dates is not None:
        sql += _OF_DATES
        tables.append(of_dates(dates))
    params: tuple[Any, ...] = (now, limit)
    if plan_id is not None:
        sql, params = sql + _OF_PLAN, (*params, plan_id)
    return Query(sql + _EARLIEST_FIRST, params, tuple(tables), keep=PASSING_OVER)


def of_companies(company_ids: Collection[str]) -> Given:
    """Companies as the table `of_company`."""
    return Given("of_company", KEY[:1], [{"company_id": one} for one in company_ids])


def of_dates(dates: Collection[date]) -> Given:
    """Dates as the table `of_date`."""
    return Given("of_date", KEY[1:], [{"date": plain(one)} for one in dates])


def _lose(rows: Sequence[Row], now: datetime) -> Script[None]:
    if rows:
        wanted = keys_given(rows)
        yield Query(_LOSE, (NO_ANSWER,), (wanted,))
        yield Query(_LOSE_SENDS, (now, NO_ANSWER), (wanted,))
        yield from note(rows, now, "send.unknown", lambda row: f"{NO_ANSWER}: {row['lease_owner']}")


# Whoever holds the newest lease; the parameter is its owner.
HOLDS = """ FROM held WHERE obligation.date = held.date AND obligation.company_id = held.company_id
    AND obligation.epoch = held.epoch AND obligation.lease_owner = $1"""
THESE = " RETURNING obligation.company_id, obligation.date"

_RENEW = (
    "UPDATE obligation SET lease_expires_at = $2, ready_at = $2"
    + HOLDS
    + " AND obligation.status IN ('leased', 'produced', 'sent')"
    + THESE
)


def renew(owner: str, held: Sequence[Held], now: datetime, lease_for: timedelta) -> Script[frozenset[Key]]:
    """Hold on to leases; those that were lost meanwhile."""
    rows = [{"company_id": one.company_id, "date": plain(one.date), "epoch": one.epoch} for one in held]
    kept = yield Query(_RENEW, (owner, now + lease_for), (Given("held", _HELD, rows),))
    return refused(held, kept)

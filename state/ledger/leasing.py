"""Obligations on their way: planned, leased, produced, sent; each write fenced by owner and epoch."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from state.ledger.records import (
    Held,
    Intent,
    Key,
    Obligation,
    Outcome,
    Produced,
    Release,
    Status,
)
from state.ledger.script import Given, Query, Row, Script, as_record, columns_of, given, plain

NO_ANSWER = "the process that sent it went away before it heard the answer"
_KEY = (("company_id", "text"), ("date", "date"))
_HELD = (*_KEY, ("epoch", "integer"))

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


def mark_due(now: datetime, limit: int) -> Script[int]:
    """Say of those whose time has come that it has."""
    keys = yield Query(
        "SELECT company_id, date FROM obligation WHERE ready_at <= $1 AND status = 'planned' LIMIT $2",
        (now, limit),
        locks=True,
    )
    yield Query(
        "UPDATE obligation SET status = 'due' FROM wanted WHERE obligation.date = wanted.date"
        " AND obligation.company_id = wanted.company_id AND status = 'planned'",
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
UPDATE obligation SET status = 'leased', lease_owner = $1, lease_expires_at = $2, ready_at = $2, leased_at = $3,
    epoch = epoch + 1, attempts = attempts + 1, retry_at = NULL,
    first_attempt_ok = CASE WHEN attempts > 0 THEN false END
FROM wanted WHERE obligation.date = wanted.date AND obligation.company_id = wanted.company_id
RETURNING """ + ", ".join(f"obligation.{name}" for name, _ in columns_of(Obligation))

_LOSE = """
UPDATE obligation SET status = 'unknown', ready_at = NULL, lease_expires_at = NULL, error = $1,
    first_attempt_ok = CASE WHEN first_attempt_ok THEN true ELSE false END
FROM wanted WHERE obligation.date = wanted.date AND obligation.company_id = wanted.company_id"""

_LOSE_SENDS = """
UPDATE send SET state = 'unknown', ended_at = $1, error = $2
FROM wanted WHERE send.date = wanted.date AND send.company_id = wanted.company_id AND send.state = 'intended'"""


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
    sql, params, tables = _CLAIMABLE, [now, limit], []
    if company_ids is not None:
        sql += _OF_COMPANIES
        tables.append(Given("of_company", _KEY[:1], [{"company_id": one} for one in company_ids]))
    if dates is not None:
        sql += _OF_DATES
        tables.append(Given("of_date", _KEY[1:], [{"date": plain(one)} for one in dates]))
    all_params: list[Any] = params
    if plan_id is not None:
        sql += _OF_PLAN
        all_params = [*params, plan_id]
    return Query(sql + _EARLIEST_FIRST, tuple(all_params), tuple(tables), locks=True)


def _lose(rows: Sequence[Row], now: datetime) -> Script[None]:
    if rows:
        wanted = keys_given(rows)
        yield Query(_LOSE, (NO_ANSWER,), (wanted,))
        yield Query(_LOSE_SENDS, (now, NO_ANSWER), (wanted,))
        yield from note(rows, now, "send.unknown", lambda row: f"{NO_ANSWER}: {row['lease_owner']}")


_HOLDS = """ FROM held WHERE obligation.date = held.date AND obligation.company_id = held.company_id
    AND obligation.epoch = held.epoch AND obligation.lease_owner = $1"""
_THESE = " RETURNING obligation.company_id, obligation.date"

_RENEW = (
    "UPDATE obligation SET lease_expires_at = $2, ready_at = $2"
    + _HOLDS
    + " AND obligation.status IN ('leased', 'produced', 'sent')"
    + _THESE
)


def renew(
    owner: str, held: Sequence[Held], now: datetime, lease_for: timedelta
) -> Script[frozenset[Key]]:
    """Hold on to leases; those that were lost meanwhile."""
    rows = [{"company_id": one.company_id, "date": plain(one.date), "epoch": one.epoch} for one in held]
    kept = yield Query(_RENEW, (owner, now + lease_for), (Given("held", _HELD, rows),))
    return _refused(held, kept)


_PRODUCED = (
    "UPDATE obligation SET status = 'produced', rung = held.rung, stable_id = held.stable_id,"
    " produced_at = held.at"
    + _HOLDS
    + " AND obligation.status IN ('leased', 'produced')"
    + _THESE
)


def produced(owner: str, batch: Sequence[Produced]) -> Script[frozenset[Key]]:
    """Note that reports are written; those refused."""
    kept = yield Query(_PRODUCED, (owner,), (given("held", batch, of=Produced),))
    return _refused(batch, kept)


# A report that is known to have arrived is never sent again by the same channel under the same id.
_INTEND = (
    "UPDATE obligation SET status = 'sent', sent_at = held.at, channel = held.channel"
    + _HOLDS
    + """ AND obligation.status IN ('produced', 'sent') AND obligation.stable_id = held.stable_id
    AND NOT EXISTS (SELECT 1 FROM send WHERE send.date = held.date AND send.company_id = held.company_id
        AND send.stable_id = held.stable_id AND send.channel = held.channel AND send.state = 'delivered')"""
    + _THESE
)

_INTEND_SENDS = """
INSERT INTO send (date, company_id, stable_id, channel, state, attempts, epoch, intended_at)
SELECT date, company_id, stable_id, channel, 'intended', 1, epoch, at FROM held WHERE true
ON CONFLICT (date, company_id, stable_id, channel) DO UPDATE SET
    attempts = send.attempts
        + CASE WHEN send.state = 'intended' AND send.epoch = excluded.epoch THEN 0 ELSE 1 END,
    state = 'intended', epoch = excluded.epoch, intended_at = excluded.intended_at, ended_at = NULL,
    proof = NULL, error = NULL
WHERE send.state <> 'delivered'"""


def intend_sends(owner: str, batch: Sequence[Intent]) -> Script[frozenset[Key]]:
    """Write what is about to be sent; those refused must not be."""
    kept = yield Query(_INTEND, (owner,), (given("held", batch, of=Intent),))
    refused = _refused(batch, kept)
    allowed = [one for one in batch if Key(one.company_id, one.date) not in refused]
    yield Query(_INTEND_SENDS, given=(given("held", allowed, of=Intent),))
    return refused


_SENT_AND_ENDED = """
UPDATE send SET state = held.state, ended_at = held.at, proof = held.proof, error = held.error
FROM held JOIN obligation ON obligation.date = held.date AND obligation.company_id = held.company_id
    AND obligation.epoch = held.epoch AND obligation.lease_owner = $1
WHERE send.date = held.date AND send.company_id = held.company_id AND send.stable_id = held.stable_id
    AND send.channel = held.channel AND send.epoch = held.epoch
    AND (send.state IN ('intended', 'unknown') OR send.state = held.state)
RETURNING send.company_id, send.date"""

# An outcome that is heard late is still the truth, as long as nobody has begun anew.
_END = (
    """UPDATE obligation SET status = held.status, ready_at = NULL, lease_expires_at = NULL,
    delivered_at = CASE WHEN held.state = 'delivered' THEN held.at END, channel = held.channel,
    proof = held.proof, error = held.error,
    first_attempt_ok = CASE WHEN held.state = 'delivered' AND obligation.attempts = 1
        AND obligation.first_attempt_ok IS NULL THEN true ELSE false END"""
    + _HOLDS
    + """ AND (obligation.status IN ('sent', 'unknown')
        OR (obligation.status = 'due' AND held.state = 'delivered'))"""
)


def record_outcomes(owner: str, batch: Sequence[Outcome]) -> Script[frozenset[Key]]:
    """Write what came of sends; those refused were taken over by somebody else."""
    kept = yield Query(_SENT_AND_ENDED, (owner,), (given("held", batch, of=Outcome),))
    refused = _refused(batch, kept)
    heard = [one for one in batch if Key(one.company_id, one.date) not in refused]
    ends = [one for one in heard if one.status is not None]
    if ends:
        yield Query(_END, (owner,), (given("held", ends, of=Outcome),))
    for one in heard:
        if one.state != "delivered":
            yield from note_one(one, f"send.{one.state.value}", f"{one.channel}: {one.error or 'no reason'}")
    return refused


_RELEASE = (
    """UPDATE obligation SET status = CASE WHEN held.retry_at IS NULL THEN 'failed' ELSE 'due' END,
    ready_at = held.retry_at, retry_at = held.retry_at, lease_expires_at = NULL,
    error = coalesce(held.error, obligation.error),
    attempts = obligation.attempts - CASE WHEN held.is_attempt THEN 0 ELSE 1 END,
    first_attempt_ok = CASE WHEN held.is_attempt THEN false ELSE obligation.first_attempt_ok END"""
    + _HOLDS
    + """ AND (obligation.status IN ('leased', 'produced') OR (obligation.status = 'sent'
        AND NOT EXISTS (SELECT 1 FROM send WHERE send.date = held.date AND send.company_id = held.company_id
            AND send.state IN ('intended', 'unknown') AND send.epoch = held.epoch)))"""
    + _THESE
)
_RELEASED = (
    "SELECT obligation.company_id, obligation.date FROM obligation, held WHERE obligation.date = held.date"
    " AND obligation.company_id = held.company_id AND obligation.epoch = held.epoch"
    " AND obligation.lease_owner = $1"
    " AND obligation.status = CASE WHEN held.retry_at IS NULL THEN 'failed' ELSE 'due' END"
)


def release(owner: str, batch: Sequence[Release]) -> Script[frozenset[Key]]:
    """Give leases back; those refused were not held, or a send of theirs has no outcome yet."""
    kept = yield Query(_RELEASE, (owner,), (given("held", batch, of=Release),))
    fresh = {Key(one.company_id, one.date) for one in batch} - _refused(batch, kept)
    for one in batch:
        if Key(one.company_id, one.date) in fresh and one.is_attempt:
            yield from note_one(one, "attempt.failed", one.error)
    done = yield Query(_RELEASED, (owner,), (given("held", batch, of=Release),))
    return _refused(batch, done)


_NOTE = "INSERT INTO event (date, company_id, at, event, detail) SELECT date, company_id, at, event, detail FROM noted"

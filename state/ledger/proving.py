"""Plans of emergencies, certificates, the audit, the lease of the leader, and how old rows end."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from state.codec import to_json
from state.ledger.errors import LedgerConflict
from state.ledger.marks import keys_given
from state.ledger.records import AuditEntry, Certificate, Plan, PlanState
from state.ledger.script import PASSING_OVER, Given, Query, Script, as_record, given, plain

_PUT_PLAN = """
INSERT INTO plan (id, reason, owner, dates, scope, counts, state, created_at, starts_at, delay_s, force_of,
    key, ended_at, identity)
SELECT id, reason, owner, dates, scope, counts, state, created_at, starts_at, delay_s, force_of,
    key, ended_at, $1
FROM made WHERE true ON CONFLICT DO NOTHING RETURNING id"""


def put_plan(plan: Plan) -> Script[tuple[Plan, bool]]:
    """Keep a plan, and say whether it is new; the one that was there answers for the same wish.

    Raises:
        LedgerConflict: its id belongs to a plan for something else.
    """
    same = identity(plan)
    made = yield Query(_PUT_PLAN, (same,), (given("made", [plan], of=Plan),))
    if made:
        return plan, True
    rows = yield Query("SELECT * FROM plan WHERE identity = $1", (same,))
    if not rows:
        raise LedgerConflict(f"plan {plan.id} is there already, for another reason, date or company")
    return as_record(Plan, rows[0]), False


def identity(plan: Plan) -> str:
    """What makes two plans one: the same wish, pressed twice."""
    scope = None if plan.scope is None else sorted(plan.scope)
    dates = [plain(one) for one in sorted(plan.dates)]
    return to_json([plan.reason, dates, scope, plan.force_of, plan.key]).decode()


def plan_of(plan_id: str) -> Script[Plan | None]:
    """One plan, if it is there."""
    rows = yield Query("SELECT * FROM plan WHERE id = $1", (plan_id,))
    return as_record(Plan, rows[0]) if rows else None


def plans(states: Collection[PlanState] | None, limit: int) -> Script[list[Plan]]:
    """The newest plans, of all states or some."""
    sql, tables = "SELECT * FROM plan", tuple[Given, ...]()
    if states is not None:
        sql += " WHERE state IN (SELECT state FROM of_state)"
        tables = (Given("of_state", (("state", "text"),), [{"state": one.value} for one in states]),)
    rows = yield Query(sql + " ORDER BY created_at DESC, id LIMIT $1", (limit,), tables)
    return [as_record(Plan, row) for row in rows]


_MOVE_PLAN = """
UPDATE plan SET state = $2, counts = coalesce($3, counts), ended_at = $4 WHERE id = $1
    AND state IN (SELECT state FROM of_state) RETURNING *"""


def move_plan(
    plan_id: str,
    from_: Collection[PlanState],
    to: PlanState,
    counts: Mapping[str, Any] | None,
    now: datetime,
) -> Script[Plan | None]:
    """Take a plan on, if it is in one of these states; None where it is not: somebody was faster."""
    states = Given("of_state", (("state", "text"),), [{"state": one.value} for one in from_])
    said = None if counts is None else to_json(counts).decode()
    rows = yield Query(_MOVE_PLAN, (plan_id, to, said, now if to.is_final else None), (states,))
    return as_record(Plan, rows[0]) if rows else None


_PUT_CERTIFICATE = """
INSERT INTO certificate (date, written_at, roster_version, counts, rows_hash, previous_hash, hash, body)
SELECT date, written_at, roster_version, counts, rows_hash, previous_hash, hash, body FROM made WHERE true
ON CONFLICT DO NOTHING RETURNING hash"""


def put_certificate(certificate: Certificate) -> Script[None]:
    """Keep a certificate; one of a date that has some is a newer one beside them, none is ever replaced.

    Raises:
        LedgerConflict: another one was written since the one it says was before it.
    """
    newest = yield from newest_certificate()
    if newest is not None and newest.hash == certificate.hash:
        return
    if certificate.previous_hash != (None if newest is None else newest.hash):
        raise LedgerConflict(
            f"another certificate was written before that of {certificate.date}; write it anew"
        )
    yield Query(_PUT_CERTIFICATE, given=(given("made", [certificate], of=Certificate),))


def certificate(on: date) -> Script[Certificate | None]:
    """The newest certificate of a date."""
    rows = yield Query("SELECT * FROM certificate WHERE date = $1 ORDER BY seq DESC LIMIT 1", (on,))
    return as_record(Certificate, rows[0]) if rows else None


def newest_certificate() -> Script[Certificate | None]:
    """The certificate that was written last: the next one holds its hash."""
    rows = yield Query("SELECT * FROM certificate ORDER BY seq DESC LIMIT 1")
    return as_record(Certificate, rows[0]) if rows else None


def certificates(limit: int) -> Script[list[Certificate]]:
    """The certificates that were written last, newest first: the chain."""
    rows = yield Query("SELECT * FROM certificate ORDER BY seq DESC LIMIT $1", (limit,))
    return [as_record(Certificate, row) for row in rows]


_ADD_AUDIT = """
INSERT INTO audit (at, actor, action, subject, reason, detail)
SELECT at, actor, action, subject, reason, detail FROM made"""


def add_audit(entry: AuditEntry) -> Script[None]:
    """Note who did what, and why."""
    yield Query(_ADD_AUDIT, given=(given("made", [entry], of=AuditEntry, without=("seq",)),))


def audit(before: int | None, limit: int) -> Script[list[AuditEntry]]:
    """The newest audit entries, newest first; those before a number, for the next page."""
    upper = 2**62 if before is None else before
    rows = yield Query("SELECT * FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2", (upper, limit))
    return [as_record(AuditEntry, row) for row in rows]


_LEAD = """
INSERT INTO leader (name, owner, epoch, expires_at) VALUES ($1, $2, 1, $4)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at,
    epoch = leader.epoch
        + CASE WHEN leader.owner = excluded.owner AND leader.expires_at > $3 THEN 0 ELSE 1 END
WHERE leader.owner = excluded.owner OR leader.expires_at <= $3 RETURNING epoch"""


def lead(name: str, owner: str, now: datetime, lease_for: timedelta) -> Script[int | None]:
    """Take the lead or hold on to it: the epoch of this reign, or None while another one leads."""
    rows = yield Query(_LEAD, (name, owner, now, now + lease_for))
    return int(rows[0]["epoch"]) if rows else None


def yield_lead(name: str, owner: str, now: datetime) -> Script[None]:
    """Step down, so that the next one need not wait."""
    yield Query("UPDATE leader SET expires_at = $3 WHERE name = $1 AND owner = $2", (name, owner, now))


def probe(now: datetime) -> Script[None]:
    """Write a row and read it back.

    Raises:
        LedgerConflict: another one was read.
    """
    yield Query(
        "INSERT INTO probe (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at", (now,)
    )
    rows = yield Query("SELECT at FROM probe WHERE id = 1 AND at = $1", (now,))
    if not rows:
        raise LedgerConflict("the ledger did not read back what was written")


# Whatever else is changed of an obligation is noted as an event.
_CHANGED = (
    "(obligation.planned_at >= $2 OR obligation.leased_at >= $2 OR obligation.produced_at >= $2"
    " OR obligation.sent_at >= $2 OR obligation.delivered_at >= $2)"
)

_NEXT_DATE = "SELECT min(date) AS date FROM obligation WHERE date > $1 AND date < $2"
_IS_CHANGED = f"""
SELECT 1 FROM obligation WHERE date = $1 AND {_CHANGED}
UNION ALL SELECT 1 FROM event WHERE event.date = $1 AND event.at >= $2 LIMIT 1"""


def oldest_unchanged(before: date, since: datetime) -> Script[date | None]:
    """The oldest date before one of which nothing was changed since a time.

    From date to date by the index, and no further than the first that fits: in one statement a planner
    may read all rows of all dates.
    """
    on = date.min
    while True:
        (row,) = yield Query(_NEXT_DATE, (on, before))
        day = row["date"]
        if day is None:
            return None
        on = date.fromisoformat(day) if isinstance(day, str) else day
        if not (yield Query(_IS_CHANGED, (on, since))):
            return on


_UNCHANGED_KEYS = f"""
SELECT date, company_id FROM obligation WHERE date = $1 AND {_CHANGED} IS NOT TRUE
    AND NOT EXISTS (SELECT 1 FROM event WHERE event.date = obligation.date
        AND event.company_id = obligation.company_id AND event.at >= $2)
ORDER BY company_id LIMIT $3"""


def prune(on: date, since: datetime, limit: int) -> Script[int]:
    """Delete what was not changed since of a date's obligations; so many at most, and how many."""
    rows = yield Query(_UNCHANGED_KEYS, (on, since, limit), keep=PASSING_OVER)
    if rows:
        old = keys_given(rows)
        yield Query(
            "DELETE FROM event WHERE (date, company_id) IN (SELECT date, company_id FROM wanted)", (), (old,)
        )
        yield Query(
            "DELETE FROM send WHERE (date, company_id) IN (SELECT date, company_id FROM wanted)", (), (old,)
        )
        yield Query(
            "DELETE FROM obligation WHERE (date, company_id) IN (SELECT date, company_id FROM wanted)",
            (),
            (old,),
        )
    return len(rows)

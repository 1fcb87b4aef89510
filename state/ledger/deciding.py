"""Obligations closed or opened by a decision: excused, superseded, resolved, tried anew."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import partial

from state.ledger.claiming import of_companies, of_dates
from state.ledger.marks import key_of, keys_given, note, refused, wanted
from state.ledger.records import Key, Obligation
from state.ledger.script import PASSING_OVER, Query, Row, Script, as_record, columns_of

COLUMNS = ", ".join(f"obligation.{name}" for name, _ in columns_of(Obligation))
_WANTED = " FROM wanted WHERE obligation.date = wanted.date AND obligation.company_id = wanted.company_id"
_THESE = " RETURNING obligation.company_id, obligation.date"

# The epoch grows: whoever was at work on it is refused from here on. What may have left stays.
_EXCUSE = (
    "UPDATE obligation SET status = 'excused', reason = $1, ready_at = NULL, lease_expires_at = NULL,"
    " epoch = epoch + 1"
    + _WANTED
    + " AND obligation.status IN ('planned', 'due', 'leased', 'produced', 'failed')"
    + _THESE
)

_EXCUSED = """
SELECT company_id, date FROM obligation
WHERE status = 'excused' AND (date, company_id) IN (SELECT date, company_id FROM wanted)"""


def excuse(keys: Collection[Key], reason: str, now: datetime) -> Script[frozenset[Key]]:
    """Owe these no longer, for a reason; those that are sent, delivered or not there are refused."""
    changed = yield Query(_EXCUSE, (reason,), (wanted(keys),))
    yield from note(changed, now, "obligation.excused", lambda _: reason)
    done = yield Query(_EXCUSED, given=(wanted(keys),))
    return refused(keys, done)


_OLDER = """
SELECT company_id, date, (SELECT max(newer.date) FROM obligation AS newer
    WHERE newer.company_id = obligation.company_id AND newer.due_at <= $1) AS newest
FROM obligation WHERE ready_at IS NOT NULL AND due_at <= $1 AND status IN ('planned', 'due')
    AND plan_id IS NULL AND EXISTS (SELECT 1 FROM obligation AS newer
        WHERE newer.company_id = obligation.company_id AND newer.date > obligation.date
            AND newer.due_at <= $1)
LIMIT $2"""


def supersede(now: datetime, limit: int) -> Script[int]:
    """Excuse what is still owed for a day after which a newer one has come due for the same company.

    What somebody has asked for by a plan is wanted, however old.
    """
    rows = yield Query(_OLDER, (now, limit), keep=PASSING_OVER)
    by_newest: dict[str, list[Row]] = {}
    for row in rows:
        by_newest.setdefault(str(row["newest"]), []).append(row)
    for newest, older in sorted(by_newest.items()):
        reason = f"superseded by {newest}"
        yield Query(_EXCUSE, (reason,), (keys_given(older),))
        yield from note(older, now, "obligation.excused", partial(_always, reason))
    return len(rows)


def _always(said: str, _: Row) -> str:
    return said


# What a send by the same id left unknown is settled by trying anew: the next intent writes over it.
_REOPEN = (
    "UPDATE obligation SET status = 'due', ready_at = $1, retry_at = $1, lease_expires_at = NULL"
    + _WANTED
    + " AND obligation.status IN ('failed', 'unknown')"
    + _THESE
)
# A new id, for nothing that is known as delivered is sent again under the old one.
_FORCE = (
    "UPDATE obligation SET status = 'due', ready_at = $1, retry_at = $1, lease_expires_at = NULL,"
    " stable_id = NULL, delivered_at = NULL, plan_id = $2"
    + _WANTED
    + " AND obligation.ready_at IS NULL"
    + _THESE
)


def reopen(keys: Collection[Key], now: datetime, detail: str) -> Script[frozenset[Key]]:
    """Owe again what failed or is unknown; those that now are due."""
    changed = yield Query(_REOPEN, (now,), (wanted(keys),))
    yield from note(changed, now, "obligation.reopened", lambda _: detail)
    return frozenset(key_of(row) for row in changed)


def force(keys: Collection[Key], plan_id: str, now: datetime, detail: str) -> Script[frozenset[Key]]:
    """Owe again what is closed, delivered or not, for an emergency plan; those that now are due."""
    changed = yield Query(_FORCE, (now, plan_id), (wanted(keys),))
    yield from note(changed, now, "obligation.forced", lambda _: detail)
    return frozenset(key_of(row) for row in changed)


_SAID_DELIVERED = (
    "UPDATE obligation SET status = CASE WHEN sent_at > deadline_at THEN 'delivered-late'"
    " ELSE 'delivered' END, delivered_at = $1, proof = $2, reason = $2, ready_at = NULL"
    + _WANTED
    + " AND obligation.status IN ('failed', 'unknown')"
    + _THESE
)
_SENDS_SAID_DELIVERED = """
UPDATE send SET state = 'delivered', proof = $1 FROM wanted
WHERE send.date = wanted.date AND send.company_id = wanted.company_id AND send.state = 'unknown'"""


def resolve_delivered(key: Key, now: datetime, said_by: str) -> Script[Obligation | None]:
    """A person says that it arrived; None where there was nothing to resolve."""
    said = f"resolved as delivered by {said_by}"
    changed = yield Query(_SAID_DELIVERED, (now, said), (wanted([key]),))
    if not changed:
        return None
    yield Query(_SENDS_SAID_DELIVERED, (said,), (wanted([key]),))
    yield from note(changed, now, "obligation.resolved", lambda _: said)
    return (yield from obligation(key))


def resolve_resend(key: Key, now: datetime, said_by: str) -> Script[Obligation | None]:
    """A person wants it sent again, by the same id; None where there was nothing to resolve."""
    changed = yield from reopen([key], now, f"resolved as resend by {said_by}")
    return (yield from obligation(key)) if changed else None


def obligation(key: Key) -> Script[Obligation | None]:
    """One obligation, if it is there."""
    sql = f"SELECT {COLUMNS} FROM obligation WHERE date = $1 AND company_id = $2"
    rows = yield Query(sql, (key.date, key.company_id))
    return as_record(Obligation, rows[0]) if rows else None


_UNPLANNED = """
SELECT company_id, date FROM obligation WHERE date IN (SELECT date FROM of_date) AND ready_at IS NOT NULL
    AND (plan_id IS NULL OR plan_id <> $1)"""


def bind_plan(
    plan_id: str, dates: Sequence[date], company_ids: Collection[str] | None, limit: int
) -> Script[int]:
    """Put open obligations under an emergency plan; how many were."""
    sql, tables = _UNPLANNED, [of_dates(dates)]
    if company_ids is not None:
        sql += " AND company_id IN (SELECT company_id FROM of_company)"
        tables.append(of_companies(company_ids))
    rows = yield Query(sql + " LIMIT $2", (plan_id, limit), tuple(tables), keep=PASSING_OVER)
    if rows:
        yield Query("UPDATE obligation SET plan_id = $1" + _WANTED, (plan_id,), (keys_given(rows),))
    return len(rows)

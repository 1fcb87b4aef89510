"""Companies: staged as they are read, compared and taken over in one step; nobody is ever deleted."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from state.codec import to_json
from state.ledger.records import Company, RosterChange, RosterVersion
from state.ledger.script import Given, Query, Script, as_record, columns_of, plain

# What an import that ended half-way has left is cleared away by one that comes so much later.
STALE_AFTER = timedelta(days=1)
_SAID = ("id", "name", "timezone", "recipients", "channel", "deadline", "weekdays", "active")
_STAGED = (
    *((name, kind) for name, kind in columns_of(Company) if name in _SAID),
    ("weekday_bits", "integer"),
    ("fingerprint", "text"),
)
_COLUMNS = ", ".join(name for name, _ in columns_of(Company))

_STAGE = """
INSERT INTO staged_company (import_id, staged_at, id, name, timezone, recipients, channel, deadline, weekdays,
    weekday_bits, active, fingerprint)
SELECT $1, $2, id, name, timezone, recipients, channel, deadline, weekdays, weekday_bits, active, fingerprint
FROM said WHERE true ON CONFLICT DO NOTHING RETURNING id"""


def clear_staged(import_id: str, now: datetime) -> Script[None]:
    """Forget what an import has staged, and what older ones have left."""
    yield Query(
        "DELETE FROM staged_company WHERE import_id = $1 OR staged_at < $2", (import_id, now - STALE_AFTER)
    )


def stage(import_id: str, companies: Sequence[Company], now: datetime) -> Script[int]:
    """Put companies aside for an import; how many were new to it. Of two with one id the first one counts."""
    rows = [
        {
            **{name: plain(getattr(one, name)) for name in _SAID},
            "weekday_bits": weekday_bits(one.weekdays),
            "fingerprint": fingerprint(one),
        }
        for one in companies
    ]
    return len((yield Query(_STAGE, (import_id, now), (Given("said", _STAGED, rows),))))


def weekday_bits(weekdays: Sequence[int] | None) -> int:
    """The days as bits, Monday the lowest, so that a statement can ask for one."""
    return 127 if weekdays is None else sum(1 << (day - 1) for day in set(weekdays))


def fingerprint(company: Company) -> str:
    """A hash over what an import says of a company, to tell those that changed."""
    said = to_json([plain(getattr(company, name)) for name in _SAID])
    return hashlib.sha256(said).hexdigest()[:32]


_COMPARE = """
SELECT
    (SELECT count(*) FROM staged_company AS staged WHERE import_id = $1 AND NOT EXISTS
        (SELECT 1 FROM company WHERE company.id = staged.id AND left_on IS NULL)) AS added,
    (SELECT count(*) FROM staged_company AS staged JOIN company ON company.id = staged.id
        WHERE import_id = $1 AND left_on IS NULL AND company.fingerprint <> staged.fingerprint) AS changed,
    (SELECT count(*) FROM company WHERE left_on IS NULL AND NOT EXISTS
        (SELECT 1 FROM staged_company AS staged WHERE import_id = $1 AND staged.id = company.id)) AS departed,
    (SELECT count(*) FROM company WHERE left_on IS NULL) AS present,
    (SELECT count(*) FROM staged_company WHERE import_id = $1) AS total,
    (SELECT coalesce(max(version), 0) FROM roster) AS version"""


def compare(import_id: str) -> Script[RosterChange]:
    """What taking over what is staged would change."""
    (row,) = yield Query(_COMPARE, (import_id,))
    return as_record(RosterChange, {**dict(row), "is_applied": False})


# Who comes back is owed nothing for the days between.
_TAKE_OVER = """
INSERT INTO company (id, name, timezone, recipients, channel, deadline, weekdays, weekday_bits, active,
    fingerprint, joined_on)
SELECT id, name, timezone, recipients, channel, deadline, weekdays, weekday_bits, active, fingerprint, $2
FROM staged_company WHERE import_id = $1
ON CONFLICT (id) DO UPDATE SET name = excluded.name, timezone = excluded.timezone,
    recipients = excluded.recipients, channel = excluded.channel, deadline = excluded.deadline,
    weekdays = excluded.weekdays, weekday_bits = excluded.weekday_bits, active = excluded.active,
    fingerprint = excluded.fingerprint, left_on = NULL,
    joined_on = CASE WHEN company.left_on IS NULL THEN company.joined_on ELSE excluded.joined_on END
WHERE company.fingerprint <> excluded.fingerprint OR company.left_on IS NOT NULL"""

_SEE_OFF = """
UPDATE company SET left_on = $2 WHERE left_on IS NULL AND NOT EXISTS
    (SELECT 1 FROM staged_company AS staged WHERE import_id = $1 AND staged.id = company.id)"""


def take_over(import_id: str, now: datetime, on: date, source: str) -> Script[RosterChange]:
    """Make the roster what is staged; leavers are owed nothing from `on`. Unchanged, it keeps its version."""
    change = yield from compare(import_id)
    if not (change.added or change.changed or change.departed):
        yield from clear_staged(import_id, now)
        return _applied(change, change.version)
    yield Query(_TAKE_OVER, (import_id, on))
    yield Query(_SEE_OFF, (import_id, on))
    version = change.version + 1
    counts = (change.added, change.changed, change.departed, change.total)
    yield Query("INSERT INTO roster VALUES ($1, $2, $3, $4, $5, $6, $7)", (version, now, source, *counts))
    yield from clear_staged(import_id, now)
    return _applied(change, version)


def _applied(change: RosterChange, version: int) -> RosterChange:
    return RosterChange(
        added=change.added,
        changed=change.changed,
        departed=change.departed,
        total=change.total,
        present=change.present,
        version=version,
        is_applied=True,
    )


_PAGE = f"SELECT {_COLUMNS} FROM company WHERE id > $1 ORDER BY id LIMIT $2"
_EXPECTED = "active AND joined_on <= $1 AND (left_on IS NULL OR left_on > $1) AND (weekday_bits & $2) <> 0"
_PAGE_ON = f"SELECT {_COLUMNS} FROM company WHERE {_EXPECTED} AND id > $3 ORDER BY id LIMIT $4"
_ABSENT = f"""FROM company WHERE {_EXPECTED} AND NOT EXISTS
    (SELECT 1 FROM obligation WHERE obligation.date = $1 AND obligation.company_id = company.id)"""


def companies(after: str, limit: int, on: date | None) -> Script[list[Company]]:
    """A page of the roster by id; with a date, of those expected on it."""
    query = Query(_PAGE, (after, limit)) if on is None else Query(_PAGE_ON, (*_day(on), after, limit))
    rows = yield query
    return [as_record(Company, row) for row in rows]


def missing(on: date, after: str, limit: int) -> Script[list[str]]:
    """Who is expected on a date and has no obligation for it, by id."""
    sql = f"SELECT id {_ABSENT} AND id > $3 ORDER BY id LIMIT $4"
    rows = yield Query(sql, (*_day(on), after, limit))
    return [row["id"] for row in rows]


def count_missing(on: date) -> Script[int]:
    """How many `missing` there are."""
    (row,) = yield Query(f"SELECT count(*) AS n {_ABSENT}", _day(on))
    return int(row["n"])


def _day(on: date) -> tuple[date, int]:
    return on, 1 << on.weekday()


def company(company_id: str) -> Script[Company | None]:
    """One company, present or not."""
    rows = yield Query(f"SELECT {_COLUMNS} FROM company WHERE id = $1", (company_id,))
    return as_record(Company, rows[0]) if rows else None


def set_pause(company_id: str, until: date | None, reason: str | None) -> Script[bool]:
    """Pause a company, or with no date end its pause; False where there is no such company."""
    sql = "UPDATE company SET paused_until = $2, pause_reason = $3 WHERE id = $1 RETURNING id"
    return bool((yield Query(sql, (company_id, until, reason))))


def roster_versions(limit: int) -> Script[list[RosterVersion]]:
    """The newest imports that changed something, newest first."""
    rows = yield Query("SELECT * FROM roster ORDER BY version DESC LIMIT $1", (limit,))
    return [as_record(RosterVersion, row) for row in rows]

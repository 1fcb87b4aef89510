"""Reading the ledger: pages, counts, forecasts, and the chain behind one obligation."""

from collections.abc import Collection
from datetime import date, datetime

from state.codec import parse_time
from state.ledger.deciding import COLUMNS
from state.ledger.records import Event, Key, Load, Obligation, Send, Status, Tally
from state.ledger.script import Given, Query, Script, as_record

_PAGE = f"SELECT {COLUMNS} FROM obligation WHERE date = $1 AND company_id > $2"
_OF_STATUS = " AND status IN (SELECT status FROM of_status)"


def obligations(
    on: date, statuses: Collection[Status] | None, after: str, limit: int
) -> Script[list[Obligation]]:
    """A page of a date's obligations by company, of all statuses or some."""
    sql, tables = _PAGE, tuple[Given, ...]()
    if statuses is not None:
        sql += _OF_STATUS
        tables = (Given("of_status", (("status", "text"),), [{"status": one.value} for one in statuses]),)
    rows = yield Query(sql + " ORDER BY company_id LIMIT $3", (on, after, limit), tables)
    return [as_record(Obligation, row) for row in rows]


_OPEN = f"""SELECT {COLUMNS} FROM obligation WHERE ready_at IS NOT NULL AND due_at <= $1
    AND (date, company_id) > ($2, $3) ORDER BY date, company_id LIMIT $4"""


def open_before(at: datetime, after: Key, limit: int) -> Script[list[Obligation]]:
    """A page of what came due by then and is still open, oldest date first."""
    rows = yield Query(_OPEN, (at, after.date, after.company_id, limit))
    return [as_record(Obligation, row) for row in rows]


_NEARING = f"""SELECT {COLUMNS} FROM obligation WHERE ready_at IS NOT NULL AND due_at <= $1
    AND deadline_at > $2 AND deadline_at <= $3 ORDER BY deadline_at, company_id LIMIT $4"""


def nearing(now: datetime, since: datetime, until: datetime, limit: int) -> Script[list[Obligation]]:
    """What has come due and is still open, with a deadline after one time and up to another."""
    rows = yield Query(_NEARING, (now, since, until, limit))
    return [as_record(Obligation, row) for row in rows]


_OVERDUE = """SELECT count(*) AS n FROM obligation
WHERE ready_at IS NOT NULL AND deadline_at < $1 AND date = $2"""


def count_overdue(on: date, now: datetime) -> Script[int]:
    """How much of a date is open past its deadline."""
    (row,) = yield Query(_OVERDUE, (now, on))
    return int(row["n"])


_STUCK = f"""SELECT {COLUMNS} FROM obligation WHERE ready_at IS NOT NULL AND leased_at <= $1
    AND status IN ('leased', 'produced', 'sent') ORDER BY leased_at, company_id LIMIT $2"""


def stuck(leased_before: datetime, limit: int) -> Script[list[Obligation]]:
    """What somebody has had for so long, whether or not the lease is still renewed."""
    rows = yield Query(_STUCK, (leased_before, limit))
    return [as_record(Obligation, row) for row in rows]


_COUNTS = """
SELECT date, status, count(*) AS n FROM obligation WHERE date BETWEEN $1 AND $2
GROUP BY date, status ORDER BY date, status"""


def counts(since: date, until: date) -> Script[dict[date, dict[Status, int]]]:
    """For each date that has obligations, how many stand where."""
    rows = yield Query(_COUNTS, (since, until))
    found: dict[date, dict[Status, int]] = {}
    for row in rows:
        day = row["date"]
        on = date.fromisoformat(day) if isinstance(day, str) else day
        found.setdefault(on, {})[Status(row["status"])] = int(row["n"])
    return found


# A delivery leaves no error behind: what had gone wrong before it is in the newest event that says so.
_TALLIES = """
SELECT date, status, rung, channel, first_attempt_ok, error, count(*) AS count FROM (
    SELECT date, status, rung, channel, first_attempt_ok, substr(CASE WHEN first_attempt_ok IS NOT FALSE
        THEN error ELSE coalesce(error, (SELECT CASE WHEN event = 'lease.expired'
                THEN 'the process that wrote it went away' ELSE detail END
            FROM event WHERE event.date = obligation.date AND event.company_id = obligation.company_id
                AND event IN ('attempt.failed', 'send.failed', 'send.unknown', 'lease.expired')
            ORDER BY at DESC LIMIT 1)) END, 1, 300) AS error
    FROM obligation WHERE date BETWEEN $1 AND $2) AS one
GROUP BY date, status, rung, channel, first_attempt_ok, error
ORDER BY date, count(*) DESC, status, rung, channel, error LIMIT $3"""


def tallies(since: date, until: date, limit: int) -> Script[list[Tally]]:
    """How obligations ended, counted by everything worth comparing; of each date the commonest first."""
    rows = yield Query(_TALLIES, (since, until, limit))
    return [as_record(Tally, row) for row in rows]


_LOADS = """
SELECT deadline_at, count(*) AS open, sum(CASE WHEN due_at <= $1 THEN 1 ELSE 0 END) AS due FROM obligation
WHERE ready_at IS NOT NULL AND deadline_at <= $2 GROUP BY deadline_at ORDER BY deadline_at LIMIT $3"""


def loads(now: datetime, until: datetime, limit: int) -> Script[list[Load]]:
    """What is open, by deadline, the earliest first: those before `now` are missed already."""
    rows = yield Query(_LOADS, (now, until, limit))
    return [as_record(Load, {**dict(row), "due": int(row["due"])}) for row in rows]


def delivered_since(at: datetime) -> Script[int]:
    """How many were delivered since then: the rate that a forecast goes on."""
    (row,) = yield Query("SELECT count(*) AS n FROM obligation WHERE delivered_at >= $1", (at,))
    return int(row["n"])


def deliveries(since: datetime, limit: int) -> Script[list[datetime]]:
    """When the newest deliveries were proved, the newest first: the pace at which reports are made."""
    rows = yield Query(
        "SELECT delivered_at FROM obligation WHERE delivered_at >= $1 ORDER BY delivered_at DESC LIMIT $2",
        (since, limit),
    )
    times = [row["delivered_at"] for row in rows]
    return [parse_time(it) if isinstance(it, str) else it for it in times]


def sends_of(key: Key) -> Script[list[Send]]:
    """Every message that was to leave for one obligation, in the order they were meant to."""
    rows = yield Query(
        "SELECT * FROM send WHERE date = $1 AND company_id = $2 ORDER BY intended_at, channel",
        (key.date, key.company_id),
    )
    return [as_record(Send, row) for row in rows]


def sends_on(on: date, after: str, limit: int) -> Script[list[Send]]:
    """A page of a date's messages: all those of so many companies, by company id."""
    rows = yield Query(
        "SELECT * FROM send WHERE date = $1 AND company_id IN (SELECT DISTINCT company_id FROM send"
        " WHERE date = $1 AND company_id > $2 ORDER BY company_id LIMIT $3) ORDER BY company_id, intended_at",
        (on, after, limit),
    )
    return [as_record(Send, row) for row in rows]


def events_of(key: Key) -> Script[list[Event]]:
    """The causal chain of one obligation: what its own row tells, and what was noted beside it, by time."""
    rows = yield Query(
        "SELECT * FROM event WHERE date = $1 AND company_id = $2 ORDER BY at", (key.date, key.company_id)
    )
    noted = [as_record(Event, row) for row in rows]
    found = yield Query(
        f"SELECT {COLUMNS} FROM obligation WHERE date = $1 AND company_id = $2",
        (key.date, key.company_id),
    )
    told = told_by(as_record(Obligation, found[0])) if found else []
    return sorted([*told, *noted], key=lambda event: event.at)


def told_by(obligation: Obligation) -> list[Event]:
    """What an obligation's row says happened; each time stands for the last time it did."""
    it = obligation
    lines = [
        (it.planned_at, "obligation.planned", f"roster {it.roster_version}, due {it.due_at.isoformat()}"),
        (it.leased_at, "lease.taken", f"attempt {it.attempts} by {it.lease_owner}"),
        (it.produced_at, "report.produced", f"by {it.rung}, {it.stable_id}"),
        (it.sent_at, "send.intended", f"{it.channel}"),
        (it.delivered_at, "send.delivered", f"{it.status.value} by {it.channel}: {it.proof}"),
    ]
    return [
        Event(company_id=it.company_id, date=it.date, at=at, event=event, detail=detail)
        for at, event, detail in lines
        if at is not None
    ]

"""What can be asked of runs and reports over time: those of one schedule, and how all fared by date."""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from daemon.config.problems import meant, quoted
from daemon.operations.refusals import Unknown
from daemon.operations.remembered import Remembered
from daemon.reports.rates import DAY, WEEK, ReportDays, RunDays, percent_of
from state.ledger.errors import LedgerError
from state.records import Task
from state.schema import RUN

if TYPE_CHECKING:
    from daemon.app import App

# How far back among the runs of all schedules those of one are looked for.
LOOKED_THROUGH = 100_000
MOST_DAYS = 90
FRESH_S = 2.0
PATIENCE_S = 20.0  # for the ledger: the first look at ninety dates of a hundred thousand companies

_OF_SCHEDULE = """
SELECT * FROM run WHERE schedule = ? AND seq > (SELECT coalesce(max(seq), 0) FROM run) - ?
ORDER BY seq DESC LIMIT ?"""


class RunOperations:
    """One method for each thing that can be asked."""

    def __init__(self, app: "App") -> None:
        self._app = app
        # A date more: the oldest one counts whole, whatever the zone.
        self._runs = RunDays(app.store, (MOST_DAYS + 1) * DAY)
        self._reports = None if app.ledger is None else ReportDays(app.ledger, app.clock)
        self._asked = Remembered(app.clock, self._rates, self._version, lasts_s=FRESH_S, most=MOST_DAYS)

    async def of_schedule(self, name: str, limit: int) -> list[dict[str, Any]]:
        """The newest runs of a schedule, oldest first.

        Raises:
            Unknown: there is no such schedule, and none of its runs is kept.
        """
        found = await self._app.store.read(lambda it: _of_schedule(it, name, limit))
        if not found and name not in self._app.plan.schedules:
            known = meant(name, self._app.plan.schedules)
            raise Unknown(f"there is no schedule {quoted(name)}; {known}")
        return [_row(task) for task in reversed(found)]

    async def rates(self, days: int) -> dict[str, Any]:
        """How reports and runs fared on so many dates up to today, the oldest first."""
        return await self._asked.get(days)

    def _version(self) -> object:
        app = self._app
        return app.store.generation, app.today(), None if app.ledger is None else app.ledger.changes

    async def success(self) -> dict[str, dict[str, Any]]:
        """How the runs of the last 24 hours and of 7 days fared. StoreError: they cannot be read."""
        now, zone = self._app.clock.now(), self._app.config.timezone
        spans = {"hours24": DAY, "days7": WEEK}
        found = {name: await self._runs.since(now - span, zone, now) for name, span in spans.items()}
        return {
            name: {"succeeded": it.succeeded, "failed": it.failed, "percent": it.percent}
            for name, it in found.items()
        }

    async def report_success(self, until: date) -> dict[str, dict[str, Any]]:
        """How the reports of a date, and of 7 dates up to it, fared. LedgerError: the ledger is away."""
        if self._reports is None:
            return {}
        rows = await self._reports.rows(until - 6 * DAY, until)
        return {"day1": _summed(rows[-1:]), "days7": _summed(rows)}

    async def _rates(self, days: int) -> dict[str, Any]:
        until = self._app.today()
        since = until - (days - 1) * DAY
        reports, error = await self._report_rows(since, until)
        runs = await self._runs.rows(since, until, self._app.config.timezone, self._app.clock.now())
        span = {"days": days, "from": since.isoformat(), "to": until.isoformat()}
        return {**span, "reports": reports, "runs": runs, "ledgerError": error}

    async def _report_rows(self, since: date, until: date) -> tuple[list[dict[str, Any]], str | None]:
        if self._reports is None:
            return [], None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._reports.rows(since, until), None
        except TimeoutError:
            return [], f"the ledger does not answer within {PATIENCE_S:.0f} s"
        except LedgerError as error:
            return [], str(error)


def _of_schedule(connection: sqlite3.Connection, name: str, limit: int) -> list[Task]:
    return [RUN.decode(row) for row in connection.execute(_OF_SCHEDULE, (name, LOOKED_THROUGH, limit))]


def _row(task: Task) -> dict[str, Any]:
    return {
        "startedAt": task.started_at,
        "finishedAt": task.finished_at,
        "durationS": _seconds(task.started_at, task.finished_at),
        "state": task.state.value,
        "trigger": task.trigger.value,
        "slot": task.slot,
        "error": task.error,
    }


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    if began is None or ended is None:
        return None
    return round(max(timedelta(0), ended - began).total_seconds(), 3)


def _summed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    delivered, owed = sum(it["delivered"] for it in rows), sum(it["owed"] for it in rows)
    return {"delivered": delivered, "owed": owed, "percent": percent_of(delivered, owed)}

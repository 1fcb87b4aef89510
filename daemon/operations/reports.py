"""What can be asked of reports: how they stand and why, who lacks one, and what proves it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from daemon import told
from daemon.config.problems import meant, quoted
from daemon.engine.queue import QueueFull
from daemon.operations.companies import need_anybody
from daemon.operations.refusals import Unfit, Unknown, fit_person
from daemon.operations.remembered import Remembered
from daemon.reports import certificates, resolving
from daemon.reports.calendar import DAY, local_date
from daemon.reports.causes import Account, Heard, account_of, newest_day
from daemon.reports.copies import copy_of
from daemon.reports.coverage import coverage_of, coverages, newest_date
from daemon.reports.lacking import lacking
from state.codec import as_camel, to_json
from state.database import StoreError
from state.home import Home
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Key, Obligation, Status

if TYPE_CHECKING:
    from daemon.app import App

WRITE_REPORTS = "write-reports"
ROW_FIELDS = (
    "companyId", "date", "status", "rung", "stableId", "attempts", "dueAt", "deadlineAt", "deliveredAt",
    "channel", "error", "reason",
)  # fmt: skip
MOST_MISSING = 10_000
MOST_DAYS = 366
AT_ONCE_S = 3.0  # how long the status as a whole waits for its one line of coverage
NEARBY = 1000  # company ids that a mistyped one is compared with
# Alerts of a single company, which somebody's word on its report ends.
OF_ONE_REPORT = ("report.failed", "report.unknown")

# Pages of reports that are kept as JSON, until the ledger changes: 300 kB each at the most.
LONGEST_REMEMBERED, PAGES_REMEMBERED = 1000, 32
OWN_FRESH_S, PAGE_FRESH_S = 30.0, 2.0

Enqueue = Callable[[str, Mapping[str, Any], str | None, float], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of a date's reports by company, as JSON."""

    body: bytes
    count: int
    last: str  # the last company of it
    total: int  # how many there are in all


class ReportOperations:
    """One method for each thing that can be asked of reports; `enqueue` promises a task."""

    def __init__(self, app: "App", enqueue: Enqueue) -> None:
        self._app = app
        self._enqueue = enqueue
        # What others write into a shared ledger is not counted here; into the embedded one nobody else does.
        is_own = app.ledger is not None and app.ledger.name == "sqlite"
        lasts_s = OWN_FRESH_S if is_own else PAGE_FRESH_S
        self._pages = Remembered(
            app.clock, self._encoded, self._changes, lasts_s=lasts_s, most=PAGES_REMEMBERED
        )

    async def listing(
        self, on: date | None, status: str | None, after: str = "", limit: int = 100
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of a date's reports by company, from the one after `after` on; and how many there are.

        Raises:
            Unfit: there is no such status.
        """
        ledger, on = self._ledger, await self._day(on)
        wanted = None if status is None else [_known_status(status)]
        rows = await ledger.obligations(on, statuses=wanted, after=after, limit=limit)
        counts = (await ledger.counts(on, on)).get(on, {})
        total = sum(count for one, count in counts.items() if wanted is None or one in wanted)
        return [_row(one) for one in rows], total

    async def page(self, on: date | None, status: str | None, after: str, limit: int) -> Page:
        """What `listing` gives, as JSON; a page that is asked for again and again is made once."""
        wanted = (on, status, after, limit)
        return await (self._pages.get(wanted) if limit <= LONGEST_REMEMBERED else self._encoded(wanted))

    async def _encoded(self, wanted: tuple[date | None, str | None, str, int]) -> Page:
        rows, total = await self.listing(*wanted)
        last = str(rows[-1]["companyId"]) if rows else ""
        return Page(body=to_json(rows), count=len(rows), last=last, total=total)

    def _changes(self) -> object:
        return self._ledger.changes

    async def missing(
        self, on: date | None, after: str = "", limit: int = MOST_MISSING
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of those who have no report of a date and should, from the one after `after` on; how many.

        They were never planned, are too late, failed or unknown; by company.
        """
        ledger, on, now = self._ledger, await self._day(on), self._app.clock.now()
        found = await lacking(ledger, on, now, after=after, limit=limit)
        covered = await coverage_of(ledger, on, now)
        rows = [
            _absent_row(it.company_id, on) if it.obligation is None else _row(it.obligation) for it in found
        ]
        return rows, covered.unknown + covered.failed + covered.missing

    async def show(self, company_id: str, on: date | None) -> dict[str, Any]:
        """One report: its row, why it stands as it does, and the copy that was kept. Raises as `why`."""
        account = await self._account(company_id, on)
        copy = await copy_of(self._app.home.logs, company_id, account.date)
        row = {} if account.obligation is None else _row(account.obligation)
        return {
            "companyId": company_id,
            "date": account.date.isoformat(),
            **row,
            "status": account.ending.status,
            "why": account.line,
            "advice": account.ending.advice,
            "report": None if copy is None else copy.body,
            "text": None if copy is None else copy.text,
        }

    async def why(self, company_id: str, on: date | None) -> dict[str, Any]:
        """Why a company's day stands as it does, link by link; without a date, the newest that is due.

        Raises:
            Unknown: there never was such a company.
        """
        return (await self._account(company_id, on)).as_row()

    async def coverage(self, on: date | None) -> dict[str, Any]:
        """The coverage of a date, or of the newest of which something has come due."""
        on = await self._day(on)
        return (await coverage_of(self._ledger, on, self._app.clock.now())).as_row()

    async def percent_now(self) -> float | None:
        """The percentage of the newest date that is due; None where the ledger does not tell it at once."""
        counted = self._app.reports.coverage
        if counted is None:
            return None
        if (known := counted.at_hand()) is not None:
            return known[0].percent
        try:
            async with asyncio.timeout(AT_ONCE_S):
                return (await counted.get()).percent
        except (LedgerError, TimeoutError):
            return None

    async def coverages(self, on: date | None, days: int) -> list[dict[str, Any]]:
        """The coverage of so many dates up to one, newest first."""
        on, now = await self._day(on), self._app.clock.now()
        return [it.as_row() for it in await coverages(self._ledger, on, days, now)]

    async def ensure(self, days: Sequence[date], company_id: str | None, wait_s: float = 0) -> dict[str, Any]:
        """Have those reports of the dates be made and sent that are not delivered; the task.

        Raises as `wish` does, and:
            QueueFull, StoreError: it is not promised.
        """
        return await self._enqueue(WRITE_REPORTS, await self.wish(days, company_id), None, wait_s)

    async def wish(self, days: Sequence[date], company_id: str | None) -> dict[str, Any]:
        """What the handler is told that ensures reports: of these dates, or of the newest that is due.

        Raises:
            Unfit: too many dates, or one that is not owed yet; or nobody is on the roster.
            Unknown: there is no such company.
        """
        on = list(days) or [await self._day(None)]
        newest = (self._app.clock.now() + DAY).date()
        if len(on) > MOST_DAYS:
            raise Unfit(f"dates: {len(on):,} are too many at once; up to {MOST_DAYS} are taken")
        if (last := max(on)) > newest:
            raise Unfit(f"dates: {last} is owed to nobody yet; up to {newest} can be ensured")
        args: dict[str, Any] = {"dates": [day.isoformat() for day in sorted(set(on))], "why": "ensure"}
        if company_id is None:
            await need_anybody(self._ledger)
        else:
            await self._known_company(company_id)
            args["companies"] = [company_id]
        return args

    async def resolve(self, company_id: str, on: date, as_: str, by: str) -> dict[str, Any]:
        """Take a person's word on a report that failed or is unknown: `delivered`, or `resend`.

        Raises:
            Unfit: the word is another, or the report needs none.
        """
        if as_ not in resolving.WORDS:
            raise Unfit(f"as: {quoted(as_)} is no way to resolve it; {meant(as_, resolving.WORDS)}")
        app, said_by = self._app, fit_person("by", by)
        try:
            key = Key(company_id, on)
            settled = await resolving.resolve(self._ledger, key, as_, said_by, app.clock.now())
        except resolving.NothingToResolve as error:
            raise Unfit(str(error)) from None
        for name in OF_ONE_REPORT:
            await app.alerts.resolve(name, {"company": company_id})
        task = await self._resent(key) if as_ == resolving.RESEND else None
        return {**_row(settled), "taskId": task}

    async def certify(self, on: date) -> dict[str, Any]:
        """Write the certificate of a date, and answer with it.

        Raises:
            Unfit: the date has not begun anywhere.
        """
        now = self._app.clock.now()
        if on > (now + DAY).date():
            raise Unfit(f"date: {on} has not begun; there is nothing to certify")
        made = await certificates.write(self._ledger, self._app.home, on, now)
        return dict(made.body)

    async def verify(self, on: date) -> dict[str, Any]:
        """Whether the certificate of a date holds. Unknown: there is none."""
        return await verified(self._ledger, self._app.home, on)

    async def _resent(self, key: Key) -> str | None:
        """Have it made at once; where that is not promised it is due all the same, for the sweep to find."""
        try:
            wish = await self.wish([key.date], key.company_id)
            return str((await self._enqueue(WRITE_REPORTS, wish, None, 0))["id"])
        except (Unknown, QueueFull, StoreError):
            return None

    @property
    def _ledger(self) -> Ledger:
        if self._app.ledger is None:
            raise Unfit('no reports are configured; a section "reports" in the configuration does it')
        return self._app.ledger

    async def _day(self, on: date | None) -> date:
        """The date that is meant: as asked, else the newest that has come due, else today."""
        now = self._app.clock.now()
        today = now.astimezone(ZoneInfo(self._app.config.timezone)).date()
        return on or await newest_date(self._ledger, now) or today

    async def _account(self, company_id: str, on: date | None) -> Account:
        ledger, now = self._ledger, self._app.clock.now()
        company = await ledger.company(company_id)
        if on is None:
            zone = ZoneInfo(self._app.config.timezone)
            today = now.astimezone(zone).date() if company is None else local_date(company, now)
            on = await newest_day(ledger, company_id, today, now)
        account = await account_of(ledger, Key(company_id, on), now, self._heard(company_id))
        if account is None:
            raise await self._unknown(company_id)
        return account

    def _heard(self, company_id: str) -> list[Heard]:
        """The alerts of a company, each with how far somebody heard of it."""
        app = self._app
        found = [it for it in app.alerts.known() if it.labels.get("company") == company_id]
        known = told.Known(
            alerts={it.id: it for it in found},
            tellings={it.id: app.dispatch.tellings_of(it.id) for it in found},
            notices=app.dispatch.notices() if found else (),
        )
        rows = told.rows(found, known)
        return [Heard(alert=it, told=_told(row["told"])) for it, row in zip(found, rows, strict=True)]

    async def _known_company(self, company_id: str) -> None:
        if await self._ledger.company(company_id) is None:
            raise await self._unknown(company_id)

    async def _unknown(self, company_id: str) -> Unknown:
        near = [it.id for it in await self._ledger.companies(limit=NEARBY)]
        return Unknown(f"no company {quoted(company_id)} was ever on the roster; {meant(company_id, near)}")


async def verified(ledger: certificates.Proved, home: Home, on: date) -> dict[str, Any]:
    """Whether the certificate of a date holds against a ledger. Unknown: there is none."""
    verdict = await certificates.verify(ledger, home, on)
    if verdict is None:
        raise Unknown(f"there is no certificate of {on}; `nightdesk certificate write {on}` writes it")
    return verdict.as_row()


def _row(one: Obligation) -> dict[str, Any]:
    shown = as_camel(one)
    return {name: shown[name] for name in ROW_FIELDS}


def _absent_row(company_id: str, on: date) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(ROW_FIELDS)
    reason = "on the roster, but nothing was planned"
    found = {"companyId": company_id, "date": on.isoformat(), "status": "missing", "attempts": 0}
    return {**row, **found, "reason": reason}


def _known_status(name: str) -> Status:
    if name not in list(Status):
        raise Unfit(f"status: {quoted(name)} is none; {meant(name, [it.value for it in Status])}")
    return Status(name)


def _told(row: Mapping[str, Any] | None) -> str | None:
    """How far an alert was heard: "delivered to oncall by slack", "muted: no route takes it"."""
    if row is None:
        return None
    who = f" to {row['receiver']}" if row["receiver"] else ""
    how = f" by {row['channel']}" if row["channel"] else ""
    why = f": {row['reason']}" if row["reason"] else ""
    return f"{row['state']}{who}{how}{why}"

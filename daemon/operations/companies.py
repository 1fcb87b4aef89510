"""What can be asked of the roster: who is on it, taking over another one, pausing a company."""

from collections.abc import Collection
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, BinaryIO

from daemon.config.problems import nearest, quoted
from daemon.operations.refusals import Unfit, Unknown, fit_person, fit_reason
from daemon.reports.calendar import Timing, local_date, timing_of
from daemon.reports.planner import REFUSED, SHRUNK, Planner, plan_one, plan_since, tell_of_shrinking
from daemon.reports.roster import Imported, import_roster
from daemon.reports.roster_file import RosterUnreadable
from state.codec import as_camel
from state.ledger.errors import LedgerError
from state.ledger.records import AuditEntry, Company

if TYPE_CHECKING:
    from daemon.app import App
    from state.ledger.base import Ledger

PAGE = 1000


class CompanyOperations:
    """One method for each thing that can be asked of the roster; each raises `LedgerError` too."""

    def __init__(self, app: "App") -> None:
        self._app = app

    async def listing(self, after: str, limit: int, *, is_all: bool = False) -> list[dict[str, Any]]:
        """A page of the roster by id, from behind `after` on; with all of them, those too who left."""
        rows: list[Company] = []
        while len(rows) < limit and (page := await self._ledger.companies(after=after, limit=PAGE)):
            after = page[-1].id
            rows += [it for it in page if is_all or it.left_on is None]
        return [as_camel(it) for it in rows[:limit]]

    async def import_roster(
        self,
        file: BinaryIO,
        source: str,
        by: str,
        *,
        is_confirmed: bool = False,
        is_trial: bool = False,
    ) -> dict[str, Any]:
        """Make the roster what an open file says, and plan for it; what came of it, with the bad rows.

        Raises:
            Unfit: no row of it can be read.
        """
        app, who = self._app, fit_person("by", by)
        # First by the roster as it is: what it owed while no daemon ran must not be taken for new.
        await plan_since(self._ledger, app.store, self._timing, app.clock.now(), is_full=False)
        try:
            done = await import_roster(
                self._ledger,
                file,
                source=source,
                channels=app.config.channels,
                now=app.clock.now(),
                is_confirmed=is_confirmed,
                is_trial=is_trial,
            )
        except RosterUnreadable as error:
            raise Unfit(f"{source}: {error}") from None
        if done.change.is_applied:
            # Should the ledger go away in the midst of what follows, the planner does it.
            app.reports.roster_changed()
            await self._note("roster.imported", source, who, None, _counts(done))
            await plan_since(self._ledger, app.store, self._timing, app.clock.now(), is_full=True)
            await app.alerts.resolve(SHRUNK)
            if not done.refused:
                await app.alerts.resolve(REFUSED)
        elif done.is_shrinking and not is_trial:
            # Whoever imports every night by a script is not there to read the answer.
            await tell_of_shrinking(app.alerts, source, done.change)
        refused = [{"line": it.line, "reason": it.reason} for it in done.refusals]
        return {**_counts(done), "refused": refused}

    async def take_file(self) -> None:
        """Take over the roster's file where it is new, and plan: what a start of the daemon does first.

        For what is done where none runs, and has to know who is owed a report. A file that cannot be taken
        is an alert, and the roster stays as it was; that the ledger is away is told by what comes next.
        """
        planner = next((it for it in self._app.parts if isinstance(it, Planner)), None)
        if planner is not None:
            with suppress(LedgerError):
                await planner.catch_up()

    async def pause(self, company_id: str, until: str, reason: str, by: str) -> dict[str, Any]:
        """Owe a company nothing before a date, the first that is served again.

        Raises:
            Unknown: there is no such company.
            Unfit: the date is none, or not ahead of the company's own; or there is no reason.
        """
        who, why = fit_person("by", by), fit_reason(reason, "no report came")
        company = await self._known(company_id)
        end, today = _date(until), local_date(company, self._app.clock.now())
        if end <= today:
            raise Unfit(f"until: {end} is not after today, which is {today} in {company.timezone}")
        await self._ledger.pause(company_id, end, why)
        return await self._changed(company_id, "company.paused", who, why, {"until": end})

    async def resume(self, company_id: str, by: str) -> dict[str, Any]:
        """End a pause; what is still ahead is owed again. Unknown: there is no such company."""
        who = fit_person("by", by)
        await self._known(company_id)
        await self._ledger.resume(company_id)
        return await self._changed(company_id, "company.resumed", who, None, {})

    async def _changed(
        self, company_id: str, action: str, by: str, reason: str | None, detail: dict[str, Any]
    ) -> dict[str, Any]:
        await self._note(action, company_id, by, reason, detail)
        company = await self._known(company_id)
        await plan_one(self._ledger, company, self._timing, self._app.clock.now())
        return as_camel(company)

    async def _note(
        self, action: str, subject: str, by: str, reason: str | None, detail: dict[str, Any]
    ) -> None:
        now = self._app.clock.now()
        entry = AuditEntry(at=now, actor=by, action=action, subject=subject, reason=reason, detail=detail)
        await self._ledger.add_audit(entry)

    async def _known(self, company_id: str) -> Company:
        company = await self._ledger.company(company_id)
        if company is not None:
            return company
        first = [it.id for it in await self._ledger.companies(limit=PAGE)]
        raise Unknown(f"there is no company {quoted(company_id)}; {_meant(company_id, first)}")

    @property
    def _ledger(self) -> "Ledger":
        if self._app.ledger is None:
            raise Unfit('no reports are configured, so there is no roster; add "reports" to the config')
        return self._app.ledger

    @property
    def _timing(self) -> Timing:
        return timing_of(self._app.config)


async def need_anybody(ledger: "Ledger") -> None:
    """See that there is somebody to make reports for. Unfit: nobody ever was on the roster."""
    if not await ledger.companies(limit=1):
        raise Unfit("nobody is on the roster yet; `nightdesk companies import FILE` brings companies")


def _counts(done: Imported) -> dict[str, Any]:
    change = done.change
    return {
        "applied": change.is_applied,
        "added": change.added,
        "changed": change.changed,
        "departed": change.departed,
        "total": change.total,
        "version": change.version,
        "kept": done.kept,
        "refusedTotal": done.refused,
        "shrinking": done.is_shrinking,
    }


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unfit(f"until: {quoted(text)} is no date; write it as 2026-12-01") from None


def _meant(company_id: str, known: Collection[str]) -> str:
    near = nearest(company_id, known)
    return "nightdesk companies list names them" if near is None else f"did you mean {quoted(near)}?"

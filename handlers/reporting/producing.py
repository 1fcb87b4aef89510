"""One report made: prose to the facts, dressed, and kept."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.clock import Clock
from daemon.gathering import Desk
from daemon.notify.base import Message
from daemon.reports.calendar import stable_id_of
from handlers.llm.base import Brief, Prose
from handlers.llm.chain import Ladder
from handlers.llm.degraded import DegradedShare
from handlers.llm.names import Names
from handlers.reporting.base import Facts, Rendered, Report
from handlers.reporting.keeping import keep, kept, kept_path
from handlers.reporting.render import Renderer
from handlers.reporting.sending import as_message
from state.home import Home
from state.ledger.base import Ledger
from state.ledger.records import Company, Obligation, Status

if TYPE_CHECKING:
    from daemon.watch.alerts import Alerts

# A report whose deadline has passed is late whatever is done; a model is still given so long.
LATE_BUDGET = timedelta(seconds=150)
# By one trip to a thread. As many as a batch: the ledger's calls that follow are then as large, and each
# of these costs a commit.
PRINTED_AT_ONCE = 100

Job = tuple[Report, Path]  # a report, and where its copy goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A report as it will be, and the prose in it with what that took."""

    report: Report
    prose: Prose


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report that lies in its folder, and the message it is sent as."""

    message: Message
    rung: str
    is_degraded: bool


class Press:
    """Makes reports, and remembers what it needs for all of them."""

    def __init__(
        self,
        ladder: Ladder,
        renderer: Renderer,
        home: Home,
        ledger: Ledger,
        alerts: "Alerts",
        clock: Clock,
    ) -> None:
        self._ladder = ladder
        self._renderer = renderer
        self._home = home
        self._ledger = ledger
        self._clock = clock
        # Always the same one: each thread keeps what its reports took of memory, and they take the most.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="report-press")
        self._printing = Desk(self._print, PRINTED_AT_ONCE)
        self._degraded = DegradedShare(alerts)
        self._expected: dict[date, int] = {}
        self._names: tuple[int, Names] | None = None

    async def lying_there(self, obligation: Obligation, company: Company) -> Written | None:
        """What an earlier attempt made and could not send: it goes out as it is, by the same id."""
        if obligation.stable_id is None or obligation.rung is None:
            return None
        found = await kept(self._home.logs, obligation.date, company.id)
        if found is None or found.body.get("stableId") != obligation.stable_id:
            return None
        if found.body.get("problem"):
            return None  # by now there may be figures
        report = Report(
            company_id=company.id,
            company_name=company.name,
            date=obligation.date,
            facts=Facts(company_id=company.id, date=obligation.date, values={}),
            prose="",
            rung=obligation.rung,
            stable_id=obligation.stable_id,
            generated_at=self._clock.now(),
        )
        return _written(report, found.rendered, is_degraded=found.body.get("isDegraded") is True)

    async def write(self, obligation: Obligation, company: Company, facts: Facts) -> Draft:
        """Write a report; it is not kept yet.

        Raises:
            LedgerError: it did not say what it knows of this report.
        """
        stable_id = await self._stable_id(obligation)
        prose = await self._ladder.write(
            Brief(
                company_id=company.id,
                company_name=company.name,
                date=obligation.date,
                facts=facts,
                others=await self._others(obligation),
            ),
            deadline=_budget_until(obligation, self._clock.now()),
        )
        now = self._clock.now()
        report = Report(
            company_id=company.id,
            company_name=company.name,
            date=obligation.date,
            facts=facts,
            prose=prose.text,
            rung=prose.rung,
            stable_id=stable_id,
            generated_at=now,
            is_late=now > obligation.deadline_at,
            is_degraded=prose.is_degraded,
        )
        return Draft(report=report, prose=prose)

    async def print(self, draft: Draft) -> Written:
        """Dress a report, and keep it.

        Raises:
            OSError: the disk took no copy.
            UnsafeId: the company's id is no name for one.
            LedgerError: it did not say how many reports the day will have.
        """
        report = draft.report
        path = kept_path(self._home.logs, report.date, report.company_id)
        rendered = await self._printing.hand_in((report, path))
        await self._degraded.count(report.date, draft.prose, await self._expected_on(report.date))
        return _written(report, rendered, is_degraded=report.is_degraded)

    async def end(self) -> None:
        """Wait for what is being printed; nothing can be after it."""
        await self._printing.end()
        self._thread.shutdown(wait=False)

    async def _print(self, jobs: Sequence[Job]) -> Sequence[Rendered | Exception]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _print_all, self._renderer, jobs)

    async def _stable_id(self, obligation: Obligation) -> str:
        """The id of this report; a new one where copies by the first were sent, and it is forced."""
        if obligation.stable_id is not None:
            return obligation.stable_id
        is_again = obligation.epoch > 1 and bool(await self._ledger.sends_of(obligation.key))
        return stable_id_of(obligation.company_id, obligation.date, obligation.epoch if is_again else 0)

    async def _expected_on(self, day: date) -> int:
        if day not in self._expected:
            counts = (await self._ledger.counts(day, day)).get(day, {})
            self._expected = {**dict(list(self._expected.items())[-3:]), day: 0}
            self._expected[day] = sum(n for status, n in counts.items() if status is not Status.EXCUSED)
        return self._expected[day]

    async def _others(self, obligation: Obligation) -> Names | None:
        """The names of all companies, which only a model has to be kept from; anew with each roster."""
        if not self._ladder.rungs:
            return None
        version = obligation.roster_version or 0
        if self._names is None or self._names[0] < version:
            names: list[str] = []
            after = ""
            while page := await self._ledger.companies(after=after):
                names += [text for one in page for text in (one.name, one.id)]
                after = page[-1].id
            self._names = (version, Names(names))
        return self._names[1]


def _print_all(renderer: Renderer, jobs: Sequence[Job]) -> Sequence[Rendered | Exception]:
    return [_printed(renderer, report, path) for report, path in jobs]


def _printed(renderer: Renderer, report: Report, path: Path) -> Rendered | Exception:
    """A report rendered and kept, or why it was not: each for itself."""
    try:
        rendered = renderer.render(report)
        keep(path, rendered)
    except Exception as error:  # whatever it is belongs to the one report
        return error
    return rendered


def _written(report: Report, rendered: Rendered, *, is_degraded: bool) -> Written:
    return Written(message=as_message(report, rendered), rung=report.rung, is_degraded=is_degraded)


def _budget_until(obligation: Obligation, now: datetime) -> datetime:
    return obligation.deadline_at if now < obligation.deadline_at else now + LATE_BUDGET

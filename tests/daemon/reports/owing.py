"""A house that owes reports: its ledger is real, its clock stands still, its parts are stepped by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from daemon.app import App
from daemon.config.reporting import ReportsSection
from daemon.reports.calendar import joining_date
from state.ledger.base import Ledger
from state.ledger.records import Company, Intent, Obligation, Outcome, Produced, Release, Status
from state.records import Alert, Task
from state.records import replace as change
from tests.contracts.ledgers import DAY, LEASE, company, intent, outcome, owed, report
from tests.house import House

DUE = datetime(2026, 11, 21, 5, tzinfo=UTC)
TODAY = date(2026, 11, 21)
WORKER = "worker"

R = TypeVar("R", Produced, Intent, Outcome)


class Office:
    """A home with a ledger, open."""

    def __init__(self, folder: Path, now: datetime = DUE) -> None:
        self.house = House(folder, now)
        self.house.config = replace(self.house.config, reports=ReportsSection())
        self.house.add_handler("write-reports")

    async def open(self) -> App:
        """Open it; no part is stepped by itself, and no task is begun."""
        app = await self.house.open()
        app.worker.let_go()
        return app

    @property
    def app(self) -> App:
        return self.house.app

    @property
    def ledger(self) -> Ledger:
        assert self.app.ledger is not None
        return self.app.ledger

    @property
    def now(self) -> datetime:
        return self.house.clock.now()

    async def roster(self, *companies: Company, ago: timedelta = 10 * DAY) -> None:
        """Have these on the roster since a while."""
        at = self.now - ago
        await self.ledger.import_companies(
            [companies], import_id="a", now=at, on=joining_date(at), source="test"
        )

    async def plan(self, *names: str, on: date = TODAY) -> None:
        """Owe these a report, due at 05:00 with two hours to the deadline."""
        await self.ledger.plan([owed(it, on) for it in names], self.now - DAY)

    async def write(
        self, *names: str, status: Status | None = Status.DELIVERED, plan_id: str | None = None
    ) -> list[Obligation]:
        """Do what a writer does, and end as said; without a status they are given back to be retried."""
        await self.ledger.mark_due(self.now)
        taken = await self.ledger.claim(
            WORKER, self.now, LEASE, 10_000, company_ids=names or None, plan_id=plan_id
        )
        if status is None:
            retry_at = self.now + timedelta(minutes=1)
            await self.ledger.release(WORKER, [_given_back(it, self.now, retry_at) for it in taken])
        elif status is Status.FAILED:
            await self.ledger.release(WORKER, [_given_back(it, self.now, None) for it in taken])
        elif status is not Status.LEASED:
            await self.ledger.produced(WORKER, [_named(report(it, self.now), it) for it in taken])
            await self.ledger.intend_sends(WORKER, [_named(intent(it, self.now), it) for it in taken])
            await self.ledger.record_outcomes(
                WORKER, [_named(outcome(it, status=status, at=self.now), it) for it in taken]
            )
        return taken

    async def standing(self, on: date = TODAY) -> dict[str, str]:
        """Where each company's report of a date stands."""
        return {it.company_id: it.status.value for it in await self.ledger.obligations(on)}

    def tasks(self, handler: str = "write-reports") -> list[Task]:
        """The tasks that wait."""
        return [it for it in self.app.store.tasks.values() if it.handler == handler]

    def alert(self, name: str) -> Alert | None:
        """The open alert of a name."""
        return next((it for it in self.app.alerts.open if it.name == name), None)


def companies(*names: str) -> Sequence[Company]:
    return [company(name, channel="log") for name in names]


def _named(record: R, one: Obligation) -> R:
    """The same by an id of this lease, as a report that is forced has a new one."""
    return change(record, stable_id=f"{one.company_id}-{one.date}-{one.epoch}")


def _given_back(one: Obligation, now: datetime, retry_at: datetime | None) -> Release:
    return Release(
        company_id=one.company_id, date=one.date, epoch=one.epoch, at=now, error="refused", retry_at=retry_at
    )

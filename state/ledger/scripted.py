"""Every call of a ledger as the script that does it; a database adds only how a script is run."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from state.ledger import claiming, deciding, looking, marks, proving, roster, sending
from state.ledger.base import Batches, Refused
from state.ledger.records import (
    AuditEntry,
    Certificate,
    Company,
    Event,
    Held,
    Intent,
    Key,
    Load,
    Obligation,
    Outcome,
    Plan,
    PlanState,
    Produced,
    Release,
    RosterChange,
    RosterVersion,
    Send,
    Status,
    Tally,
)
from state.ledger.script import Work

T = TypeVar("T")
# So many rows at most are changed in one transaction, so that none holds the others up for long.
ROWS_AT_ONCE = 2000
PAGE = 1000


class ScriptedLedger(ABC):
    """What both databases share: all of the meaning."""

    @abstractmethod
    async def _write(self, work: Work[T], *, is_long: bool = False, again: bool = True) -> T:
        """Run a script as one transaction; `again`: once more where nobody knows whether it was kept."""

    @abstractmethod
    async def _read(self, work: Work[T]) -> T:
        """Run a script that changes nothing."""

    async def _portions(self, work: Callable[[int], Work[int]]) -> int:
        """Run a bounded script until it finds less than it may change."""
        total = done = await self._write(work(ROWS_AT_ONCE))
        while done >= ROWS_AT_ONCE:
            done = await self._write(work(ROWS_AT_ONCE))
            total += done
        return total

    async def import_companies(
        self,
        batches: Batches,
        *,
        import_id: str,
        now: datetime,
        on: date,
        source: str,
        accept: Callable[[RosterChange], bool] = lambda _: True,
    ) -> RosterChange:
        await self._write(lambda: roster.clear_staged(import_id, now))
        async for batch in _each(batches):
            await self._write(partial(roster.stage, import_id, batch, now))
        change = await self._read(lambda: roster.compare(import_id))
        if accept(change):
            return await self._write(lambda: roster.take_over(import_id, now, on, source), is_long=True)
        await self._write(lambda: roster.clear_staged(import_id, now))
        return change

    async def companies(self, *, after: str = "", limit: int = PAGE, on: date | None = None) -> list[Company]:
        return await self._read(lambda: roster.companies(after, limit, on))

    async def company(self, company_id: str) -> Company | None:
        return await self._read(lambda: roster.company(company_id))

    async def pause(self, company_id: str, until: date, reason: str) -> bool:
        return await self._write(lambda: roster.set_pause(company_id, until, reason))

    async def resume(self, company_id: str) -> bool:
        return await self._write(lambda: roster.set_pause(company_id, None, None))

    async def roster_versions(self, limit: int = 20) -> list[RosterVersion]:
        return await self._read(lambda: roster.roster_versions(limit))

    async def missing(self, on: date, *, after: str = "", limit: int = PAGE) -> list[str]:
        return await self._read(lambda: roster.missing(on, after, limit))

    async def count_missing(self, on: date) -> int:
        return await self._read(lambda: roster.count_missing(on))

    async def plan(self, obligations: Sequence[Obligation], now: datetime) -> int:
        return await self._write(lambda: claiming.plan(obligations, now))

    async def replan(self, obligations: Sequence[Obligation], now: datetime) -> int:
        return await self._write(lambda: claiming.replan(obligations, now))

    async def mark_due(self, now: datetime) -> int:
        return await self._portions(lambda most: lambda: claiming.mark_due(now, most))

    async def claim(
        self,
        owner: str,
        now: datetime,
        lease_for: timedelta,
        limit: int,
        *,
        company_ids: Collection[str] | None = None,
        dates: Collection[date] | None = None,
        plan_id: str | None = None,
    ) -> list[Obligation]:
        return await self._write(
            lambda: claiming.claim(
                owner, now, lease_for, limit, company_ids=company_ids, dates=dates, plan_id=plan_id
            ),
            again=False,
        )

    async def renew(self, owner: str, held: Sequence[Held], now: datetime, lease_for: timedelta) -> Refused:
        return await self._write(lambda: claiming.renew(owner, held, now, lease_for))

    async def produced(self, owner: str, batch: Sequence[Produced]) -> Refused:
        return await self._write(lambda: sending.produced(owner, batch))

    async def intend_sends(self, owner: str, batch: Sequence[Intent]) -> Refused:
        return await self._write(lambda: sending.intend_sends(owner, batch))

    async def record_outcomes(self, owner: str, batch: Sequence[Outcome]) -> Refused:
        return await self._write(lambda: sending.record_outcomes(owner, batch))

    async def release(self, owner: str, batch: Sequence[Release]) -> Refused:
        return await self._write(lambda: sending.release(owner, batch))

    async def excuse(self, keys: Collection[Key], reason: str, now: datetime) -> Refused:
        return await self._write(lambda: deciding.excuse(keys, reason, now))

    async def supersede_older(self, now: datetime) -> int:
        return await self._portions(lambda most: lambda: deciding.supersede(now, most))

    async def reopen(self, keys: Collection[Key], now: datetime, detail: str) -> frozenset[Key]:
        return await self._write(lambda: deciding.reopen(keys, now, detail))

    async def force(self, keys: Collection[Key], plan_id: str, now: datetime, detail: str) -> frozenset[Key]:
        return await self._write(lambda: deciding.force(keys, plan_id, now, detail), again=False)

    async def bind_plan(
        self, plan_id: str, dates: Sequence[date], company_ids: Collection[str] | None = None
    ) -> int:
        return await self._portions(
            lambda most: lambda: deciding.bind_plan(plan_id, dates, company_ids, most)
        )

    async def obligation(self, key: Key) -> Obligation | None:
        return await self._read(lambda: deciding.obligation(key))

    async def obligations(
        self, on: date, *, statuses: Collection[Status] | None = None, after: str = "", limit: int = PAGE
    ) -> list[Obligation]:
        return await self._read(lambda: looking.obligations(on, statuses, after, limit))

    async def open_before(
        self, at: datetime, *, after: Key | None = None, limit: int = PAGE
    ) -> list[Obligation]:
        return await self._read(lambda: looking.open_before(at, after or _FIRST, limit))

    async def nearing(
        self, now: datetime, since: datetime, until: datetime, *, limit: int = 100
    ) -> list[Obligation]:
        return await self._read(lambda: looking.nearing(now, since, until, limit))

    async def count_overdue(self, on: date, now: datetime) -> int:
        return await self._read(lambda: looking.count_overdue(on, now))

    async def stuck(self, leased_before: datetime, *, limit: int = PAGE) -> list[Obligation]:
        return await self._read(lambda: looking.stuck(leased_before, limit))

    async def counts(self, since: date, until: date) -> Mapping[date, Mapping[Status, int]]:
        return await self._read(lambda: looking.counts(since, until))

    async def tallies(self, since: date, until: date, *, limit: int = 10_000) -> list[Tally]:
        return await self._read(lambda: looking.tallies(since, until, limit))

    async def loads(self, now: datetime, until: datetime, *, limit: int = PAGE) -> list[Load]:
        return await self._read(lambda: looking.loads(now, until, limit))

    async def delivered_since(self, at: datetime) -> int:
        return await self._read(lambda: looking.delivered_since(at))

    async def deliveries(self, since: datetime, *, limit: int = PAGE) -> list[datetime]:
        return await self._read(lambda: looking.deliveries(since, limit))

    async def sends_of(self, key: Key) -> list[Send]:
        return await self._read(lambda: looking.sends_of(key))

    async def sends_on(self, on: date, *, after: str = "", limit: int = PAGE) -> list[Send]:
        return await self._read(lambda: looking.sends_on(on, after, limit))

    async def events_of(self, key: Key) -> list[Event]:
        return await self._read(lambda: looking.events_of(key))

    async def add_events(self, events: Sequence[Event]) -> None:
        await self._write(lambda: marks.add_events(events), again=False)

    async def put_plan(self, plan: Plan) -> tuple[Plan, bool]:
        return await self._write(lambda: proving.put_plan(plan))

    async def plan_of(self, plan_id: str) -> Plan | None:
        return await self._read(lambda: proving.plan_of(plan_id))

    async def plans(self, *, states: Collection[PlanState] | None = None, limit: int = 100) -> list[Plan]:
        return await self._read(lambda: proving.plans(states, limit))

    async def move_plan(
        self,
        plan_id: str,
        from_: Collection[PlanState],
        to: PlanState,
        now: datetime,
        counts: Mapping[str, Any] | None = None,
    ) -> Plan | None:
        return await self._write(lambda: proving.move_plan(plan_id, from_, to, counts, now), again=False)

    async def put_certificate(self, certificate: Certificate) -> None:
        await self._write(lambda: proving.put_certificate(certificate))

    async def certificate(self, on: date) -> Certificate | None:
        return await self._read(lambda: proving.certificate(on))

    async def newest_certificate(self) -> Certificate | None:
        return await self._read(lambda: proving.newest_certificate())

    async def certificates(self, limit: int = 400) -> list[Certificate]:
        return await self._read(lambda: proving.certificates(limit))

    async def add_audit(self, entry: AuditEntry) -> None:
        await self._write(lambda: proving.add_audit(entry), again=False)

    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        return await self._read(lambda: proving.audit(before, limit))

    async def probe(self, now: datetime) -> None:
        await self._write(lambda: proving.probe(now))

    async def lead(self, name: str, owner: str, now: datetime, lease_for: timedelta) -> int | None:
        return await self._write(lambda: proving.lead(name, owner, now, lease_for))

    async def yield_lead(self, name: str, owner: str, now: datetime) -> None:
        await self._write(lambda: proving.yield_lead(name, owner, now))

    async def oldest_unchanged(self, before: date, since: datetime) -> date | None:
        return await self._read(lambda: proving.oldest_unchanged(before, since))

    async def prune(self, on: date, since: datetime) -> int:
        return await self._portions(lambda most: lambda: proving.prune(on, since, most))

    async def resolve(self, key: Key, as_: str, now: datetime, said_by: str) -> Obligation | None:
        if as_ not in _RESOLVE:
            raise ValueError(f"as: {as_!r} is neither {' nor '.join(_RESOLVE)}")
        return await self._write(lambda: _RESOLVE[as_](key, now, said_by), again=False)

    async def rows_of(self, on: date) -> AsyncIterator[list[Obligation]]:
        after = ""
        while page := await self.obligations(on, after=after):
            yield page
            after = page[-1].company_id


_RESOLVE = {"delivered": deciding.resolve_delivered, "resend": deciding.resolve_resend}
_FIRST = Key("", date.min)


async def _each(batches: Batches) -> AsyncIterator[Sequence[Company]]:
    if isinstance(batches, AsyncIterable):
        async for batch in batches:
            yield batch
    else:
        for batch in batches:
            yield batch

"""One run of the writer: claims what is owed, batch by batch, until there is nothing more to do now."""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from daemon.context import Services, TaskLog
from daemon.loops import repeat
from daemon.meters import NO_RUNG
from daemon.notify.notifier import LONGEST_ERROR
from daemon.notify.text import cut, one_line
from daemon.reports.ensuring import companies_of
from handlers.reporting.alarms import Alarms
from handlers.reporting.base import Facts
from handlers.reporting.delivering import Delivering
from handlers.reporting.finding import Found, find, honest
from handlers.reporting.following import may_retry, retry_at
from handlers.reporting.keeping import UnsafeId
from handlers.reporting.leases import LEASE, Leases
from handlers.reporting.producing import Written
from handlers.reporting.sending import NoRoute, routes_of
from handlers.reporting.tally import Progress, Tally
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Company, Key, Obligation, Produced, Release, Status

if TYPE_CHECKING:
    from handlers.reporting.writer import Writer

BATCH = 100
# While one batch waits for its last reports, the other goes on.
CREWS = 2
# A handler has five seconds after it was told to stop.
STOP_S = 3.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which of the reports that are owed are to be made; all of them where nothing is said."""

    dates: Collection[date] | None = None
    companies: Collection[str] | None = None
    plan_id: str | None = None


class Stopped(Exception):
    """The writer is being closed; what was not done is owed as before."""


class Run:
    """One run. Whatever ends it, nothing that it holds stays with it: it is sent, or given back."""

    def __init__(
        self, writer: "Writer", house: Services, ledger: Ledger, wish: Wish, task_log: TaskLog
    ) -> None:
        self._writer = writer
        self._house = house
        self._ledger = ledger
        self._wish = wish
        self._clock = house.clock
        self.tally = Tally()
        self.alarms = Alarms(house.alerts)
        self.leases = Leases(ledger, house.owner, house.clock)
        self._progress = Progress(self.tally, house.clock, task_log)
        self._owed: dict[Key, Obligation] = {}  # claimed, and not settled yet
        self._trouble: Exception | None = None
        self._delivering = Delivering(self, house, writer)

    async def all(self) -> Tally:
        """Work until nothing is owed now.

        Raises:
            LedgerError: the ledger failed; what was begun is given back, or its lease runs out.
            Stopped: the writer is being closed.
        """
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(repeat(self.leases, self._clock))
                crews = [group.create_task(self._crew()) for _ in range(CREWS)]
                await asyncio.wait(crews)
                renewing.cancel()
        finally:
            await self._give_back()
        if self._trouble is not None:
            raise self._trouble
        return self.tally

    def settled(self, one: Obligation) -> None:
        """It is done with, here."""
        self._owed.pop(one.key, None)
        self.leases.drop(one)
        self._progress.say()

    def stop(self, trouble: Exception) -> None:
        """Begin nothing more."""
        self._trouble = self._trouble or trouble

    @property
    def is_over(self) -> bool:
        if self._writer.is_closed:
            self.stop(Stopped("the writer is being closed"))
        return self._trouble is not None

    def is_ours(self, one: Obligation) -> bool:
        """Whether to go on with it."""
        return not self.is_over and self.leases.holds(one)

    async def _crew(self) -> None:
        while not self.is_over:
            try:
                claimed = await self._claim()
                if not claimed:
                    return
                await self._serve(claimed)
            except LedgerError as error:
                self.stop(error)

    async def _claim(self) -> list[Obligation]:
        wish = self._wish
        claimed = await self._ledger.claim(
            self._house.owner,
            self._clock.now(),
            LEASE,
            BATCH,
            company_ids=wish.companies,
            dates=wish.dates,
            plan_id=wish.plan_id,
        )
        self._owed |= {one.key: one for one in claimed}
        self.leases.take(claimed)
        self.tally.claimed += len(claimed)
        return claimed

    async def _serve(self, claimed: Sequence[Obligation]) -> None:
        """Make and send a batch; each report fails for itself."""
        companies = await companies_of(self._ledger, {one.company_id for one in claimed})
        found = await self._found(claimed)
        if self.is_over:
            return
        async with asyncio.TaskGroup() as group:
            for one in claimed:
                group.create_task(self._one(one, companies.get(one.company_id), found[one.date]))

    async def _found(self, claimed: Sequence[Obligation]) -> dict[date, Found]:
        """The facts of the batch, of each date at once."""
        by_date: dict[date, list[str]] = {}
        for one in claimed:
            by_date.setdefault(one.date, []).append(one.company_id)
        found = {}
        for day, ids in sorted(by_date.items()):
            found[day] = await find(self._writer.source, day, ids)
            if self.is_over:
                break
            if errors := found[day].errors:
                await self.alarms.source_failed(str(next(iter(errors.values()))), len(errors))
            else:
                await self.alarms.source_answers()
        return found

    async def _one(self, one: Obligation, company: Company | None, found: Found) -> None:
        try:
            if company is None:
                raise NoRoute(f"{one.company_id} is no longer in the roster")
            routes = routes_of(company, self._house.notify.channels)
            written = await self._written(one, company, found)
            if written is not None:
                await self._delivering.deliver(one, routes, written)
        except LedgerError as error:
            self.stop(error)
        except (NoRoute, UnsafeId) as error:
            await self._trying(self.give_up(one, str(error)))
        except OSError as error:
            reason = f"the copy could not be kept: {error.strerror or error}"
            await self._trying(self.put_off(one, reason))
        # Whatever one company's data brings about must not keep the others from their reports; the text
        # of an exception that nobody knows may hold anything, and goes into the log alone.
        except Exception as error:
            fields = {"company": one.company_id, "date": one.date.isoformat()}
            log.exception("report.broke", extra={"fields": fields})
            await self._trying(self.put_off(one, f"it broke ({type(error).__name__}); see the log"))

    async def _written(self, one: Obligation, company: Company, found: Found) -> Written | None:
        """Make the report, and note that it is there; None where it is put off, or lost."""
        async with self._writer.places:
            if not self.is_ours(one):
                return None
            made = await self._writer.press.lying_there(one, company)
            if made is None:
                facts = await self._facts(one, found)
                if facts is None:
                    return None
                draft = await self._writer.press.write(one, company, facts)
        # Only what may wait for a model is limited in number; the press takes a whole batch at once.
        if made is None:
            if not self.is_ours(one):
                return None
            made = await self._writer.press.print(draft)
            self.tally.written += 1
            self.tally.without_facts += draft.report.facts.problem is not None
        noted = Produced(
            company_id=one.company_id,
            date=one.date,
            epoch=one.epoch,
            rung=made.rung,
            stable_id=made.message.id,
            at=self._clock.now(),
        )
        if not await self.leases.produced(noted):
            self.lost(one)
            return None
        return made

    async def _facts(self, one: Obligation, found: Found) -> Facts | None:
        """The facts; what will not be there before the deadline is told as missing, and not waited for."""
        error = found.errors.get(one.company_id)
        if error is None:
            return found.facts[one.company_id]
        now = self._clock.now()
        if not error.is_permanent and retry_at(one, now) + self._writer.reserve < one.deadline_at:
            await self.put_off(one, str(error))
            return None
        return honest(one.company_id, one.date)

    async def put_off(self, one: Obligation, reason: str, asked: timedelta | None = None) -> None:
        """Give it back, to be tried again; or give up where that has no sense any more."""
        now = self._clock.now()
        if may_retry(one, now):
            await self.give_back(one, retry_at(one, now, asked), reason)
        else:
            await self.give_up(one, reason)

    async def give_back(
        self, one: Obligation, until: datetime, reason: str | None, *, is_attempt: bool = True
    ) -> None:
        """Leave it to whoever comes first after that time."""
        if await self.leases.release(self.release_of(one, until, reason, is_attempt=is_attempt)):
            self.tally.put_off += 1
            self.settled(one)
        else:
            self.lost(one)

    async def give_up(self, one: Obligation, reason: str) -> None:
        """End it as failed, and say so."""
        if await self.leases.release(self.release_of(one, None, reason)):
            self.tally.failed += 1
            self._house.meters.reports.add(one.rung or NO_RUNG, Status.FAILED.value)
            self.settled(one)
            await self.alarms.failed(one, reason)
        else:
            self.lost(one)

    def release_of(
        self, one: Obligation, until: datetime | None, reason: str | None, *, is_attempt: bool = True
    ) -> Release:
        """The release of it as it is now."""
        return Release(
            company_id=one.company_id,
            date=one.date,
            epoch=one.epoch,
            at=self._clock.now(),
            error=None if reason is None else cut(one_line(reason), LONGEST_ERROR),
            retry_at=until,
            is_attempt=is_attempt,
        )

    def lost(self, one: Obligation) -> None:
        """Somebody else has it now."""
        self.tally.lost += 1
        self.settled(one)

    async def _trying(self, ending: Awaitable[None]) -> None:
        """End one that went wrong; where the ledger does not take that, the lease runs out."""
        try:
            await ending
        except LedgerError as error:
            self.stop(error)

    async def _give_back(self) -> None:
        """Let what is being sent come to its end, and give back all else as if it had not been taken."""
        await self._delivering.end(STOP_S)
        now = self._clock.now()
        left = [self.release_of(one, now, None, is_attempt=False) for one in self._owed.values()]
        await self._writer.hand_back(left)
        await self.leases.end()

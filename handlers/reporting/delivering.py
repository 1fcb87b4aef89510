"""A report on its way: the intent before each send, the outcome after, and what follows from it."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from daemon.context import Services
from daemon.notify.health import Condition
from handlers.reporting.following import Next, Sent, decide, retry_at, status_of
from handlers.reporting.producing import Written
from handlers.reporting.sending import Route, send
from handlers.reporting.unknowns import is_for_people
from state.ledger.errors import LedgerError
from state.ledger.records import Intent, Obligation, Outcome, Status
from state.records import DeliveryState

if TYPE_CHECKING:
    from handlers.reporting.run import Run
    from handlers.reporting.writer import Writer

# A channel that fails is tried by one report in so long; the others need not wait for it.
PROBE = timedelta(seconds=30)
NOT_WRITTEN = "the ledger did not answer, so nothing was sent"

log = logging.getLogger(__name__)


class Delivering:
    """Sends the reports of one run. A send that has begun is not cut off by whoever waits for it."""

    def __init__(self, run: "Run", house: Services, writer: "Writer") -> None:
        self._run = run
        self._house = house
        self._writer = writer
        self._sending: set[asyncio.Task[Next | None]] = set()

    async def deliver(self, one: Obligation, routes: Sequence[Route], written: Written) -> None:
        """Send a report by the first way that takes it."""
        for number, route in enumerate(routes, 1):
            async with self._writer.channels.on(route):
                if not self._run.is_ours(one):
                    return
                if self._is_resting(route):
                    reason = f"{route.name} fails just now; it was not tried"
                    until = self._house.clock.now() + PROBE
                    await self._run.give_back(one, until, reason, is_attempt=False)
                    return
                sending = self._send(one, route, written, has_another=number < len(routes))
                next_ = await asyncio.shield(self._begun(sending))
            if next_ is not Next.NEXT_CHANNEL:
                return

    async def end(self, within_s: float) -> None:
        """Let what is being sent come to its end; what does not is cut off, and reads as unknown."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=within_s)
        left = list(self._sending)
        for task in left:
            task.cancel()
        for result in await asyncio.gather(*left, return_exceptions=True):
            if isinstance(result, Exception):
                log.warning("send.unended", extra={"fields": {"error": type(result).__name__}})

    def _begun(self, sending: Coroutine[None, None, Next | None]) -> asyncio.Task[Next | None]:
        task = asyncio.create_task(sending)
        self._sending.add(task)
        self._writer.sending.add(task)
        task.add_done_callback(self._sending.discard)
        task.add_done_callback(self._writer.sending.discard)
        return task

    def _is_resting(self, route: Route) -> bool:
        """Whether a channel fails, and has been tried just now; who may try it notes that it does."""
        health = self._house.notify.health().get(route.name)
        if health is None or health.state is not Condition.FAILING:
            return False
        now_s = self._house.clock.monotonic()
        if now_s < self._writer.probe_at_s.get(route.name, 0.0):
            return True
        self._writer.probe_at_s[route.name] = now_s + PROBE.total_seconds()
        return False

    async def _send(
        self, one: Obligation, route: Route, written: Written, *, has_another: bool
    ) -> Next | None:
        """Send once; None where it is not ours to send."""
        if not await self._intended(one, route, written):
            self._run.lost(one)
            return None
        sent = await send(route, written.message, self._house.notify, self._house.clock.now())
        now = self._house.clock.now()
        next_ = decide(sent, one, now, has_another=has_another)
        status = status_of(next_, one, now, written.rung, is_degraded=written.is_degraded)
        if not await self._recorded(one, route, written, sent, status):
            self._run.lost(one)
            return None
        if status is not None:
            self._house.meters.reports.add(written.rung, status.value)
        await self._follow(one, route, sent, next_, status)
        return next_

    async def _intended(self, one: Obligation, route: Route, written: Written) -> bool:
        intent = Intent(
            company_id=one.company_id,
            date=one.date,
            epoch=one.epoch,
            stable_id=written.message.id,
            channel=route.name,
            at=self._house.clock.now(),
        )
        try:
            return await self._run.leases.intend(intent)
        except LedgerError:
            # It may stand there all the same, and would be taken for a report that may have arrived.
            sent = Sent(state=DeliveryState.RETRYABLE, error=NOT_WRITTEN)
            release = self._run.release_of(one, self._house.clock.now(), NOT_WRITTEN)
            self._writer.unrecorded.append((self._outcome(one, route, written, sent, None), release))
            raise

    async def _recorded(
        self, one: Obligation, route: Route, written: Written, sent: Sent, status: Status | None
    ) -> bool:
        """Write what came of it; what the ledger cannot take now is kept, for it must not be forgotten."""
        outcome = self._outcome(one, route, written, sent, status)
        try:
            return await self._run.leases.outcome(outcome)
        except LedgerError:
            until = retry_at(one, outcome.at, sent.retry_after)
            release = None if status is not None else self._run.release_of(one, until, sent.error)
            self._writer.unrecorded.append((outcome, release))
            self._run.settled(one)
            raise

    def _outcome(
        self, one: Obligation, route: Route, written: Written, sent: Sent, status: Status | None
    ) -> Outcome:
        return Outcome(
            company_id=one.company_id,
            date=one.date,
            epoch=one.epoch,
            stable_id=written.message.id,
            channel=route.name,
            state=sent.state,
            at=self._house.clock.now(),
            status=status,
            proof=sent.proof,
            error=sent.error,
        )

    async def _follow(
        self, one: Obligation, route: Route, sent: Sent, next_: Next, status: Status | None
    ) -> None:
        """Draw the consequence."""
        run, now = self._run, self._house.clock.now()
        reason = sent.error or "no reason was given"
        if next_ is Next.RETRY:
            await run.give_back(one, retry_at(one, now, sent.retry_after), reason)
        if status is None:
            return
        run.tally.end(status)
        run.settled(one)
        if next_ is Next.DONE:
            await run.alarms.arrived(one.company_id)
        elif next_ is Next.GIVE_UP:
            await run.alarms.failed(one, f"{route.name}: {reason}")
        elif await is_for_people(self._writer.ledger, one, may_repeat=route.may_repeat):
            await run.alarms.unknown(one, route.name, reason)

"""The leases of a run: held on to while it works, and its fenced writes gathered into few calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from daemon.clock import Clock
from daemon.gathering import Desk
from state.ledger.base import Ledger, Refused
from state.ledger.errors import LedgerDown, LedgerError
from state.ledger.marks import Keyed
from state.ledger.records import Held, Intent, Key, Obligation, Outcome, Produced, Release

LEASE = timedelta(seconds=60)
RENEW_EVERY = timedelta(seconds=15)  # three may be missed before it runs out
RENEW_AGAIN = timedelta(seconds=2)  # after the ledger did not answer
MOST_AT_ONCE = 200  # rows of one call
DOWN_TRIES = 3  # of a call that the ledger did not answer; what it had done is not done again

T = TypeVar("T", bound=Keyed)

log = logging.getLogger(__name__)


class Leases:
    """What one run holds. `renewed` is a part for `loops.repeat`; whoever is refused has lost its lease."""

    name = "report-leases"

    def __init__(self, ledger: Ledger, owner: str, clock: Clock) -> None:
        self.woken = asyncio.Event()
        self._ledger = ledger
        self._owner = owner
        self._clock = clock
        self._held: dict[Key, int] = {}
        self._produced: Desk[Produced, bool] = _desk(lambda it: ledger.produced(owner, it))
        self._intents: Desk[Intent, bool] = _desk(lambda it: ledger.intend_sends(owner, it))
        self._outcomes: Desk[Outcome, bool] = _desk(lambda it: ledger.record_outcomes(owner, it))
        self._releases: Desk[Release, bool] = _desk(lambda it: ledger.release(owner, it))

    def take(self, claimed: Sequence[Obligation]) -> None:
        """Hold on to what was claimed."""
        self._held |= {one.key: one.epoch for one in claimed}

    def holds(self, one: Obligation) -> bool:
        """Whether nobody is known to have taken it over."""
        return self._held.get(one.key) == one.epoch

    def drop(self, one: Obligation) -> None:
        """Renew it no more."""
        if self.holds(one):
            del self._held[one.key]

    async def produced(self, one: Produced) -> bool:
        """Write that a report is there; False where the lease is lost."""
        return self._kept(one, await self._produced.hand_in(one))

    async def intend(self, one: Intent) -> bool:
        """Write that it is about to be sent; False where it must not be."""
        return self._kept(one, await self._intents.hand_in(one))

    async def outcome(self, one: Outcome) -> bool:
        """Write what came of it."""
        return await self._outcomes.hand_in(one)

    async def release(self, one: Release) -> bool:
        """Give it back."""
        return await self._releases.hand_in(one)

    async def step(self) -> datetime:
        """Hold on to all of them."""
        now = self._clock.now()
        held = [Held(key.company_id, key.date, epoch) for key, epoch in self._held.items()]
        if not held:
            return now + RENEW_EVERY
        try:
            lost = await self._ledger.renew(self._owner, held, now, LEASE)
        except LedgerError as error:
            log.warning("leases.delayed", extra={"fields": {"held": len(held), "error": str(error)}})
            return now + RENEW_AGAIN
        for key in lost:
            self._lose(key)
        return now + RENEW_EVERY

    async def end(self) -> None:
        """Wait for what is being written."""
        for desk in (self._produced, self._intents, self._outcomes, self._releases):
            await desk.end()

    def _kept(self, one: Produced | Intent, is_kept: bool) -> bool:
        if not is_kept:
            self._lose(Key(one.company_id, one.date))
        return is_kept

    def _lose(self, key: Key) -> None:
        if self._held.pop(key, None) is not None:
            fields = {"company": key.company_id, "date": key.date.isoformat()}
            log.warning("lease.lost", extra={"fields": fields})


def _desk(call: Callable[[Sequence[T]], Awaitable[Refused]]) -> Desk[T, bool]:
    """A desk for one of the ledger's calls; it answers whether a row was kept."""

    async def called(batch: Sequence[T]) -> Sequence[bool]:
        refused = await _firmly(call, batch)
        return [Key(one.company_id, one.date) not in refused for one in batch]

    return Desk(called, MOST_AT_ONCE)


async def _firmly(call: Callable[[Sequence[T]], Awaitable[Refused]], batch: Sequence[T]) -> Refused:
    """Repeat a call that had no answer: every call of a ledger may be."""
    for _ in range(DOWN_TRIES - 1):
        with suppress(LedgerDown):
            return await call(batch)
    return await call(batch)

"""The writer: what all runs share, opened once and kept open between them."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import date, datetime

from daemon.context import Services, TaskLog
from handlers.llm.chain import Ladder
from handlers.llm.opening import ladder_of
from handlers.reporting.alarms import Alarms
from handlers.reporting.base import Source
from handlers.reporting.producing import Press
from handlers.reporting.render import Renderer
from handlers.reporting.run import Run, Stopped, Wish
from handlers.reporting.sending import Places
from handlers.reporting.sources import Surroundings, open_source
from handlers.reporting.tally import Tally
from handlers.reporting.unknowns import look_into
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Outcome, Release

KEPT_AS = "reporting.writer"
CLOSE_S = 3.0  # the house gives each of what it closes five seconds


class Writer:
    """Makes and sends what is owed. Any number of runs may be at it at once: what each holds is leased."""

    def __init__(
        self, house: Services, ledger: Ledger, ladder: Ladder, source: Source | None, renderer: Renderer
    ) -> None:
        config = house.config
        assert config.reports is not None, "where there is a ledger, reports are configured"
        self.ledger = ledger
        self._house = house
        self._reports = config.reports
        self.reserve = config.llm.delivery_reserve
        self.source = source
        self.press = Press(ladder, renderer, house.home, ledger, house.alerts, house.clock)
        self.places = asyncio.Semaphore(config.reports.concurrency)
        self.channels = Places()
        self.probe_at_s: dict[str, float] = {}
        self.sending: set[asyncio.Task[object]] = set()
        # Few: with a ledger that is down no new intent is written either.
        self.unrecorded: list[tuple[Outcome, Release | None]] = []
        # What runs held when the ledger went away: else all of it would wait until the leases run out.
        self.unreleased: list[Release] = []
        self.is_closed = False

    async def work(self, wish: Wish, log: TaskLog) -> Tally:
        """Make and send what is wished for and owed now.

        Raises:
            LedgerError: the ledger failed on the way; all that was not done is owed as before.
            Stopped: the writer is being closed.
        """
        if self.is_closed:
            raise Stopped("the writer is closed")
        await self.record_rest()
        return await Run(self, self._house, self.ledger, wish, log).all()

    async def look_into_unknown(self, dates: Collection[date] = ()) -> datetime | None:
        """Do what can be done about lost answers, of the last days and of these dates.

        Answers when to look again, where there is something to wait for.

        Raises:
            LedgerError: the ledger failed.
        """
        return await look_into(
            self.ledger,
            self._house.notify.channels,
            Alarms(self._house.alerts),
            self._house.clock.now(),
            self._reports.resend_after,
            dates,
        )

    async def hand_back(self, left: Sequence[Release]) -> None:
        """Give leases back; what the ledger cannot take now, it is handed before the next run begins."""
        try:
            if left:
                await self.ledger.release(self._house.owner, left)
        except LedgerError:
            self.unreleased += left

    async def record_rest(self) -> None:
        """Write what the ledger could not take before.

        Raises:
            LedgerError: it still cannot.
        """
        while self.unrecorded:
            outcome, release = self.unrecorded[0]
            await self.ledger.record_outcomes(self._house.owner, [outcome])
            if release is not None:
                await self.ledger.release(self._house.owner, [release])
            self.unrecorded = [it for it in self.unrecorded if it[0] is not outcome]
        left, self.unreleased = self.unreleased, []
        await self.hand_back(left)

    async def close(self) -> None:
        """Begin nothing more, let what is being sent come to its end, and let go of everything."""
        self.is_closed = True
        if self.sending:
            await asyncio.wait(self.sending, timeout=CLOSE_S)
        await self.press.end()
        with suppress(LedgerError):
            await self.record_rest()
        if self.source is not None:
            await self.source.close()


async def writer_of(house: Services, ledger: Ledger) -> Writer:
    """The writer of this house, opened where it is not yet; nothing is asked by that.

    Raises:
        Misfit: the source or the templates are not fit; the message names the key.
        RuntimeError: the daemon is closing.
    """

    # Opened first, for what is kept is closed from the newest on.
    ladder = await ladder_of(house)

    async def make() -> Writer:
        # Some sources lean on libraries that take a second to load.
        source, renderer = await asyncio.to_thread(_opened, house)
        return Writer(house, ledger, ladder, source, renderer)

    return await house.kept.get(KEPT_AS, make)


def _opened(house: Services) -> tuple[Source | None, Renderer]:
    reports = house.config.reports
    assert reports is not None, "where there is a ledger, reports are configured"
    renderer = Renderer(house.folder / reports.templates if reports.templates else None)
    if reports.source is None:
        return None, renderer
    allow_private = house.config.network.allow_private
    around = Surroundings(clock=house.clock, folder=house.folder, allow_private=allow_private)
    return open_source(reports.source, around), renderer

"""The time that all reports for one deadline need without a model: no report may spend it on one."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from daemon.clock import Clock
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Load

log = logging.getLogger(__name__)

# By the template, rendered, kept and handed to a mail server, in each of the places that there are.
EACH_S = 0.25
LOOK_EVERY_S = 60.0
AHEAD = timedelta(hours=48)


class Crowd:
    """Knows how many reports are open for a deadline or an earlier one, to a minute.

    A model that has become slow may then be asked until just so much time is left that the template still
    writes all the rest: nobody is late for somebody else's prose.
    """

    def __init__(self, ledger: Ledger, clock: Clock, places: int) -> None:
        self._ledger = ledger
        self._clock = clock
        self._places = places
        self._loads: Sequence[Load] = ()
        self._looked_s: float | None = None
        self._begun = 0  # since the last look

    async def rest_s(self, deadline: datetime) -> float:
        """The seconds to keep free before a deadline for the others. Raises nothing."""
        await self._look()
        self._begun += 1
        ahead = sum(load.due for load in self._loads if load.deadline_at <= deadline)
        return max(0, ahead - self._begun) * EACH_S / self._places

    async def _look(self) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        try:
            self._loads = await self._ledger.loads(now, now + AHEAD)
        except LedgerError as error:
            # By what was known before; the report at hand will meet the fault by itself.
            log.warning("crowd.unknown", extra={"fields": {"error": str(error)}})
            return
        self._begun = 0

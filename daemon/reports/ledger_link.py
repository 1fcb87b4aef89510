"""The ledger as a link: whether it takes a row and gives it back."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from daemon.clock import Clock
from daemon.notify.base import Step
from daemon.reports.link import LinkDown
from daemon.watch.alerts import Alerts
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.records import Severity

ALERT = "database.down"
# A ledger bounds its calls itself; this is for one that waits in line behind many of them.
WITHIN_S = 15.0


class LedgerLink:
    """The ledger, which belongs to the house: closing the link leaves it open."""

    name = "database"
    alert = ALERT

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def probe(self, now: datetime) -> Mapping[str, Any]:
        """Write a row and read it back.

        Raises:
            LinkDown: it cannot, or not within 15 s.
        """
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._ledger.probe(now)
        except TimeoutError:
            raise LinkDown(f"the ledger does not answer within {WITHIN_S:.0f} s") from None
        except LedgerError as error:
            raise LinkDown(str(error)) from error
        return {"kind": self._ledger.name}

    async def steps(self, clock: Clock) -> list[Step]:
        """Whether its tables are as wanted, then a row written and read back."""
        began_s = clock.monotonic()
        try:
            async with asyncio.timeout(WITHIN_S):
                waiting = await self._ledger.migrate(clock.now(), check=True)
        except TimeoutError:
            return [_step("connect", f"no answer within {WITHIN_S:.0f} s", clock, began_s, is_ok=False)]
        except LedgerError as error:
            return [_step("connect", str(error), clock, began_s, is_ok=False)]
        said = (
            f"{len(waiting)} steps of its tables are to be taken" if waiting else "its tables are as wanted"
        )
        first = _step("connect", f"{self._ledger.name}: {said}", clock, began_s)
        began_s = clock.monotonic()
        try:
            await self.probe(clock.now())
        except LinkDown as down:
            return [first, _step("write and read", str(down), clock, began_s, is_ok=False)]
        return [first, _step("write and read", "took a row and gave it back", clock, began_s)]

    async def alarm(self, alerts: Alerts, summary: str, details: Mapping[str, Any]) -> None:
        """Alert that it is down."""
        await alerts.fire(
            ALERT,
            severity=Severity.CRITICAL,
            summary=summary,
            details=details,
            advice="nightdesk test database",
        )

    async def close(self) -> None:
        """Leave it as it is."""


def _step(name: str, detail: str, clock: Clock, began_s: float, *, is_ok: bool = True) -> Step:
    return Step(name=name, is_ok=is_ok, detail=detail, took_s=clock.monotonic() - began_s)

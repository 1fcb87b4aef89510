"""Dates that are over: sealed for good once nothing of them is open, and cleared away when they are old."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from daemon.reports.calendar import DAY
from daemon.reports.certificates import is_final, write
from state.home import Home
from state.ledger.base import Ledger
from state.ledger.records import OPEN, Certificate, Status

# A date whose reports are still open after so long keeps the certificate that it has.
LOOK_BACK = timedelta(days=7)


async def seal_the_ended(ledger: Ledger, home: Home, until: date, now: datetime) -> list[Certificate]:
    """Seal each of the last dates before `until` that has ended since its certificate, if it has one.

    A date that had ended when it was sealed is left as it was sealed: what was changed in it afterwards
    has to show, and only a person seals it anew.

    Raises:
        LedgerError: the ledger does not answer.
        OSError: the files could not be written.
    """
    made = []
    days = await ledger.counts(until - LOOK_BACK, until - DAY)
    for on in sorted(days):
        known = await ledger.certificate(on)
        if (known is None or not is_final(known)) and await _has_ended(ledger, on, days[on]):
            made.append(await write(ledger, home, on, now))
    return made


async def _has_ended(ledger: Ledger, on: date, counts: Mapping[Status, int]) -> bool:
    return not any(counts.get(status) for status in OPEN) and not await ledger.count_missing(on)


async def clear_oldest(ledger: Ledger, home: Home, kept: timedelta, now: datetime) -> date | None:
    """Delete the rows of the oldest date that has been kept so long; which that was, or None.

    Kept counts from the last change of it too: a date of long ago that somebody has asked for since goes
    no sooner, for what was sent of it must not be sent again. It is sealed first, where nobody has: so a
    certificate remains of every date there was.

    Raises:
        LedgerError, OSError: as `seal_the_ended`; what was not sealed is still there.
    """
    since = now - kept
    on = await ledger.oldest_unchanged(since.date(), since)
    if on is None:
        return None
    if await ledger.certificate(on) is None:
        await write(ledger, home, on, now)
    await ledger.prune(on, since)
    return on

"""Reports of which nobody knows whether they arrived: sent once more by the same id, or left to people."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, date, datetime, timedelta

from daemon.notify.base import Channel
from handlers.reporting.alarms import Alarms
from handlers.reporting.following import Review, review
from state.ledger.base import Ledger
from state.ledger.records import Key, Obligation, Status

LOST = "send.unknown"  # the event of an answer that did not come
LOOK_BACK, LOOK_AHEAD = timedelta(days=3), timedelta(days=1)
AGAIN = "its answer was lost; sent once more by the same id, by which the receiver drops a second copy"


async def is_for_people(ledger: Ledger, one: Obligation, *, may_repeat: bool) -> bool:
    """Whether nothing but a person's word can settle it."""
    times, since = await _lost(ledger, one.key)
    return review(times, since, since or one.due_at, timedelta(0), may_repeat=may_repeat) is Review.ASK


async def look_into(
    ledger: Ledger,
    channels: Mapping[str, Channel],
    alarms: Alarms,
    now: datetime,
    resend_after: timedelta,
    dates: Collection[date] = (),
) -> datetime | None:
    """Owe again what may be sent again by now, and tell people of the rest; when to look the next time.

    It looks at the last days, and at these dates too.
    """
    soonest: datetime | None = None
    again: list[Key] = []
    async for one in _unknown(ledger, now, dates):
        times, since = await _lost(ledger, one.key)
        channel = channels.get(one.channel or "")
        may_repeat = channel is not None and (channel.dedupes or not channel.is_delivery)
        verdict = review(times, since, now, resend_after, may_repeat=may_repeat)
        if verdict is Review.SEND_AGAIN:
            again.append(one.key)
        elif verdict is Review.ASK:
            if not alarms.has_told_unknown(one.company_id):
                await alarms.unknown(one, one.channel, one.error)
        elif since is not None:
            soonest = min(soonest or since + resend_after, since + resend_after)
    if again:
        await ledger.reopen(again, now, AGAIN)
    return soonest


async def _unknown(ledger: Ledger, now: datetime, dates: Collection[date]) -> AsyncIterator[Obligation]:
    today = now.astimezone(UTC).date()
    counts = await ledger.counts(today - LOOK_BACK, today + LOOK_AHEAD)
    recent = {day for day, by in counts.items() if by.get(Status.UNKNOWN)}
    for day in sorted(recent.union(dates)):
        after = ""
        while page := await ledger.obligations(day, statuses={Status.UNKNOWN}, after=after):
            for one in page:
                yield one
            after = page[-1].company_id


async def _lost(ledger: Ledger, key: Key) -> tuple[int, datetime | None]:
    """How many answers of it were lost, and when the last one was."""
    times = [event.at for event in await ledger.events_of(key) if event.event == LOST]
    return len(times), max(times, default=None)

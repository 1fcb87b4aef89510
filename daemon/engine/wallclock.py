"""What the clocks on the wall of a time zone show, and when they are put forward or back."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)

# No two changes of one zone's offset are closer than this: in the tz database of 2026 the two
# closest since 1940 are 6.9 days apart (Brazil in October 2000, Gaza around Ramadan in 2040).
_STRIDE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class WallClock:
    """The civil time of one zone, to the second. Instants are aware UTC, readings naive."""

    zone: ZoneInfo

    def offset(self, instant: datetime) -> timedelta:
        """How far the clock is ahead of UTC at this instant."""
        return instant.astimezone(self.zone).utcoffset() or timedelta()

    def reading(self, instant: datetime) -> tuple[datetime, int]:
        """What the clock shows, and 1 if it has shown the same before (the second pass of a doubled hour)."""
        local = instant.astimezone(self.zone)
        return local.replace(tzinfo=None, fold=0), local.fold

    def first_reaches(self, reading: datetime) -> datetime:
        """The first instant at which the clock shows this reading or a later one.

        That is the first pass of a doubled hour, and for a missing hour the end of the gap.
        """
        instant = reading.replace(tzinfo=self.zone).astimezone(UTC)
        if self.reading(instant)[0] == reading:
            return instant
        # In a gap fold=0 counts with the offset before the change, fold=1 with the one after it (PEP 495):
        # the change lies between the two instants.
        before = reading.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        return self._bisect(before, instant)

    def first_unreached(self, instant: datetime) -> datetime:
        """The earliest reading, in whole seconds, that the clock has not shown or passed by this instant."""
        local = instant.astimezone(self.zone)
        if not local.fold:
            return local.replace(tzinfo=None, microsecond=0) + SECOND
        # In the second pass: the first one got as far as the change that ended it.
        first_pass = local.replace(fold=0).astimezone(UTC)
        change = self._bisect(first_pass, instant)
        return (change + self.offset(first_pass)).replace(tzinfo=None)

    def first_change(self, after: datetime, until: datetime) -> datetime | None:
        """The first instant in (after, until] at which the offset is another one than just before."""
        low = after
        while low < until:
            high = min(low + _STRIDE, until)
            if self.offset(low) != self.offset(high):
                return self._bisect(low, high)
            low = high
        return None

    def last_change(self, after: datetime, until: datetime) -> datetime | None:
        """The last instant in (after, until] at which the offset is another one than just before."""
        high = until
        while high > after:
            low = max(high - _STRIDE, after)
            if self.offset(low) != self.offset(high):
                return self._bisect(low, high)
            high = low
        return None

    def _bisect(self, low: datetime, high: datetime) -> datetime:
        """The one change in (low, high], to the second."""
        low, high = low.replace(microsecond=0), high.replace(microsecond=0)
        before = self.offset(low)
        while high - low > SECOND:
            middle = low + (high - low) // 2
            middle = middle.replace(microsecond=0)
            if self.offset(middle) == before:
                low = middle
            else:
                high = middle
        return high

"""Task ids: unique, and sorting as the tasks were made (UUID version 7, RFC 9562 section 5.7)."""

import random
from datetime import datetime

_COUNTER_BITS = 12


class Ids:
    """Makes ids that grow: milliseconds, then a counter within the millisecond, then chance."""

    def __init__(self) -> None:
        self._chance = random.SystemRandom()
        self._last = 0

    def next(self, now: datetime) -> str:
        """A new id, larger than every one before it, even when the clock was stepped back."""
        moment = int(now.timestamp() * 1000) << _COUNTER_BITS
        self._last = max(moment, self._last + 1)
        digits = f"{self._last:015x}"
        tail = f"{0x8000_0000_0000_0000 | self._chance.getrandbits(62):016x}"
        return f"{digits[:8]}-{digits[8:12]}-7{digits[12:]}-{tail[:4]}-{tail[4:]}"

"""What one run of the writer came to."""

import logging
from dataclasses import asdict, dataclass

from daemon.clock import Clock
from daemon.context import TaskLog
from state.ledger.records import Status

EVERY_S = 5.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of a run, by how its reports ended."""

    claimed: int = 0
    written: int = 0
    without_facts: int = 0
    delivered: int = 0  # of these:
    late: int = 0
    degraded: int = 0
    put_off: int = 0
    failed: int = 0
    unknown: int = 0
    lost: int = 0  # to somebody else

    def end(self, status: Status) -> None:
        """Count one that has come to an end."""
        self.delivered += status.is_delivered
        self.late += status is Status.DELIVERED_LATE
        self.degraded += status is Status.DELIVERED_DEGRADED
        self.failed += status is Status.FAILED
        self.unknown += status is Status.UNKNOWN

    def summary(self) -> dict[str, int]:
        """What the task's history keeps: the counts that are not nought, and always how many arrived."""
        said = {"delivered": self.delivered, "putOff": self.put_off, "withoutFacts": self.without_facts}
        rest = {name: n for name, n in asdict(self).items() if name not in ("put_off", "without_facts")}
        return {name: n for name, n in (said | rest).items() if n or name == "delivered"}


class Progress:
    """Says now and then how far it is."""

    def __init__(self, tally: Tally, clock: Clock, log: TaskLog) -> None:
        self._tally = tally
        self._clock = clock
        self._log = log
        self._said_s = clock.monotonic()

    def say(self) -> None:
        """Write a line, unless there was one just now."""
        now_s = self._clock.monotonic()
        if now_s - self._said_s >= EVERY_S:
            self._said_s = now_s
            self._log.log(logging.INFO, "reports.progress", extra={"fields": self._tally.summary()})

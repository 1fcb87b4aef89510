"""What a schedule is once the config, the handler's defaults and the time zone have come together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from daemon.engine.cron import CronLine
from state.records import Lane, Trigger


class Overlap(StrEnum):
    """What to do with a slot that comes due while an earlier one is still unfinished."""

    SKIP = "skip"  # leave it out, with a record
    QUEUE = "queue"  # let one wait
    ALLOW = "allow"  # run them side by side
    CANCEL = "cancel"  # end the earlier one


class CatchUp(StrEnum):
    """Which of several missed slots are made up."""

    NEWEST = "newest"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """One schedule, ready to run. A changed spec never creates slots in the past."""

    name: str
    handler: str
    line: CronLine
    args: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.NORMAL
    timeout: timedelta
    max_attempts: int
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.NEWEST
    catch_up_window: timedelta = timedelta(hours=24)
    deadline: timedelta | None = None  # how long after its nominal time a slot must have been served

    def lane_for(self, trigger: Trigger) -> Lane:
        """What was missed is made up beside the regular work, never in front of it."""
        return Lane.CATCH_UP if trigger is Trigger.CATCH_UP else self.lane

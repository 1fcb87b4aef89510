"""Whether so many reports of a day come from a lower rung that somebody should know."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from handlers.llm.base import Prose
from state.records import Severity

if TYPE_CHECKING:
    from daemon.watch.alerts import Alerts

ALERT = "llm.degraded"
WARNING_SHARE = 0.1  # of a day's reports
# So many in a row, none of them by the first provider, are all of them for practical purposes; a smaller
# day has to be written to its end.
ENOUGH_TO_TELL = 20
MOST_DAYS = 3  # that are counted side by side: reports of one date are written over 26 hours


class Share(StrEnum):
    """How many of a day's reports the first model did not write."""

    FEW = "few"
    MANY = "many"
    ALL = "all"


@dataclass(slots=True)
class Count:
    """The reports of one date."""

    written: int = 0
    degraded: int = 0
    said: Share = Share.FEW


def judge(count: Count, expected: int) -> Share:
    """Name a day's share of degraded reports. `expected`: how many the day will have in all."""
    expected = max(expected, count.written)
    if count.degraded and count.degraded == count.written >= min(expected, ENOUGH_TO_TELL):
        return Share.ALL
    return Share.MANY if count.degraded > expected * WARNING_SHARE else Share.FEW


class DegradedShare:
    """Counts the reports of each date by whoever wrote them, and alerts."""

    def __init__(self, alerts: "Alerts") -> None:
        self._alerts = alerts
        self.days: dict[date, Count] = {}

    async def count(self, day: date, prose: Prose, expected: int) -> None:
        """Count one report; call it once a report, with the number of reports that the day will have."""
        count = self.days.setdefault(day, Count())
        for old in sorted(self.days)[:-MOST_DAYS]:
            del self.days[old]
        count.written += 1
        count.degraded += prose.is_degraded
        share = judge(count, expected)
        if share is not Share.FEW and share is not count.said:
            count.said = share
            await self._fire(day, count, share, expected)
        elif share is count.said is Share.FEW and not prose.is_degraded:
            await self._resolve_older(day)

    async def _fire(self, day: date, count: Count, share: Share, expected: int) -> None:
        await self._alerts.fire(
            ALERT,
            severity=Severity.CRITICAL if share is Share.ALL else Severity.WARNING,
            summary=f"{count.degraded} of {max(expected, count.written)} reports of {day.isoformat()} were "
            "not written by the first language model",
            labels={},
            details={"date": day.isoformat(), "written": count.written, "degraded": count.degraded},
            advice="nightdesk test llm; the reports went out all the same, and say who wrote them",
        )

    async def _resolve_older(self, day: date) -> None:
        """A later day that begins well ends the trouble of the earlier ones."""
        said = [it for it, count in self.days.items() if it < day and count.said is not Share.FEW]
        if said:
            for it in said:
                self.days[it].said = Share.FEW
            await self._alerts.resolve(ALERT)

"""What people are told of reports that did not arrive: of each company once, of very many together."""

from typing import TYPE_CHECKING

from state.ledger.records import Obligation
from state.records import Severity

if TYPE_CHECKING:
    from daemon.watch.alerts import Alerts

FAILED = "report.failed"
UNKNOWN = "report.unknown"
SOURCE = "source.failed"
MOST_SINGLE = 50  # open alerts of single companies; beyond these all others are one alert
REST = {"company": "*"}


class Alarms:
    """Raises and resolves the alerts of reports. What the disk refuses is kept by the alerts themselves."""

    def __init__(self, alerts: "Alerts") -> None:
        self._alerts = alerts
        ours = [it for it in alerts.open if it.name in (FAILED, UNKNOWN)]
        self._open = {(it.name, it.labels.get("company", "")) for it in ours}
        self._rest: dict[str, int] = {}
        self._is_source_down = any(it.name == SOURCE for it in alerts.open)

    async def failed(self, obligation: Obligation, reason: str) -> None:
        """Say that a report will not be tried again by itself."""
        labels = self._labels(FAILED, obligation.company_id)
        day = obligation.date.isoformat()
        await self._alerts.fire(
            FAILED,
            severity=Severity.ERROR,
            summary=f"the report of {self._who(FAILED, labels)} for {day} could not be delivered",
            labels=labels,
            details={"date": day, "attempts": obligation.attempts, "reason": reason},
            advice=f"nightdesk why {obligation.company_id} {day}; once it is mended: "
            f"nightdesk reports ensure --date {day} --company {obligation.company_id}",
        )

    async def unknown(self, obligation: Obligation, channel: str | None, reason: str | None) -> None:
        """Say that a person has to look whether a report has arrived."""
        labels = self._labels(UNKNOWN, obligation.company_id)
        day = obligation.date.isoformat()
        await self._alerts.fire(
            UNKNOWN,
            severity=Severity.ERROR,
            summary=f"nobody knows whether the report of {self._who(UNKNOWN, labels)} for {day} has arrived",
            labels=labels,
            details={"date": day, "channel": channel, "reason": reason},
            advice="look whether it is there, then nightdesk reports resolve "
            f"{obligation.company_id} {day} --as delivered, or --as resend",
        )

    def has_told_unknown(self, company_id: str) -> bool:
        """Whether people have been asked about it."""
        return (UNKNOWN, company_id) in self._open

    async def arrived(self, company_id: str) -> None:
        """A company has its report: whatever was wrong with it is over."""
        for name in (FAILED, UNKNOWN):
            if (name, company_id) in self._open:
                self._open.discard((name, company_id))
                await self._alerts.resolve(name, {"company": company_id})

    async def source_failed(self, reason: str, companies: int) -> None:
        """Say that facts are missing."""
        self._is_source_down = True
        await self._alerts.fire(
            SOURCE,
            severity=Severity.ERROR,
            summary=f"the source of facts does not answer for {companies} companies",
            details={"reason": reason, "companies": companies},
            advice="correct what the reason names; reports without figures say so, and were sent",
        )

    async def source_answers(self) -> None:
        """Facts are there again."""
        if self._is_source_down:
            self._is_source_down = False
            await self._alerts.resolve(SOURCE)

    def _labels(self, name: str, company_id: str) -> dict[str, str]:
        single = sum(known == name for known, _ in self._open)
        if (name, company_id) not in self._open and single >= MOST_SINGLE:
            self._rest[name] = self._rest.get(name, 0) + 1
            return REST
        self._open.add((name, company_id))
        return {"company": company_id}

    def _who(self, name: str, labels: dict[str, str]) -> str:
        return labels["company"] if labels is not REST else f"{self._rest[name]} more companies"

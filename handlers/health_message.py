"""The daily health as a message and as a text."""

from collections.abc import Sequence

from daemon.notify.base import Entry, Message
from daemon.reports.certificates import line_of
from daemon.reports.components import State
from daemon.reports.health import Health
from daemon.reports.kpis import Kpi
from daemon.reports.patterns import Rates
from state.ledger.records import Certificate
from state.records import Severity

NAMES = {
    "coverage": "Coverage",
    "firstAttempt": "First attempts",
    "recovery": "Recovery",
    "alertDelivery": "Alert delivery",
}
ALERTS_TOLD = 5
CAUSES_TOLD = 3
SEVERITIES = {State.DOWN: Severity.CRITICAL, State.DEGRADED: Severity.WARNING}


def as_message(health: Health, certificates: Sequence[Certificate], *, message_id: str) -> Message:
    """What the team is told in the morning; the same health always makes the same message."""
    return Message(
        id=message_id,
        kind="health",
        title=title_of(health),
        text="\n\n".join([_ailing(health), *_findings(health)]),
        severity=SEVERITIES.get(health.status),
        facts=(*(_kpi(it) for it in health.kpis), *_counts(health), *_seals(certificates)),
        entries=tuple(Entry(title=it.text, note=it.command) for it in health.recommendations),
        created_at=health.at,
    )


def as_text(health: Health, certificates: Sequence[Certificate]) -> str:
    """The same for a terminal and the file, where the components have a table."""
    lines = [title_of(health), ""]
    if found := _findings(health):
        lines += [*found, ""]
    facts = (*(_kpi(it) for it in health.kpis), *_counts(health), *_seals(certificates))
    lines += [f"{name}: {value}" for name, value in facts]
    lines += ["", "Components:"]
    lines += [
        f"  {it.name:<20} {it.state.value:<9} {_latency(it.latency_ms):>9}  {it.detail}"
        for it in health.components
    ]
    for rates in health.rates.values():
        lines += ["", *_rates(rates)]
    if health.recommendations:
        lines += ["", "What to do:"]
        lines += [f"  {it.text}\n    {it.command}" for it in health.recommendations]
    return "\n".join(lines) + "\n"


def title_of(health: Health) -> str:
    """The one line: how it is, and the coverage."""
    covered, coverage = "", health.coverage
    if coverage is not None and coverage.percent is not None:
        covered = f", {coverage.percent:g} % of the reports of {coverage.date.isoformat()}"
        if coverage.pending:
            covered += f" so far, {coverage.pending:,} still to come"
    return f"Health: {health.status.value}{covered}"


def _ailing(health: Health) -> str:
    ailing = [f"{it.name}: {it.detail}" for it in health.components if it.is_ailing]
    return "; ".join(ailing) + "." if ailing else "Every component answers as it should."


def _findings(health: Health) -> list[str]:
    """What there is to say beside the components."""
    found = list[str]()
    if health.critical:
        found.append("Critical: " + "; ".join(health.critical) + ".")
    if alerts := health.alerts_beside:
        told = "; ".join(it.summary for it in alerts[:ALERTS_TOLD])
        more = len(alerts) - ALERTS_TOLD
        found.append(f"Open alerts: {told}{f'; and {more:,} more' if more > 0 else ''}.")
    if health.silences:
        found.append("Silences in force: " + "; ".join(health.silences) + ".")
    week = health.rates.get(7)
    if week is not None and week.patterns:
        found.append(_causes(week))
    return found


def _causes(week: Rates) -> str:
    """What attempts failed of, and whether that has cost anybody the report."""
    causes = "; ".join(f"{it.cause} ({it.count:,})" for it in week.patterns[:CAUSES_TOLD])
    lost = week.failed + week.unknown
    end = f"{lost:,} of them ended failed or unknown" if lost else "none of them was lost by it"
    return f"In 7 days an attempt failed for {week.troubled:,} reports, and {end}. Of what: {causes}."


def _kpi(kpi: Kpi) -> tuple[str, str]:
    if kpi.value is None:
        return NAMES[kpi.name], "nothing to measure"
    missed = "" if kpi.is_met else ", MISSED"
    return NAMES[kpi.name], f"{kpi.value:g} {kpi.unit} (aim {kpi.target}{missed})"


def _counts(health: Health) -> list[tuple[str, str]]:
    coverage = health.coverage
    if coverage is None:
        return []
    told = (
        f"{coverage.delivered:,} of {coverage.expected:,}; {coverage.degraded:,} by the template,"
        f" {coverage.excused:,} excused, {coverage.missing:,} missing, {coverage.failed:,} failed,"
        f" {coverage.unknown:,} unknown, {coverage.pending:,} still to come"
    )
    return [("Delivered", told)]


def _seals(certificates: Sequence[Certificate]) -> list[tuple[str, str]]:
    """One line for each that was written this morning: the newest date, and those that have ended since."""
    return [("Certificate", line_of(it)) for it in certificates]


def _rates(rates: Rates) -> list[str]:
    first = rates.first_attempt_percent
    told = "nothing was attempted" if first is None else f"{first:g} % of first attempts succeeded"
    lines = [
        f"In {rates.days} days: {told}; {rates.failed:,} failed, {rates.unknown:,} unknown,"
        f" {rates.late:,} late, {rates.degraded:,} by the template"
    ]
    return lines + [f"  {it.count:>7,}  {it.share:>5.1f} %  {it.cause}" for it in rates.patterns]


def _latency(latency_ms: float | None) -> str:
    return "-" if latency_ms is None else f"{latency_ms:,.1f} ms"

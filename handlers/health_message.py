"""The daily health as a message and as a text."""

from daemon.notify.base import Entry, Message
from daemon.reports.components import State
from daemon.reports.health import Health
from daemon.reports.kpis import Kpi
from daemon.reports.patterns import Rates
from state.records import Severity

NAMES = {
    "coverage": "Coverage",
    "firstAttempt": "First attempts",
    "recovery": "Recovery",
    "alertDelivery": "Alert delivery",
}
SEVERITIES = {State.DOWN: Severity.CRITICAL, State.DEGRADED: Severity.WARNING}


def as_message(health: Health, certificate: str | None, *, message_id: str) -> Message:
    """What the team is told in the morning; the same health always makes the same message."""
    return Message(
        id=message_id,
        kind="health",
        title=title_of(health),
        text="\n\n".join(_paragraphs(health)),
        severity=SEVERITIES.get(health.status),
        facts=(*(_kpi(it) for it in health.kpis), *_counts(health), *_seal(certificate)),
        entries=tuple(Entry(title=it.text, note=it.command) for it in health.recommendations),
        created_at=health.at,
    )


def as_text(health: Health, certificate: str | None) -> str:
    """The same for a terminal and the file."""
    lines = [title_of(health), "", *_paragraphs(health), ""]
    facts = (*(_kpi(it) for it in health.kpis), *_counts(health), *_seal(certificate))
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
    covered = ""
    if health.coverage is not None and health.coverage.percent is not None:
        covered = f", {health.coverage.percent:g} % of the reports of {health.coverage.date.isoformat()}"
    return f"Health: {health.status.value}{covered}"


def _paragraphs(health: Health) -> list[str]:
    ailing = [f"{it.name}: {it.detail}" for it in health.components if it.is_ailing]
    found = ["; ".join(ailing) + "." if ailing else "Every component answers as it should."]
    if health.critical:
        found.append("Critical: " + "; ".join(health.critical) + ".")
    if health.silences:
        found.append("Silences in force: " + "; ".join(health.silences) + ".")
    week = health.rates.get(7)
    if week is not None and week.patterns:
        causes = "; ".join(f"{it.cause} ({it.count:,})" for it in week.patterns[:3])
        found.append(f"What reports failed of in 7 days: {causes}.")
    return found


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
        f" {coverage.unknown:,} unknown"
    )
    return [("Delivered", told)]


def _seal(certificate: str | None) -> list[tuple[str, str]]:
    return [] if certificate is None else [("Certificate", certificate[:16])]


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

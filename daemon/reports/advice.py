"""What to do about what was found: a table of rules, each of which names a command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.reports.components import NO_DAEMON
from daemon.reports.kpis import ALERTING, FIRST_ATTEMPT, RECOVERY
from daemon.reports.remedies import remedy_for

if TYPE_CHECKING:
    from daemon.reports.health import Health

MANY_DEGRADED_PERCENT = 20
CAUSES_TOLD = 3
ALERTS_TOLD = 3
WEEK_DAYS = 7
CAUSE_WORTH_TELLING = 5.0  # percent of all that failed at least once


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to do."""

    text: str
    command: str

    def as_row(self) -> dict[str, Any]:
        """As the API answers it."""
        return {"text": self.text, "command": self.command}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When it is given: `holds` answers with what it is about, or with nothing."""

    holds: Callable[["Health"], str]
    text: str  # {} stands for what it is about
    command: str


def advised(health: "Health") -> list[Advice]:
    """Every advice whose rule holds, in the order of the tables: the gravest first."""
    return [*_given(GRAVE_RULES, health), *_of_causes(health), *_given(MILD_RULES, health)]


def _given(rules: Sequence[Rule], health: "Health") -> list[Advice]:
    return [
        Advice(text=rule.text.format(about), command=rule.command)
        for rule in rules
        if (about := rule.holds(health))
    ]


def _of_causes(health: "Health") -> list[Advice]:
    """What to do about the commonest causes of a week, each by itself: they rarely have one remedy."""
    week = health.rates.get(WEEK_DAYS)
    worth = [it for it in week.patterns if it.share >= CAUSE_WORTH_TELLING] if week else []
    return [
        Advice(
            text=f"Of {it.count:,} reports an attempt failed in {WEEK_DAYS} days: {it.cause}",
            command=remedy_for(it.cause),
        )
        for it in worth[:CAUSES_TOLD]
    ]


def _ails(name: str) -> Callable[["Health"], str]:
    def holds(health: "Health") -> str:
        part = health.component(name)
        return "" if part is None or not part.is_ailing else part.detail

    return holds


def _stopped(health: "Health") -> str:
    found = _ails("scheduler")(health)
    return found if found == NO_DAEMON else ""


def _stuck(health: "Health") -> str:
    found = _ails("scheduler")(health)
    return "" if found == NO_DAEMON else found


def _ailing_channels(health: "Health") -> str:
    return ", ".join(it.name.removeprefix("channel:") for it in health.channels if it.is_ailing)


def _count(field: str) -> Callable[["Health"], str]:
    def holds(health: "Health") -> str:
        coverage = health.coverage
        count = 0 if coverage is None else int(getattr(coverage, field))
        return f"{count:,} of {coverage.date.isoformat()}" if coverage is not None and count else ""

    return holds


def _missed(name: str) -> Callable[["Health"], str]:
    def holds(health: "Health") -> str:
        kpi = next(it for it in health.kpis if it.name == name)
        return "" if kpi.is_met else f"{kpi.value:g} {kpi.unit}"

    return holds


def _many_degraded(health: "Health") -> str:
    coverage = health.coverage
    if _ails("llm")(health):
        return ""  # it has said so
    if coverage is None or 100 * coverage.degraded < MANY_DEGRADED_PERCENT * max(1, coverage.delivered):
        return ""
    return f"{coverage.degraded:,} of {coverage.delivered:,}"


def _open_alerts(health: "Health") -> str:
    alerts = health.alerts_beside
    named = "; ".join(it.summary for it in alerts[:ALERTS_TOLD])
    more = len(alerts) - ALERTS_TOLD
    return f"{named}; and {more} more" if more > 0 else named


GRAVE_RULES = (
    Rule(holds=_ails("state"), text="The state is not sound: {}", command="nightdesk state verify"),
    Rule(
        holds=_stopped,
        text="No daemon is running; where it is a service, systemctl start nightdesk starts it",
        command="nightdesk run",
    ),
    Rule(holds=_stuck, text="Nothing is being scheduled: {}", command="nightdesk status"),
    Rule(
        holds=_ails("ledger"), text="The ledger does not do its work: {}", command="nightdesk test database"
    ),
    Rule(holds=_ails("redis"), text="Redis does not do its work: {}", command="nightdesk test redis"),
    Rule(holds=_ails("disk"), text="The disk fills up: {}", command="df -h"),
    # What ails it are the sentences of its alerts; they stand with the component.
    Rule(holds=_ails("llm"), text="Reports are not written by the best model", command="nightdesk test llm"),
    Rule(holds=_ailing_channels, text="These channels carry nothing: {}", command="nightdesk test channels"),
    Rule(holds=_count("missing"), text="Reports are missing: {}", command="nightdesk reports missing"),
    Rule(holds=_count("failed"), text="Reports failed for good: {}", command="nightdesk reports missing"),
    Rule(
        holds=_count("unknown"),
        text="Of some reports nobody knows whether they arrived: {}",
        command="nightdesk reports list --status unknown",
    ),
    Rule(
        holds=_missed(FIRST_ATTEMPT),
        text="Too few first attempts succeed: {}",
        command="nightdesk history --handler write-reports",
    ),
)
MILD_RULES = (
    Rule(
        holds=_many_degraded,
        text="Many reports were written by the template: {}",
        command="nightdesk test llm",
    ),
    Rule(
        holds=_missed(RECOVERY),
        text="It takes too long until trouble is over: {}",
        command="nightdesk alerts list",
    ),
    Rule(
        holds=_missed(ALERTING),
        text="Alerts arrive too late: {}",
        command="nightdesk test channels",
    ),
    Rule(
        holds=_open_alerts,
        text="Grave alerts that are open: {}",
        command="nightdesk alerts list --open",
    ),
    Rule(
        holds=lambda health: ", ".join(health.silences),
        text="Silences in force: {}",
        command="nightdesk alerts silences",
    ),
)

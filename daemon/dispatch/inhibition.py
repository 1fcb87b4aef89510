"""Alerts that say no more than another one does: while the cause is open they are counted, not told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from state.records import Alert

# What is only a child of the trouble goes away with it; it gets so long before it is told after all.
RECOVERY = timedelta(minutes=1)
# What may be muted by nothing: that somebody goes without a report has to be heard.
UNMUTABLE = ("coverage.*", "alert.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """While an alert called `source` is open, those called like a target are its children."""

    source: str  # a glob, as all of these
    targets: tuple[str, ...]
    equal: tuple[str, ...] = ()  # labels that have to be the same on both


RULES = (
    Rule(source="handler.failing", targets=("task.failed", "schedule.late"), equal=("handler",)),
    Rule(source="state.unsaved", targets=("backup.failed", "digest.unwritten")),
    Rule(source="database.down", targets=("report.*", "task.failed", "handler.failing", "schedule.late")),
    Rule(source="llm.degraded", targets=("llm.provider-down",)),
    Rule(source="redis.down", targets=("queue.*",)),
)


class Inhibition:
    """The rules in force, applied to what is open at one moment."""

    def __init__(self, rules: Sequence[Rule], alerts: Iterable[Alert], now: datetime) -> None:
        since = now - RECOVERY
        self._sources: list[tuple[Rule, Alert]] = []
        self._by_target: dict[str, list[tuple[Rule, Alert]]] = {}
        rules_of: dict[str, list[Rule]] = {}
        for alert in alerts:
            if alert.name not in rules_of:
                rules_of[alert.name] = [it for it in rules if fnmatchcase(alert.name, it.source)]
            if rules_of[alert.name] and (alert.resolved_at is None or alert.resolved_at > since):
                self._sources += [(rule, alert) for rule in rules_of[alert.name]]

    def source_of(self, alert: Alert) -> Alert | None:
        """The open alert that says it all already; None where there is none."""
        if not self._sources:
            return None
        if (above := self._by_target.get(alert.name)) is None:
            above = self._by_target[alert.name] = self._above(alert.name)
        for rule, source in above:
            if source.id != alert.id and _is_same(rule, source, alert):
                return source
        return None

    def _above(self, name: str) -> list[tuple[Rule, Alert]]:
        """What may be the cause of alerts of a name: there are many alerts, and few names."""
        if is_unmutable(name):
            return []
        return [
            (rule, source)
            for rule, source in self._sources
            if any(fnmatchcase(name, glob) for glob in rule.targets)
        ]


def is_unmutable(name: str) -> bool:
    """Whether an alert of this name is told whatever mutes it."""
    return any(fnmatchcase(name, glob) for glob in UNMUTABLE)


def _is_same(rule: Rule, source: Alert, alert: Alert) -> bool:
    return all(_subject(source, label) == _subject(alert, label) is not None for label in rule.equal)


def _subject(alert: Alert, label: str) -> str | None:
    # A schedule is named after what it runs, so for this purpose it is a handler.
    if label == "handler":
        return alert.labels.get("handler") or alert.labels.get("schedule")
    return alert.labels.get(label)

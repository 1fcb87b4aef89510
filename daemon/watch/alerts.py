"""The book of alerts: one open entry for each thing that is wrong, counted, closed when it is over."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from daemon.clock import Clock
from daemon.engine.plain import clean, plain_or_why
from state.codec import to_json
from state.database import StoreError
from state.records import Alert, Severity, replace
from state.store import Change, Store

if TYPE_CHECKING:
    from daemon.watch.journal import Journal

log = logging.getLogger(__name__)

LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.CRITICAL: logging.CRITICAL,
}


class Alerts:
    """Records alerts, together with what caused them where the cause is a change of state.

    The open ones are kept here at once and on the disk with the next commit, so that many of one kind
    in one instant are still one alert with a count.
    """

    def __init__(
        self, store: Store, clock: Clock, retention: timedelta, journal: "Journal | None" = None
    ) -> None:
        self._store = store
        self._clock = clock
        self.retention = retention
        self._journal = journal
        self._unstored: dict[str, Alert] = {}
        self._open = {it.fingerprint: it for it in store.alerts.values() if it.is_open}
        self._changed: Callable[[], None] = lambda: None

    def on_change(self, call: Callable[[], None]) -> None:
        """Have something called whenever there may be news of an alert."""
        self._changed = call

    def known(self) -> list[Alert]:
        """Every alert that is kept, open or over, each as it is by now."""
        newest = dict(self._store.alerts)
        newest.update((key, it) for key, it in self._unstored.items() if not self._is_stored_later(it))
        newest.update((alert.id, alert) for alert in self._open.values())
        return list(newest.values())

    @property
    def open(self) -> list[Alert]:
        """What is wrong now, oldest first."""
        return sorted(self._open.values(), key=lambda it: it.first_at)

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    @property
    def count_open(self) -> int:
        return len(self._open)

    def newest(self, alert: Alert) -> Alert:
        """The same alert as it is by now, here or on the disk."""
        known = (self._open.get(alert.fingerprint), alert, self._store.alerts.get(alert.id))
        same = [it for it in known if it is not None and it.id == alert.id]
        return max(same, key=lambda it: (not it.is_open, it.count))

    def firing(
        self,
        name: str,
        *,
        severity: Severity,
        summary: str,
        labels: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        advice: str | None = None,
    ) -> Alert:
        """Count one more case of it; the answer has to be put into the caller's change."""
        now = self._clock.now()
        # An alert that the JSON state could not hold would keep all of it from being written.
        summary, advice = clean(summary), None if advice is None else clean(advice)
        labels = {clean(key): clean(value) for key, value in (labels or {}).items()}
        details = plain_or_why(details or {})
        print_ = fingerprint(name, labels)
        known = self._open.get(print_)
        if known is None:
            alert = Alert(
                id=f"{name}-{now:%Y%m%dT%H%M%S%f}-{print_[:6]}",
                fingerprint=print_,
                name=name,
                severity=severity,
                summary=summary,
                labels=labels,
                details=details,
                advice=advice,
                first_at=now,
                last_at=now,
            )
        else:
            is_worse = severity.rank > known.severity.rank
            alert = replace(
                known,
                severity=severity if is_worse else known.severity,
                summary=summary,
                details=details,
                advice=advice,
                count=known.count + 1,
                last_at=now,
                # Who took on an error has not taken on the critical alert that it has become.
                acknowledged_at=None if is_worse else known.acknowledged_at,
                acknowledged_by=None if is_worse else known.acknowledged_by,
            )
        self._open[print_] = alert
        self._tell_log(_event(known, alert), alert)
        self._changed()
        return alert

    def resolving(self, name: str, labels: Mapping[str, str] | None = None) -> Alert | None:
        """Close it; the answer, if it was open, has to be put into the caller's change."""
        known = self._open.pop(fingerprint(name, labels or {}), None)
        if known is None:
            return None
        alert = replace(known, resolved_at=self._clock.now())
        self._tell_log("resolved", alert, logging.INFO)
        self._changed()
        return alert

    async def fire(self, name: str, **about: Any) -> Alert:
        """Count one more case of it, durably; takes what `firing` takes.

        An alert that cannot be stored is still open here and in the log: the caller has enough to
        worry about, so nothing is raised.
        """
        alert = self.firing(name, **about)
        await self._keep(alert)
        return alert

    async def tell(self, name: str, **about: Any) -> Alert:
        """Record something that happened and is over: it is an alert, and closed at once."""
        alert = replace(self.firing(name, **about), resolved_at=self._clock.now())
        del self._open[alert.fingerprint]
        await self._keep(alert)
        self._changed()
        return alert

    async def acknowledge(self, alert: Alert, by: str) -> Alert:
        """Note that somebody is on it: it is not repeated, and goes no further, unless it gets worse."""
        known = self._open.get(alert.fingerprint, alert)
        if known.acknowledged_at is not None:
            return known
        taken = replace(known, acknowledged_at=self._clock.now(), acknowledged_by=by)
        self._open[alert.fingerprint] = taken
        self._tell_log("acknowledged", taken, logging.INFO, by=by)
        await self._keep(taken)
        self._changed()
        return taken

    async def resolve(self, name: str, labels: Mapping[str, str] | None = None) -> Alert | None:
        """Close it, durably; None when it was not open."""
        alert = self.resolving(name, labels)
        if alert is not None:
            await self._keep(alert)
        return alert

    async def close(self, alert: Alert, by: str) -> Alert:
        """Close an open alert because a person says that it is over."""
        closed = replace(
            self._open.pop(alert.fingerprint, alert),
            resolved_at=self._clock.now(),
            acknowledged_at=alert.acknowledged_at or self._clock.now(),
            acknowledged_by=alert.acknowledged_by or by,
        )
        self._tell_log("closed", closed, logging.INFO, by=by)
        await self._keep(closed)
        self._changed()
        return closed

    def note(self, event: str, **fields: Any) -> None:
        """Put an event into the journal of alerts."""
        if self._journal is not None:
            self._journal.add(event, self._clock.now(), **fields)

    def forget_old(self, now: datetime) -> Change:
        """What takes the alerts that ended longer ago than the retention out of the state."""
        change = Change()
        for alert in self._store.alerts.values():
            if alert.resolved_at is not None and alert.resolved_at < now - self.retention:
                change.delete(alert)
        return change

    async def keep_unstored(self) -> None:
        """Store what the disk refused when it was raised, if it has room by now."""
        owed = [alert for alert in self._unstored.values() if not self._is_stored_later(alert)]
        try:
            if owed:
                await self._store.commit(*owed)
        except StoreError:
            return  # it was told when it was raised; the next pulse tries again
        # What was raised anew meanwhile is another record, and stays owed.
        self._unstored = {
            alert.id: alert
            for alert in self._unstored.values()
            if not any(alert is it for it in owed) and not self._is_stored_later(alert)
        }

    def _is_stored_later(self, alert: Alert) -> bool:
        """Whether a later word on it has reached the disk by another way: then this one is out of date."""
        stored = self._store.alerts.get(alert.id)
        if stored is None or stored.count < alert.count:
            return False
        return stored.resolved_at is not None or alert.resolved_at is None

    def _tell_log(self, event: str, alert: Alert, level: int | None = None, **more: Any) -> None:
        """One line in the log for who watches it, one in the journal for who looks back."""
        said = {"alert": alert.id, "name": alert.name, "summary": alert.summary, "count": alert.count, **more}
        advice = {"advice": alert.advice} if alert.advice else {}
        fields = {**said, **alert.labels, **advice, **alert.details}
        log.log(
            LEVELS[alert.severity] if level is None else level, f"alert.{event}", extra={"fields": fields}
        )
        self.note(
            event,
            **said,
            severity=alert.severity.value,
            labels=alert.labels,
            firstAt=alert.first_at,
            details=alert.details if event in ("fired", "worsened") else {},
        )

    async def _keep(self, alert: Alert) -> None:
        try:
            await self._store.commit(alert)
        except StoreError as error:
            self._unstored[alert.id] = alert
            log.critical("alert.unstored", extra={"fields": {"alert": alert.id, "error": str(error)}})
        else:
            self._unstored.pop(alert.id, None)


def fingerprint(name: str, labels: Mapping[str, str]) -> str:
    """The same for the same thing, whatever is said about it."""
    return hashlib.sha256(name.encode() + to_json(sorted(labels.items()))).hexdigest()[:16]


def _event(before: Alert | None, after: Alert) -> str:
    if before is None:
        return "fired"
    return "worsened" if after.severity is not before.severity else "repeated"

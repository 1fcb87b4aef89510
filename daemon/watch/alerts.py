"""The book of alerts: one open entry for each thing that is wrong, counted, closed when it is over."""

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from daemon.clock import Clock
from daemon.engine.plain import clean, plain_or_why
from state.codec import to_json
from state.database import StoreError
from state.records import Alert, Severity, replace
from state.store import Change, Store

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

    def __init__(self, store: Store, clock: Clock, retention: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._unstored: dict[str, Alert] = {}
        self._open = {it.fingerprint: it for it in store.alerts.values() if it.is_open}

    @property
    def open(self) -> list[Alert]:
        """What is wrong now, oldest first."""
        return sorted(self._open.values(), key=lambda it: it.first_at)

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    def newest(self, alert: Alert) -> Alert:
        """The same alert as it is by now, here or on the disk."""
        known = (alert, self._open.get(alert.fingerprint), self._store.alerts.get(alert.id))
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
            alert = replace(
                known,
                severity=max(known.severity, severity, key=lambda it: it.rank),
                summary=summary,
                details=details,
                advice=advice,
                count=known.count + 1,
                last_at=now,
            )
        self._open[print_] = alert
        _log("alert.fired" if known is None else "alert.repeated", alert)
        return alert

    def resolving(self, name: str, labels: Mapping[str, str] | None = None) -> Alert | None:
        """Close it; the answer, if it was open, has to be put into the caller's change."""
        known = self._open.pop(fingerprint(name, labels or {}), None)
        if known is None:
            return None
        alert = replace(known, resolved_at=self._clock.now())
        log.info("alert.resolved", extra={"fields": {"alert": alert.id, "name": name, **alert.labels}})
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
        return alert

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
        log.info("alert.closed", extra={"fields": {"alert": closed.id, "name": closed.name, "by": by}})
        await self._keep(closed)
        return closed

    def forget_old(self, now: datetime) -> Change:
        """What takes the alerts that ended longer ago than the retention out of the state."""
        change = Change()
        for alert in self._store.alerts.values():
            if alert.resolved_at is not None and alert.resolved_at < now - self._retention:
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


def _log(event: str, alert: Alert) -> None:
    fields = {"alert": alert.id, "name": alert.name, "summary": alert.summary, "count": alert.count}
    more = {**alert.labels, **({"advice": alert.advice} if alert.advice else {}), **alert.details}
    log.log(LEVELS[alert.severity], event, extra={"fields": {**fields, **more}})

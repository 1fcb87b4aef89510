"""Whether somebody has heard of an alert: when and by which channel, or why not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from state.codec import as_camel
from state.records import Alert, Delivery, Notice, NoticeState, Telling

# What of a notice is shown; the message itself would be most of the page.
NOTICE_FIELDS = (
    "id", "receiver", "kind", "title", "state", "since", "createdAt", "attempts", "nextTryAt", "deliveredAt",
    "channel", "error",
)  # fmt: skip
DELIVERY_FIELDS = ("channel", "state", "attempts", "lastTriedAt", "proof", "error")
MEMBER_FIELDS = ("id", "name", "severity", "summary", "firstAt", "resolvedAt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is remembered of alerts and of what was told of them."""

    alerts: Mapping[str, Alert]
    tellings: Mapping[str, Iterable[Telling]]  # by alert
    notices: Iterable[Notice]
    deliveries: Iterable[Delivery] = ()


def rows(alerts: Iterable[Alert], known: Known) -> list[dict[str, Any]]:
    """Alerts as lists show them: each with `told`."""
    speaking: dict[str, list[Notice]] = {}
    for notice in known.notices:
        for alert_id in notice.alerts:
            speaking.setdefault(alert_id, []).append(notice)
    return [
        {**as_camel(it), "told": told(known.tellings.get(it.id, ()), speaking.get(it.id, ()))}
        for it in alerts
    ]


def told(tellings: Iterable[Telling], notices: Iterable[Notice]) -> dict[str, Any] | None:
    """How far people have been told of one alert: of its receivers the one who knows most counts.

    `state` is delivered, owed (it is being tried), waiting (for more of the same), or muted; None where
    nothing has been decided yet.
    """
    found = [_told_to(telling, notices) for telling in tellings]
    return min(found, key=lambda it: (_ORDER[it["state"]], str(it["at"])), default=None)


_ORDER = {"delivered": 0, "owed": 1, "waiting": 2, "muted": 3}


def _told_to(telling: Telling, notices: Iterable[Notice]) -> dict[str, Any]:
    sent = sorted((it for it in notices if it.receiver == telling.receiver), key=lambda it: it.created_at)
    proved = [it for it in sent if it.state is NoticeState.DELIVERED]
    row: dict[str, Any] = {"receiver": telling.receiver or None, "at": None, "channel": None, "reason": None}
    if telling.told_at is not None:
        channel = proved[0].channel if proved else None
        return {**row, "state": "delivered", "at": telling.told_at, "channel": channel}
    if telling.noticed_at is not None:
        reason = sent[-1].error if sent else None
        return {**row, "state": "owed", "at": telling.noticed_at, "reason": reason}
    return {**row, "state": "muted" if telling.muted else "waiting", "reason": telling.muted}


def everything(alert: Alert, known: Known, limit: int, offset: int) -> dict[str, Any]:
    """One alert with all that was said of it; of its incidents that page of their alerts."""
    tellings = list(known.tellings.get(alert.id, ()))
    notices = sorted((it for it in known.notices if alert.id in it.alerts), key=lambda it: it.created_at)
    return {
        **as_camel(alert),
        "told": told(tellings, notices),
        "tellings": [as_camel(it) for it in tellings],
        "notices": [_notice(it, known.deliveries) for it in notices],
        "incidents": [
            _incident(it.incident, it.receiver, known, limit, offset)
            for it in tellings
            if it.incident is not None
        ],
    }


def latency_s(notice: Notice) -> float | None:
    """Seconds from what happened to the proof that somebody was told of it."""
    if notice.delivered_at is None:
        return None
    return round((notice.delivered_at - notice.since).total_seconds(), 3)


def _notice(notice: Notice, deliveries: Iterable[Delivery]) -> dict[str, Any]:
    tried = [as_camel(it) for it in deliveries if it.id == f"{notice.id}@{it.channel}"]
    return {
        **_some(as_camel(notice), NOTICE_FIELDS),
        "latencyS": latency_s(notice),
        "deliveries": [_some(it, DELIVERY_FIELDS) for it in tried],
    }


def _incident(incident: str, receiver: str, known: Known, limit: int, offset: int) -> dict[str, Any]:
    members = [
        known.alerts[alert_id]
        for alert_id, tellings in known.tellings.items()
        if alert_id in known.alerts
        and any(it.incident == incident and it.receiver == receiver for it in tellings)
    ]
    members.sort(key=lambda it: (it.first_at, it.id))
    page = [_some(as_camel(it), MEMBER_FIELDS) for it in members[offset : offset + limit]]
    return {"id": incident, "receiver": receiver, "total": len(members), "alerts": page}


def _some(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}

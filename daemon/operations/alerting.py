"""What can be asked of alerts: who was told of which; having them taken on, closed, silenced, tried."""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from daemon import told
from daemon.config.problems import meant, quoted
from daemon.dispatch.routing import TEST_ALERT, Routing
from daemon.operations.refusals import Unfit, Unknown, fit_person, fit_reason, parse_until
from state.codec import as_camel
from state.records import Alert, Notice, NoticeState, Severity

if TYPE_CHECKING:
    from daemon.app import App

MOST_NAMED = 5  # ids that a message lists where a name says too little


class AlertOperations:
    """One method for each thing that can be asked of alerts."""

    def __init__(self, app: "App") -> None:
        self._app = app

    async def listing(self, *, open_only: bool = False) -> list[dict[str, Any]]:
        """The alerts that are open, and those that ended lately, in the order they began."""
        alerts = self._app.alerts.open if open_only else self._app.alerts.known()
        return told.rows(sorted(alerts, key=lambda it: it.first_at), self._known(alerts))

    async def show(self, named: str, limit: int, offset: int) -> dict[str, Any]:
        """All about one alert; of its incidents `limit` alerts from `offset` on.

        Raises:
            Unknown: no alert of late is called that.
            Unfit: several are.
        """
        alerts = self._app.alerts.known()
        known = self._known(alerts, with_deliveries=True)
        return told.everything(chosen(named, alerts), known, limit, offset)

    async def acknowledge(self, named: str, by: str) -> dict[str, Any]:
        """Note that somebody is on it; raises as `resolve` does."""
        alert = self._open(named)
        taken = await self._app.alerts.acknowledge(alert, fit_person("by", by))
        await self._app.saver.caught_up()
        return as_camel(taken)

    async def resolve(self, named: str, by: str) -> dict[str, Any]:
        """Close an open alert, named by its id, or by its name where only one of that name is open.

        Raises:
            Unknown: no open alert is called that.
            Unfit: several are.
        """
        alert = self._open(named)
        return as_camel(await self._app.alerts.close(alert, fit_person("by", by)))

    async def test(self, severity: str, wait_s: float, *, is_alone: bool = False) -> dict[str, Any]:
        """Raise an alert that goes the way of all alerts, and see whether it arrives.

        `is_alone`: no daemon steps the parts here, so it is driven from here.

        Raises:
            Unfit: there is no such severity.
        """
        app = self._app
        alert = await app.alerts.tell(
            TEST_ALERT,
            severity=_known_severity(severity),
            summary="A test of the way that alerts go; nothing is wrong, and nothing is asked of you",
            labels={"test": uuid.uuid4().hex[:8]},
        )
        route = Routing(app.config.alerts).route_of(alert)
        if isinstance(route, str):
            return self._outcome(alert, route)
        if is_alone:
            await app.dispatch.flush(wait_s)
        else:
            await app.dispatch.wait_told(alert.id, wait_s)
        return self._outcome(alert, None)

    async def silences(self) -> list[dict[str, Any]]:
        """The silences in force."""
        return [as_camel(it) for it in self._app.dispatch.silences.active(self._app.clock.now())]

    async def silence(self, match: str, ends: str, reason: str, owner: str) -> dict[str, Any]:
        """Tell nobody of what matches until a time, or for a duration from now; at most 24 hours.

        Raises:
            Unfit: one of these makes no sense, or it would mute what may not be muted.
            StoreError: it was not stored, and mutes nothing.
        """
        ends_at = parse_until(ends, self._app.clock.now())
        reason, owner = fit_reason(reason, "nobody was told"), fit_person("owner", owner)
        try:
            silence = await self._app.dispatch.silences.add(match, ends_at, reason, owner)
        except ValueError as error:
            raise Unfit(str(error)) from None
        await self._app.saver.caught_up()
        return as_camel(silence)

    async def end_silence(self, silence_id: str, by: str) -> dict[str, Any]:
        """End a silence before its time. Unknown: none of that id is in force."""
        silences = self._app.dispatch.silences
        try:
            return as_camel(await silences.end(silence_id, fit_person("by", by)))
        except KeyError:
            active = [it.id for it in silences.active(self._app.clock.now())]
            told_of = meant(silence_id, active) if active else "none is in force"
            raise Unknown(f"there is no silence {quoted(silence_id)}; {told_of}") from None

    def _open(self, named: str) -> Alert:
        alerts = self._app.alerts.open
        found = [alert for alert in alerts if named in (alert.id, alert.name)]
        if not found:
            known = {name for alert in alerts for name in (alert.id, alert.name)}
            raise Unknown(f"no alert {quoted(named)} is open; {meant(named, known)}")
        if len(found) > 1:
            raise Unfit(_several(named, found, "open alerts"))
        return found[0]

    def _known(self, alerts: Iterable[Alert], *, with_deliveries: bool = False) -> told.Known:
        app = self._app
        return told.Known(
            alerts={it.id: it for it in alerts},
            tellings={it.id: app.dispatch.tellings_of(it.id) for it in alerts},
            notices=app.dispatch.notices(),
            deliveries=app.store.deliveries.values() if with_deliveries else (),
        )

    def _outcome(self, alert: Alert, why_nobody: str | None) -> dict[str, Any]:
        notices = self._app.dispatch.notices_of(alert.id)
        proved = next((it for it in notices if it.state is NoticeState.DELIVERED), None)
        newest = proved or (notices[-1] if notices else None)
        return {
            "alert": alert.id,
            "severity": alert.severity.value,
            "delivered": proved is not None,
            "incident": None if newest is None else newest.incident,
            "receiver": None if newest is None else newest.receiver,
            "channel": None if proved is None else proved.channel,
            "proof": None if proved is None else self._proof_of(proved),
            "latencyS": None if proved is None else told.latency_s(proved),
            "reason": None if proved is not None else why_nobody or _why_not(newest),
        }

    def _proof_of(self, notice: Notice) -> str | None:
        delivery = self._app.store.deliveries.get(f"{notice.id}@{notice.channel}")
        return None if delivery is None else delivery.proof


def chosen(named: str, alerts: Iterable[Alert]) -> Alert:
    """The alert of that id, or the one of that name; of several the open one.

    Raises:
        Unknown: no alert of late is called that.
        Unfit: several are.
    """
    found = [it for it in alerts if named in (it.id, it.name)]
    open_ones = [it for it in found if it.is_open]
    if len(found) == 1 or len(open_ones) == 1:
        return (open_ones if len(open_ones) == 1 else found)[0]
    if found:
        raise Unfit(_several(named, open_ones or found, "alerts"))
    known = {name for alert in alerts for name in (alert.id, alert.name)}
    raise Unknown(
        f"there is no alert {quoted(named)} of late; {meant(named, known)}. "
        "Older ones stand in logs/alerts.jsonl"
    )


def _several(named: str, found: list[Alert], what: str) -> str:
    ids = ", ".join(alert.id for alert in found[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
    return f"{len(found):,} {what} are called {quoted(named)}; name one by its id: {ids}{more}"


def _known_severity(name: str) -> Severity:
    if name not in list(Severity):
        raise Unfit(f"severity: {quoted(name)} is none; {meant(name, [str(it) for it in Severity])}")
    return Severity(name)


def _why_not(notice: Notice | None) -> str:
    if notice is None:
        return "no message was made in time"
    return notice.error or "no channel of the receiver has been tried in time"

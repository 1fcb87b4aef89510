"""Judge who hears of alerts: routes that end at people, and receivers that somebody stands behind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from daemon.config.digest_channel import SUFFIX
from daemon.config.environment import DEFAULT_RECEIVER, RECORDS
from daemon.config.load import Draft
from daemon.config.problems import Place, meant, quoted, shown
from daemon.config.sections import AlertsSection, ChannelEntry, Route
from state.records import Severity

UNPROVED = "apprise"  # says yes or no for services that we cannot ask for a proof
SET_UP = "set SLACK_WEBHOOK_URL, SMTP_HOST or another in the environment, or add one under channels"


class _Way(NamedTuple):
    """A receiver that a route leads to, by way of this key."""

    key: str
    receiver: str


def check_alerts(draft: Draft) -> None:
    """See that every route ends at a receiver, every receiver at people, and that nobody is forgotten."""
    alerts, findings = draft.config.alerts, draft.findings
    before = len(findings.problems)
    _check_names(draft)
    is_sound = len(findings.problems) == before and not findings.is_broken(("alerts", "receivers"))
    if not alerts.enabled or not is_sound or findings.is_broken(("alerts", "routes")):
        return
    if not alerts.routes:
        _warn_of_silence(draft)
        return
    _check_routes(draft)
    _check_receivers(draft)


def _check_names(draft: Draft) -> None:
    alerts, findings = draft.config.alerts, draft.findings
    for name, channels in alerts.receivers.items():
        for index, channel in enumerate(channels):
            if channel not in draft.named:
                text = f"no channel is named {shown(channel)}; {meant(channel, draft.named)}"
                findings.problem(("alerts", "receivers", name, index), text)
    if findings.is_broken(("alerts", "receivers")):
        return
    for index, route in enumerate(alerts.routes):
        for key, receiver in _ways(route):
            if receiver not in alerts.receivers:
                text = f"no receiver is named {shown(receiver)}; {meant(receiver, alerts.receivers)}"
                findings.problem(("alerts", "routes", index, key), text)


def _ways(route: Route) -> Iterator[_Way]:
    yield _Way("receiver", route.receiver)
    if route.escalate_to is not None:
        yield _Way("escalateTo", route.escalate_to)


def _warn_of_silence(draft: Draft) -> None:
    # A channel derived for the digest's target is not for alerts.
    kinds = [entry.type for name, entry in draft.config.channels.items() if not name.endswith(SUFFIX)]
    if draft.config.alerts.receivers:
        text = "no route leads to a receiver, so nobody is told of alerts; add one under alerts.routes"
        draft.findings.warn(("alerts", "receivers"), text)
    elif set(kinds) <= RECORDS:
        text = f"no channel but the log is set up, so nobody is told of alerts; {SET_UP}"
        draft.findings.warn(("channels",), text)


def _check_routes(draft: Draft) -> None:
    alerts, findings = draft.config.alerts, draft.findings
    for index, route in enumerate(alerts.routes):
        place: Place = ("alerts", "routes", index)
        told = [it for it in _severities(route) if it.rank >= alerts.severity_threshold.rank]
        if not told:
            quiet = f"alerts.severityThreshold is {alerts.severity_threshold.value}"
            findings.warn((*place, "severities"), f"{quiet}, so nothing this route takes is ever told")
        elif (before := _taken_before(alerts.routes, index)) is not None:
            findings.warn(place, f"nothing reaches this route: alerts.routes[{before}] takes all of it first")
        if route.escalate_to is not None and route.escalate_after is None:
            findings.warn((*place, "escalateTo"), "this is never used: escalateAfter does not say when")
    if not any(_takes_every(route, Severity.CRITICAL) for route in alerts.routes):
        text = "no route takes every critical alert, so some are told to nobody; add one without match"
        findings.warn(("alerts", "routes"), text)


def _severities(route: Route) -> tuple[Severity, ...]:
    return route.severities or tuple(Severity)


def _takes_every(route: Route, severity: Severity) -> bool:
    return severity in _severities(route) and not _narrow(route.match)


def _narrow(match: Mapping[str, str]) -> dict[str, str]:
    """The part of a match that leaves anything out: every alert has a name."""
    return {key: glob for key, glob in match.items() if (key, glob) != ("name", "*")}


def _taken_before(routes: Sequence[Route], index: int) -> int | None:
    """The earlier route after which nothing is left for this one."""
    wanted, match = set(_severities(routes[index])), routes[index].match
    for before, route in enumerate(routes[:index]):
        if _narrow(route.match).items() <= match.items():
            wanted -= set(_severities(route))
        if not wanted:
            return before
    return None


def _check_receivers(draft: Draft) -> None:
    alerts, findings = draft.config.alerts, draft.findings
    used = {way.receiver for route in alerts.routes for way in _ways(route)}
    urgent = _urgent(alerts)
    for name in alerts.receivers:
        place: Place = ("channels",) if _is_made_up(name, draft) else ("alerts", "receivers", name)
        reaching = _reaching(name, draft)
        kinds = {draft.config.channels[it].type for it in reaching if it in draft.config.channels}
        if name not in used:
            findings.warn(place, "no route leads to this receiver")
        elif not reaching:
            text = "nobody is told by the log, and all alerts stand in it anyway; add a channel to people"
            findings.problem(place, text)
        elif name in urgent and kinds == {UNPROVED}:
            text = (
                "apprise proves no delivery, so it must not be the only way of critical alerts; add another"
            )
            findings.warn(place, text)
        elif len(reaching) == 1:
            text = f"alerts go by {quoted(reaching[0])} alone, and nothing stands in for it; add another"
            findings.warn(place, text)


def _is_made_up(name: str, draft: Draft) -> bool:
    """Whether it is the receiver that stands in where the file names none."""
    return name == DEFAULT_RECEIVER and ("alerts", "receivers") not in draft.findings.lines


def _urgent(alerts: AlertsSection) -> set[str]:
    """The receivers that hear of critical alerts."""
    taking = [route for route in alerts.routes if Severity.CRITICAL in _severities(route)]
    return {way.receiver for route in taking for way in _ways(route)}


def _reaching(receiver: str, draft: Draft) -> list[str]:
    """The channels of a receiver by which people are told; one under two names counts once."""
    channels = draft.config.channels
    found: dict[str, ChannelEntry | None] = {}
    for name in draft.config.alerts.receivers[receiver]:
        entry = channels.get(name)
        is_known = entry is not None and any(entry is it for it in found.values())
        if not is_known and (entry is None or entry.type not in RECORDS):
            found.setdefault(name, entry)
    return list(found)

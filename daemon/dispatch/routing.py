"""Which receiver an alert is for, and why it may be for nobody."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

from daemon.config.sections import AlertsSection, Route
from state.records import Alert

TURNED_OFF = "alerts are turned off"
BELOW = "below the threshold"
NO_ROUTE = "no route takes it"
# How a person's own test goes: it is told whatever the threshold says.
TEST_ALERT = "alert.test"


class Routing:
    """The routes and receivers of the configuration."""

    def __init__(self, alerts: AlertsSection) -> None:
        self._alerts = alerts

    def route_of(self, alert: Alert) -> Route | str:
        """The first route that takes the alert, or why it is told to nobody."""
        if not self._alerts.enabled:
            return TURNED_OFF
        is_test = alert.name == TEST_ALERT
        if alert.severity.rank < self._alerts.severity_threshold.rank and not is_test:
            return BELOW
        for route in self._alerts.routes:
            if _takes(route, alert):
                return route
        return self._alerts.routes[0] if is_test and self._alerts.routes else NO_ROUTE

    def group_wait_of(self, alert: Alert) -> timedelta:
        """How long to wait for more of the same before an alert is told."""
        route = self.route_of(alert)
        if isinstance(route, str) or route.group_wait is None:
            return self._alerts.group_wait
        return route.group_wait

    def channels_of(self, receiver: str) -> Sequence[str]:
        """The channels of a receiver, in order; of the first route's where the config knows it no more."""
        receivers = self._alerts.receivers
        if receiver in receivers:
            return receivers[receiver]
        return receivers.get(self._alerts.routes[0].receiver, ()) if self._alerts.routes else ()


def _takes(route: Route, alert: Alert) -> bool:
    if route.severities and alert.severity not in route.severities:
        return False
    return matches(route.match, alert)


def matches(wanted: Mapping[str, str], alert: Alert) -> bool:
    """Whether all that is wanted holds: globs over the labels, and over the `name` itself."""
    labels = {**alert.labels, "name": alert.name}
    return all(key in labels and fnmatchcase(labels[key], glob) for key, glob in wanted.items())

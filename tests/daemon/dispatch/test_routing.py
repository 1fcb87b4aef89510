"""Which receiver an alert is for, and why it may be for nobody."""

from datetime import timedelta

import pytest

from daemon.config.sections import AlertsSection, Route
from daemon.dispatch.inhibition import RULES, Inhibition, Rule
from daemon.dispatch.routing import Routing
from state.records import Alert, Severity, replace
from tests.house import NOW

RECEIVERS = {"team": ("slack",), "dba": ("mail",)}


def alert(name: str, severity: Severity = Severity.ERROR, **labels: str) -> Alert:
    return Alert(
        id=f"{name}-{'-'.join(labels.values())}",
        fingerprint="f",
        name=name,
        severity=severity,
        summary="s",
        labels=labels,
        first_at=NOW,
        last_at=NOW,
    )


def receiver_of(routing: Routing, wanted: Alert) -> str:
    route = routing.route_of(wanted)
    return route if isinstance(route, str) else route.receiver


def routing(*routes: Route, **more: object) -> Routing:
    return Routing(AlertsSection(receivers=RECEIVERS, routes=routes, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "receiver"),
    [
        (alert("database.down"), "dba"),
        (alert("task.failed", handler="pg-dump"), "dba"),
        (alert("task.failed", handler="other"), "team"),
        (alert("task.failed", Severity.WARNING), "below the threshold"),
        (alert("alert.test", Severity.INFO), "team"),
    ],
)
def test_the_first_route_that_fits_takes_it(wanted: Alert, receiver: str) -> None:
    made = routing(
        Route(receiver="dba", match={"name": "database.*"}),
        Route(receiver="dba", match={"handler": "pg-*"}),
        Route(receiver="team"),
    )
    assert receiver_of(made, wanted) == receiver


def test_severities_choose_and_what_no_route_takes_says_so() -> None:
    made = routing(Route(receiver="team", severities=(Severity.CRITICAL,)))
    assert receiver_of(made, alert("x", Severity.CRITICAL)) == "team"
    assert receiver_of(made, alert("x")) == "no route takes it"
    assert receiver_of(made, alert("alert.test", Severity.INFO)) == "team"


def test_a_receiver_that_the_config_knows_no_more_stands_for_the_first_route() -> None:
    made = routing(Route(receiver="team"))
    assert made.channels_of("dba") == ("mail",)
    assert made.channels_of("gone") == ("slack",)
    assert Routing(AlertsSection()).channels_of("gone") == ()


def test_a_cause_mutes_what_comes_of_it_and_nothing_else() -> None:
    cause = alert("handler.failing", Severity.CRITICAL, handler="a")
    known = Inhibition(RULES, [cause], NOW)
    assert known.source_of(alert("task.failed", handler="a")) == cause
    assert known.source_of(alert("schedule.late", schedule="a")) == cause
    assert known.source_of(alert("task.failed", handler="b")) is None
    assert known.source_of(alert("task.failed")) is None
    assert known.source_of(cause) is None


def test_what_must_be_heard_has_no_cause_that_mutes_it() -> None:
    cause = alert("database.down")
    rules = [Rule(source="database.down", targets=("*",))]
    assert Inhibition(rules, [cause], NOW).source_of(alert("coverage.missed")) is None
    assert Inhibition(rules, [cause], NOW).source_of(alert("report.failed")) == cause


def test_a_cause_that_is_over_mutes_for_one_more_minute() -> None:
    cause = replace(alert("database.down"), resolved_at=NOW)
    child = alert("report.failed")
    assert Inhibition(RULES, [cause], NOW + timedelta(seconds=59)).source_of(child) == cause
    assert Inhibition(RULES, [cause], NOW + timedelta(seconds=60)).source_of(child) is None

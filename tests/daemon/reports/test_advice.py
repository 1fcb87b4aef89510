"""The rules of the advice: each names a command that is there, and is given when it holds."""

import shlex
from datetime import date

import click
import pytest

from daemon.cli.command import program
from daemon.reports.advice import GRAVE_RULES, MILD_RULES, advised
from daemon.reports.components import NO_DAEMON, Component, State
from daemon.reports.coverage import Coverage
from daemon.reports.health import Health
from daemon.reports.kpis import kpis
from daemon.reports.patterns import NO_REASON, Pattern, Rates
from daemon.reports.remedies import OTHERWISE, REMEDIES, remedy_for
from state.records import replace
from tests.daemon.reports.owing import DUE
from tests.state.sample import make_alert

COMMANDS = sorted(
    {rule.command for rule in (*GRAVE_RULES, *MILD_RULES)} | {it for _, it in REMEDIES} | {OTHERWISE}
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_is_advised_exists(command: str) -> None:
    name, *argv = shlex.split(command)
    if name != "nightdesk":
        assert name == "df"
        return
    found: click.Command = program()
    context = click.Context(found)
    while isinstance(found, click.Group) and argv:
        following = found.get_command(context, argv[0])
        assert following is not None, f"{command}: there is no {argv[0]}"
        found, argv = following, argv[1:]
    assert not isinstance(found, click.Group)
    options = {option for parameter in found.params for option in parameter.opts}
    assert [it for it in argv if it.startswith("--") and it not in options] == []


def health(*components: Component, coverage: Coverage | None = None, **fields: object) -> Health:
    figures = tuple(kpis(coverage, None, None))
    return Health(at=DUE, components=components, coverage=coverage, kpis=figures, **fields)  # type: ignore[arg-type]


def test_a_sound_house_is_given_no_advice() -> None:
    assert advised(health(Component(name="state", state=State.OK))) == []


@pytest.mark.parametrize("name", ["state", "scheduler", "ledger", "redis", "disk"])
@pytest.mark.parametrize("state", [State.DOWN, State.DEGRADED], ids=["down", "degraded"])
def test_each_ailing_component_is_given_its_advice_with_what_is_wrong(name: str, state: State) -> None:
    (advice,) = advised(health(Component(name=name, state=state, detail="it {broke}")))
    assert "it {broke}" in advice.text


def test_where_no_daemon_runs_it_is_said_how_to_start_one() -> None:
    (advice,) = advised(health(Component(name="scheduler", state=State.DOWN, detail=NO_DAEMON)))
    assert advice.command == "nightdesk run"
    assert "systemctl start nightdesk" in advice.text


def test_prose_by_a_lower_rung_is_told_by_its_component_and_nowhere_else() -> None:
    said = "20 of 20 reports of 2026-11-21 were not written by the first language model"
    coverage = Coverage(
        date=date(2026, 11, 21),
        expected=20,
        delivered=20,
        degraded=20,
        excused=0,
        unknown=0,
        failed=0,
        missing=0,
    )
    alerts = (replace(make_alert("a"), summary=said), replace(make_alert("b"), summary="another trouble"))
    llm = Component(name="llm", state=State.DEGRADED, detail=said)
    found = health(llm, coverage=coverage, grave_alerts=alerts)
    assert [it.text for it in advised(found)] == [
        "Reports are not written by the best model",
        "Grave alerts that are open: another trouble",
    ]


def test_ailing_channels_are_named_together() -> None:
    parts = [Component(name=f"channel:{name}", state=State.DOWN) for name in ("mail", "slack")]
    (advice,) = advised(health(*parts))
    assert advice.text == "These channels carry nothing: mail, slack"


def test_the_gravest_advice_comes_first_and_counts_are_told() -> None:
    coverage = Coverage(
        date=date(2026, 11, 21),
        expected=1000,
        delivered=900,
        degraded=300,
        excused=0,
        unknown=2,
        failed=3,
        missing=95,
    )
    found = advised(health(coverage=coverage, silences=("redis.* by ann, moving, until noon",)))
    assert [it.text for it in found] == [
        "Reports are missing: 95 of 2026-11-21",
        "Reports failed for good: 3 of 2026-11-21",
        "Of some reports nobody knows whether they arrived: 2 of 2026-11-21",
        "Many reports were written by the template: 300 of 900",
        "Silences in force: redis.* by ann, moving, until noon",
    ]


def test_each_of_the_commonest_causes_is_given_its_own_remedy() -> None:
    causes = [
        ("mail.example.net gave no answer within N s", 60, 60.0),
        ("550 5.1.1 no such user ADDRESS", 30, 30.0),
        ("the copy could not be kept: No space left on device", 7, 7.0),
        ("something rare", 3, 3.0),
    ]
    patterns = tuple(Pattern(cause=it[0], count=it[1], share=it[2]) for it in causes)
    week = Rates(
        days=7, attempted=1000, first_failed=100, failed=0, unknown=0, late=0, degraded=0, patterns=patterns
    )
    assert [(it.text, it.command) for it in advised(health(rates={7: week}))] == [
        (
            "Of 60 reports an attempt failed in 7 days: mail.example.net gave no answer within N s",
            "nightdesk test channels",
        ),
        (
            "Of 30 reports an attempt failed in 7 days: 550 5.1.1 no such user ADDRESS",
            "nightdesk companies list",
        ),
        (
            "Of 7 reports an attempt failed in 7 days: the copy could not be kept: No space left on device",
            "df -h",
        ),
    ]


@pytest.mark.parametrize(
    ("cause", "command"),
    [
        ("acme is no longer in the roster", "nightdesk companies list"),
        ("the ledger did not answer, so nothing was sent", "nightdesk test database"),
        ("HTTP 503 from URL", "nightdesk test channels"),
        ("the process that wrote it went away", "nightdesk history --handler write-reports"),
        ("source.facts: it gives no columns; write a query that selects some", "nightdesk alerts list"),
        (NO_REASON, OTHERWISE),
    ],
)
def test_a_cause_leads_to_the_command_that_begins_to_help(cause: str, command: str) -> None:
    assert remedy_for(cause) == command


def test_grave_alerts_are_named_and_not_only_counted() -> None:
    alerts = tuple(replace(make_alert(f"a{n}"), summary=f"trouble {n}") for n in range(5))
    (advice,) = advised(health(grave_alerts=alerts))
    assert advice.text == "Grave alerts that are open: trouble 0; trouble 1; trouble 2; and 2 more"

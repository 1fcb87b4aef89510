"""`nightdesk alerts`: what somebody has to know, and whether somebody does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon import told
from daemon.cli import files
from daemon.cli.alert_page import page, severity_style, told_in_words
from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import DONE, USAGE, WRONG, Stop
from daemon.cli.progress import Progress
from daemon.cli.silences import silence, silences, unsilence
from daemon.cli.tables import Column, clean, render
from daemon.cli.times import shower

if TYPE_CHECKING:
    from daemon.operations import Operations

TEST_WAIT_S = 60
MOST_MEMBERS = 1000
LONGEST_TOLD = 40  # places in the list; all of it is on the alert's own page
Row = Mapping[str, Any]


@click.group("alerts", cls=Group)
def alerts() -> None:
    """What somebody has to know."""


alerts.add_command(silence)
alerts.add_command(silences)
alerts.add_command(unsilence)


@alerts.command("list")
@click.option("--open", "is_open", is_flag=True, help="Only those that are not over.")
@pass_call
def listing(call: Call, is_open: bool) -> None:
    """The open alerts, and those that ended in the last days, oldest first; and whether they were told.

    TOLD: when and by which channel, or why not. ACK: who is on it.
    """
    query = {"open": 1 if is_open else None}

    def read(saved: files.State) -> list[dict[str, Any]]:
        known = _known(saved)
        return told.rows([it for it in known.alerts.values() if it.is_open or not is_open], known)

    rows = files.ask_or_read(call, lambda: call.client.get("/api/alerts", query), read)
    if call.is_json:
        call.answer(rows)
        return
    call.say(_table(call, rows) if rows else "No alerts.")
    for row in rows:
        if row["resolvedAt"] is None and row["advice"]:
            call.say(f"{row['name']}: {clean(row['advice'])}")


@alerts.command()
@click.argument("alert", metavar="ID")
@click.option("--limit", type=click.IntRange(0, MOST_MEMBERS), default=20, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True)
@pass_call
def show(call: Call, alert: str, limit: int, offset: int) -> None:
    """All about one alert, by its id or its name: what was said of it, to whom, and how that went.

    Of the alerts that belong to the same incident, --limit from --offset on are listed.
    """

    def read(saved: files.State) -> dict[str, Any]:
        known = _known(saved)
        found = [it for it in known.alerts.values() if alert in (it.id, it.name)]
        if len(found) != 1:
            ids = ", ".join(it.id for it in found[:5])
            text = f"name one by its id: {ids}" if found else "`nightdesk alerts list` shows those there are"
            raise Stop(USAGE, f'nightdesk: {len(found) or "no"} alerts are called "{alert}"; {text}')
        return told.everything(found[0], known, limit, offset)

    query = {"limit": limit, "offset": offset}
    found = files.ask_or_read(call, lambda: call.client.get(f"/api/alerts/{segment(alert)}", query), read)
    if call.is_json:
        call.answer(found)
    else:
        call.say(page(call, found, offset))


@alerts.command()
@click.argument("alert", metavar="ID")
@click.option("--by", metavar="NAME", help="Who is on it.  [the user]")
@pass_call
def ack(call: Call, alert: str, by: str | None) -> None:
    """Say that somebody is on it: it is not repeated and goes no further, unless it gets worse."""
    who = by or call.user

    async def work(operations: "Operations") -> Any:
        return await operations.alerts.acknowledge(alert, who)

    path = f"/api/alerts/{segment(alert)}/ack"
    taken = ask_or_do(call, lambda: call.client.post(path, {"by": who}), work)
    if call.is_json:
        call.answer(taken)
    else:
        at = shower(call)(taken["acknowledgedAt"])
        call.say(f"{taken['name']}: acknowledged by {clean(taken['acknowledgedBy'])} at {at}")


@alerts.command()
@click.argument("alert", metavar="ID")
@click.option("--by", metavar="NAME", help="Who says so.  [the user]")
@pass_call
def resolve(call: Call, alert: str, by: str | None) -> None:
    """Close an open alert, by its id, or by its name where only one of that name is open."""
    who = by or call.user

    async def work(operations: "Operations") -> Any:
        return await operations.alerts.resolve(alert, who)

    path = f"/api/alerts/{segment(alert)}/resolve"
    closed = ask_or_do(call, lambda: call.client.post(path, {"by": who}), work)
    if call.is_json:
        call.answer(closed)
    else:
        call.say(f"{closed['name']}: closed; it was open since {shower(call)(closed['firstAt'])}")


@alerts.command()
@click.option(
    "--severity",
    type=click.Choice(["info", "warning", "error", "critical"]),
    default="error",
    show_default=True,
    help="How grave it is; it goes by the route of that severity.",
)
@pass_call
def test(call: Call, severity: str) -> int:
    """Raise an alert, see whether it reaches somebody, and close it. Exit 1: not proved within a minute."""

    async def work(operations: "Operations") -> Any:
        return await operations.alerts.test(severity, TEST_WAIT_S, is_alone=True)

    body, query = {"severity": severity}, {"wait": TEST_WAIT_S}
    with Progress() as progress:
        progress.show("waiting for a channel's proof")
        found = ask_or_do(
            call, lambda: call.client.post("/api/alerts/test", body, query, wait_s=TEST_WAIT_S), work
        )
    if call.is_json:
        call.answer(found)
    else:
        call.say(_outcome(found))
    return DONE if found["delivered"] else WRONG


def _outcome(found: Row) -> str:
    incident = f"; {found['incident']}" if found["incident"] else ""
    if not found["delivered"]:
        return f"not proved to have reached anybody: {clean(found['reason'])}{incident}"
    way = f"delivered by {found['channel']} to {found['receiver']} in {found['latencyS']:.1f}s"
    return f"{way}: {clean(found['proof'])}{incident}"


def _known(saved: files.State) -> told.Known:
    """What the state file remembers of alerts; which channels a message was tried on is not in it."""
    from state.codec import from_camel
    from state.records import Alert, Notice, Telling

    tellings: dict[str, list[Telling]] = {}
    for row in saved.get("tellings", ()):
        tellings.setdefault(row["alertId"], []).append(from_camel(Telling, row))
    owed = [row for row in saved["outbox"] if "receiver" in row]
    return told.Known(
        alerts={row["id"]: from_camel(Alert, row) for row in saved["alerts"]},
        tellings=tellings,
        notices=[from_camel(Notice, row) for row in (*saved.get("notices", ()), *owed)],
    )


def _table(call: Call, rows: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title="SEVERITY", style=severity_style(call)),
        Column(title="ALERT"),
        Column(title=f"SINCE ({times.zone_name})"),
        Column(title="LAST"),
        Column(title="TIMES", is_right=True),
        Column(title="OVER"),
        Column(title="TOLD", may_be_cut=True, most=LONGEST_TOLD),
        Column(title="ACK", may_be_cut=True),
        Column(title="SUMMARY", may_be_cut=True),
    )
    names = Counter(row["name"] for row in rows)
    cells = [
        [
            row["severity"],
            # A name that several have says nothing to whoever wants to acknowledge one.
            row["name"] if names[row["name"]] == 1 else row["id"],
            times(row["firstAt"]),
            times(row["lastAt"]),
            row["count"],
            times(row["resolvedAt"]),
            told_in_words(row["told"], times),
            row["acknowledgedBy"],
            row["summary"],
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)

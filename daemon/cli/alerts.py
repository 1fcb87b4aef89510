"""`nightdesk alerts`: what somebody has to know."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon.cli import files
from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Group, pass_call
from daemon.cli.tables import Column, Style, clean, render
from daemon.cli.times import shower

if TYPE_CHECKING:
    from daemon.operations import Operations

COLOUR_OF = {"critical": "bright_red", "error": "red", "warning": "yellow", "info": "cyan"}
Row = Mapping[str, Any]


@click.group("alerts", cls=Group)
def alerts() -> None:
    """What somebody has to know."""


@alerts.command("list")
@click.option("--open", "is_open", is_flag=True, help="Only those that are not over.")
@pass_call
def listing(call: Call, is_open: bool) -> None:
    """The open alerts, and those that ended in the last days; oldest first."""
    query = {"open": 1 if is_open else None}

    def read(saved: files.State) -> list[Row]:
        return [it for it in saved["alerts"] if not is_open or it["resolvedAt"] is None]

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
@pass_call
def resolve(call: Call, alert: str) -> None:
    """Close an open alert, by its id, or by its name where only one of that name is open."""
    by = call.environ.get("USER") or "operator"

    async def work(operations: "Operations") -> Any:
        return await operations.resolve_alert(alert, by)

    path = f"/api/alerts/{segment(alert)}/resolve"
    closed = ask_or_do(call, lambda: call.client.post(path, {"by": by}), work)
    if call.is_json:
        call.answer(closed)
    else:
        call.say(f"{closed['name']}: closed; it was open since {shower(call)(closed['firstAt'])}")


def _table(call: Call, rows: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title="SEVERITY", style=severity_style(call)),
        Column(title="ALERT"),
        Column(title=f"SINCE ({times.zone_name})"),
        Column(title="LAST"),
        Column(title="TIMES", is_right=True),
        Column(title="OVER"),
        Column(title="SUMMARY", may_be_cut=True),
    )
    cells = [
        [
            row["severity"],
            row["name"],
            times(row["firstAt"]),
            times(row["lastAt"]),
            row["count"],
            times(row["resolvedAt"]),
            row["summary"],
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)


def severity_style(call: Call) -> Style | None:
    """The colours of severities, where there are colours."""
    if not call.has_colour:
        return None
    return lambda cell: click.style(cell, fg=COLOUR_OF.get(cell.strip()))

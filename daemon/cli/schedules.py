"""`nightdesk schedules`: when things fire; and how one of them is paused."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from daemon.cli import files
from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Group, pass_call
from daemon.cli.tables import Column, render
from daemon.cli.times import shower

if TYPE_CHECKING:
    from daemon.operations import Operations

Row = Mapping[str, Any]


@click.group("schedules", cls=Group, invoke_without_command=True)
@click.pass_context
def schedules(ctx: click.Context) -> None:
    """When things fire; pause and resume."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(listing)


@schedules.command("list")
@pass_call
def listing(call: Call) -> None:
    """Every schedule: when it fires next, when it fired last, and whether it is paused."""
    rows = files.ask_or_read(call, lambda: call.client.get("/api/schedules"), files.schedules_of)
    if call.is_json:
        call.answer(rows)
    else:
        call.say(table_of(call, rows))


@schedules.command()
@click.argument("name")
@click.option("--until", required=True, metavar="T", help='A time (2026-11-21T06:00) or a duration ("2h").')
@click.option("--reason", required=True, metavar="R", help="Why, for whoever wonders that nothing runs.")
@pass_call
def pause(call: Call, name: str, until: str, reason: str) -> None:
    """Leave out the slots of a schedule until a time; each is recorded with the reason."""
    end = _with_offset(until, call)
    body = {"until": end, "reason": reason}

    async def work(operations: "Operations") -> Any:
        return await operations.pause(name, end, reason)

    path = f"/api/schedules/{segment(name)}/pause"
    paused = ask_or_do(call, lambda: call.client.post(path, body), work, with_schedules=True)
    _tell(call, paused, "paused until")


@schedules.command()
@click.argument("name")
@pass_call
def resume(call: Call, name: str) -> None:
    """End a pause; what was left out stays out."""

    async def work(operations: "Operations") -> Any:
        return await operations.resume(name)

    path = f"/api/schedules/{segment(name)}/resume"
    _tell(call, ask_or_do(call, lambda: call.client.post(path, {}), work, with_schedules=True), "fires next")


def table_of(call: Call, rows: Sequence[Row]) -> str:
    """The schedules as a table."""
    times = shower(call)
    columns = (
        Column(title="SCHEDULE"),
        Column(title="CRON"),
        Column(title="ZONE", may_be_cut=True),
        Column(title=f"NEXT ({times.zone_name})"),
        Column(title="LAST"),
        Column(title="PAUSED", may_be_cut=True),
    )
    cells = [
        [
            row["name"],
            row["cron"],
            row["timezone"],
            times(row["nextFireAt"]),
            times(row["lastFiredAt"]),
            _pause_of(row, times(row["pausedUntil"])),
        ]
        for row in rows
    ]
    if not rows:
        return "No schedule has been started yet; `nightdesk config check` shows what is configured."
    return render(columns, cells, call.width)


def _pause_of(row: Row, until: str) -> str:
    return "-" if row["pausedUntil"] is None else f"until {until}: {row.get('pauseReason') or ''}"


def _tell(call: Call, schedule: Row, what: str) -> None:
    if call.is_json:
        call.answer(schedule)
        return
    times = shower(call)
    at = schedule["pausedUntil"] or schedule["nextFireAt"]
    call.say(f"{schedule['name']}: {what} {times(at)} {times.zone_name} ({times.ago(at)})")


def _with_offset(text: str, call: Call) -> str:
    """A time without an offset is meant in the zone of the config."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if at.tzinfo is not None else at.replace(tzinfo=call.zone).isoformat()

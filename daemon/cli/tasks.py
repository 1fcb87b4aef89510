"""`nightdesk tasks` and `nightdesk history`: what waits, what runs, and what ran."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from daemon.cli import files
from daemon.cli.call import Call
from daemon.cli.command import Command, pass_call
from daemon.cli.tables import Column, Style, render
from daemon.cli.times import shower

Row = Mapping[str, Any]
COLOUR_OF = {"completed": "green", "discarded": "red", "retryable": "yellow", "executing": "cyan"}
UNFINISHED = ("available", "scheduled", "executing", "retryable")


@click.command("tasks", cls=Command)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Rows at most.")
@click.option("--state", type=click.Choice(UNFINISHED), help="Only those in this state.")
@pass_call
def tasks(call: Call, limit: int, state: str | None) -> None:
    """What waits and what runs, first come first."""
    query = {"limit": limit, "state": state}

    def read(saved: files.State) -> tuple[list[Row], int]:
        found = [task for task in saved["queue"] if state in (None, task["state"])]
        return found[:limit], saved["queueTotal"] if state is None else len(found)

    rows, total = files.ask_or_read(call, lambda: call.client.page("/api/tasks", query), read)
    if call.is_json:
        call.answer(rows)
        return
    call.say(_waiting(call, rows) if rows else "Nothing waits.")
    if total is not None and total > len(rows):
        call.note(f"{len(rows)} of {total}; --limit shows more")


@click.command("history", cls=Command)
@click.option("--limit", type=click.IntRange(1, 50), default=50, show_default=True, help="Rows at most.")
@click.option("--handler", metavar="NAME", help="Only the runs of this handler or schedule.")
@click.option("--failed", is_flag=True, help="Only runs that failed.")
@pass_call
def history(call: Call, limit: int, handler: str | None, failed: bool) -> None:
    """What ran: the last 50 runs, newest last. Heartbeats are not history."""
    rows = files.ask_or_read(call, lambda: call.client.get("/api/history"), lambda it: it["taskHistory"])
    kept = [row for row in rows if handler in (None, row["handler"], row["schedule"])]
    kept = [row for row in kept if not failed or _has_failed(row)]
    kept = kept[-limit:]
    if call.is_json:
        call.answer(kept)
    else:
        call.say(_ran(call, kept) if kept else "Nothing of that has run yet.")


def state_style(call: Call) -> Style | None:
    """The colours of task states, where there are colours."""
    if not call.has_colour:
        return None
    return lambda cell: click.style(cell, fg=COLOUR_OF.get(cell.strip()))


def _has_failed(row: Row) -> bool:
    return row["state"] in ("discarded", "retryable")


def _waiting(call: Call, rows: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title="ID"),
        Column(title="JOB"),
        Column(title="STATE", style=state_style(call)),
        Column(title="TRIGGER"),
        Column(title=f"DUE ({times.zone_name})"),
        Column(title="TRY", is_right=True),
        Column(title="ABOUT", may_be_cut=True),
    )
    cells = [
        [
            row["id"],
            row["schedule"] or row["handler"],
            row["state"],
            row["trigger"],
            times(row["scheduledAt"]),
            f"{row['attempt']}/{row['maxAttempts']}",
            row["error"] or row["slot"] or row["key"],
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)


def _ran(call: Call, rows: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title=f"ENDED ({times.zone_name})"),
        Column(title="JOB"),
        Column(title="STATE", style=state_style(call)),
        Column(title="TRIGGER"),
        Column(title="TRY", is_right=True),
        Column(title="TOOK", is_right=True),
        Column(title="RESULT", may_be_cut=True),
    )
    cells = [
        [
            times(row["finishedAt"]),
            row["schedule"] or row["handler"],
            row["state"],
            row["trigger"],
            f"{row['attempt']}/{row['maxAttempts']}",
            times.between(row["startedAt"], row["finishedAt"]),
            row["error"] or told(row["summary"]),
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)


def told(summary: Mapping[str, Any] | None) -> str:
    """What a run says of itself, in a line: "docsProcessed 900, markedForDraft 31"."""
    return ", ".join(f"{name} {value}" for name, value in (summary or {}).items())

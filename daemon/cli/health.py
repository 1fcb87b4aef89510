"""`nightdesk health`: how everything is now, and the daily report of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import DONE, WRONG
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, clean, render
from daemon.cli.waiting import FINAL, FIRST_WAIT_S, tell_end, wait_for

if TYPE_CHECKING:
    from daemon.operations import Operations

HANDLER = "daily-health"
EXAMINE_S = 30.0  # the slowest of what is examined gives up after 15 s
Row = Mapping[str, Any]


@click.group("health", cls=Group)
def health() -> None:
    """How everything is, and the daily report of it."""


@health.command()
@pass_call
def now(call: Call) -> int:
    """Ask every component for a proof that it works. Exit 1: something has to be seen to.

    Every channel is tried as far as that goes without a message.
    """

    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.health.now(deep=True)

    def asked() -> Any:
        return call.client.get("/api/reports/system/health", {"deep": 1}, wait_s=EXAMINE_S)

    with Progress() as progress:
        progress.show("asking every component")
        found = ask_or_do(call, asked, work, is_looking=True)
    if call.is_json:
        call.answer(found)
    else:
        call.say(_page(call, found))
    return DONE if found["status"] == "ok" else WRONG


@health.command()
@pass_call
def daily(call: Call) -> int:
    """Make the daily report now, send it, and show it. Exit 1: it was not sent, or found what is critical.

    It is made every morning by itself; the same is done here, also where no daemon runs.
    """

    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.run_once(HANDLER, {}, None)

    def asked() -> dict[str, Any]:
        body: dict[str, Any] = {"handler": HANDLER, "args": {}, "key": None}
        accepted = call.client.post("/api/tasks", body, {"wait": FIRST_WAIT_S}, wait_s=FIRST_WAIT_S)
        return accepted if accepted["state"] in FINAL else wait_for(call, accepted)

    with Progress() as progress:
        progress.show("asking every component")
        task = ask_or_do(call, asked, work)
    summary = task.get("summary") or {}
    text = _text_of(summary.get("file"))
    if call.is_json or not text:
        code = tell_end(call, task)
    else:
        call.say(text)
        code = DONE if task["state"] == "completed" else WRONG
    return WRONG if summary.get("critical") else code


def _text_of(file: str | None) -> str:
    """The report as it was written; empty where it was not."""
    if file is None:
        return ""
    try:
        return Path(file).with_suffix(".txt").read_text("utf-8").rstrip("\n")
    except OSError:
        return ""


def _page(call: Call, found: Row) -> str:
    columns = (
        Column(title="COMPONENT"),
        Column(title="STATUS"),
        Column(title="TOOK", is_right=True),
        Column(title="DETAIL", may_be_cut=True),
    )
    cells = [
        [name, part["status"], _ms(part["latencyMs"]), part["detail"]]
        for name, part in found["components"].items()
    ]
    lines = [f"status: {found['status']}", "", render(columns, cells, call.width), "", _kpis(call, found)]
    if found["recommendations"]:
        lines += ["", "What to do:"]
        lines += [f"  {clean(it['text'])}\n    {it['command']}" for it in found["recommendations"]]
    return "\n".join(lines)


def _kpis(call: Call, found: Row) -> str:
    columns = (
        Column(title="FIGURE"),
        Column(title="VALUE", is_right=True),
        Column(title="AIM"),
        Column(title="MET"),
        Column(title="OVER", may_be_cut=True),
    )
    cells = [
        [
            name,
            "-" if it["value"] is None else f"{it['value']:g} {it['unit']}",
            f"{it['target']} {it['unit']}",
            "-" if it["value"] is None else "yes" if it["met"] else "NO",
            it["over"],
        ]
        for name, it in found["kpis"].items()
    ]
    return render(columns, cells, call.width)


def _ms(latency_ms: float | None) -> str:
    return "-" if latency_ms is None else f"{latency_ms:.1f}ms"

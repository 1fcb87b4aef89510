"""`nightdesk monitor`: how full the queues are, and whether what was delivered is what should have been."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.digest import DateType
from daemon.cli.exits import DONE, WRONG
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, clean, render
from daemon.cli.times import shower
from daemon.durations import format_duration

if TYPE_CHECKING:
    from daemon.operations import Operations

REVIEW_S = 110.0  # three files of each of a hundred thousand reports
Row = Mapping[str, Any]


@click.group("monitor", cls=Group)
def monitor() -> None:
    """How full the queues are; what was delivered."""


@monitor.command()
@pass_call
def queues(call: Call) -> None:
    """The lanes of the queue, the unfinished tasks of each handler, and what the ledger owes by deadline."""

    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.health.queues()

    found = ask_or_do(call, lambda: call.client.get("/api/queues"), work, is_looking=True)
    if call.is_json:
        call.answer(found)
        return
    call.say("\n\n".join([_lanes(call, found), *_handlers(call, found), _loads(call, found["ledger"])]))


@monitor.command("post-completion")
@click.option("--date", "day", type=DateType(), help="Which date.  [the newest that is due]")
@pass_call
def post_completion(call: Call, day: date | None) -> int:
    """Look at every report of a date: delivered, kept, not empty, of that date and company, of usual size.

    Exit 1: at least one is not as it should be.
    """

    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.health.completion(day)

    def asked() -> Any:
        return call.client.get("/api/completion", {"date": day}, wait_s=REVIEW_S)

    with Progress() as progress:
        progress.show("reading the kept reports")
        found = ask_or_do(call, asked, work, is_looking=True)
    if call.is_json:
        call.answer(found)
    else:
        call.say(_review(call, found))
    return DONE if found["ok"] else WRONG


def _lanes(call: Call, found: Row) -> str:
    columns = (
        Column(title="LANE"),
        Column(title="DEPTH", is_right=True),
        Column(title="RUNNING", is_right=True),
        Column(title="LATER", is_right=True),
        Column(title="OLDEST", is_right=True),
    )
    cells = [
        [name, it["depth"], it["running"], it["later"], _age(it["oldestAgeS"])]
        for name, it in found["lanes"].items()
    ]
    return render(columns, cells, call.width)


def _age(age_s: float) -> str:
    return format_duration(timedelta(seconds=age_s)) if age_s else "-"


def _handlers(call: Call, found: Row) -> list[str]:
    columns = (Column(title="HANDLER"), Column(title="STATE"), Column(title="TASKS", is_right=True))
    cells = [
        [name, state, count] for name, counts in found["handlers"].items() for state, count in counts.items()
    ]
    return [render(columns, cells, call.width)] if cells else []


def _loads(call: Call, ledger: Row) -> str:
    if ledger["status"] == "off":
        return "No reports are configured."
    if ledger["status"] == "down":
        return f"The ledger does not answer: {clean(ledger['error'])}"
    if not ledger["loads"]:
        return "The ledger owes nothing."
    times = shower(call)
    columns = (
        Column(title=f"DEADLINE ({times.zone_name})"),
        Column(title="OPEN", is_right=True),
        Column(title="DUE", is_right=True),
        Column(title="MISSED"),
    )
    cells = [
        [times(it["deadlineAt"]), it["open"], it["due"], "YES" if it["isMissed"] else "no"]
        for it in ledger["loads"]
    ]
    return render(columns, cells, call.width)


def _review(call: Call, found: Row) -> str:
    told = f"{found['date']}: {found['delivered']:,} delivered reports"
    if found["ok"]:
        return f"{told}, all as they should be"
    columns = (Column(title="COMPANY"), Column(title="WRONG"), Column(title="DETAIL", may_be_cut=True))
    cells = [[it["companyId"], it["what"], it["detail"]] for it in found["findings"]]
    more = found["findingsTotal"] - len(found["findings"])
    rest = f"\nand {more:,} more" if more else ""
    return f"{told}, {found['findingsTotal']:,} findings\n\n{render(columns, cells, call.width)}{rest}"

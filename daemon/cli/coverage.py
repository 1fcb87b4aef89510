"""`nightdesk coverage`, `certificate` and `why`: who has a report, what proves it, and why one has not."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import alone, ask_or_do, has_embedded_ledger
from daemon.cli.call import Call
from daemon.cli.client import DaemonDown, segment
from daemon.cli.command import Command, Group, pass_call
from daemon.cli.digest import DateType
from daemon.cli.exits import DONE, HELD, WRONG, Stop
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, clean, render
from daemon.cli.times import shower

if TYPE_CHECKING:
    from daemon.operations import Operations

COUNTS = ("expected", "delivered", "degraded", "excused", "unknown", "failed", "missing")
CLEARED = "its rows were kept as long as they had to be, and are cleared away; the certificate remains"
SEAL_WAIT_S = 110  # a hundred thousand rows are read and hashed in some seconds
Row = Mapping[str, Any]


@click.command("coverage", cls=Command)
@click.option("--date", "day", type=DateType(), help="Which date.  [the newest that is due]")
@click.option("--days", type=click.IntRange(1, 400), help="So many dates up to it.")
@pass_call
def coverage(call: Call, day: date | None, days: int | None) -> None:
    """How many of those who are owed a report have it.

    DELIVERED counts the late and those by the template too, of which DEGRADED tells how many came in
    time; MISSING is who has nothing planned, or is past the deadline. The percentage leaves out who is
    excused, and is rounded down: 100 means all.
    """

    async def work(operations: "Operations") -> Any:
        if days is not None:
            return await operations.reports.coverages(day, days)
        return await operations.reports.coverage(day)

    query = {"date": day, "days": days}

    def asked() -> Any:
        return call.client.get("/api/coverage", query, wait_s=SEAL_WAIT_S)

    found = ask_or_do(call, asked, work, is_looking=True)
    if call.is_json:
        call.answer(found)
    else:
        call.say(_table(call, found if days is not None else [found]))


@click.group("certificate", cls=Group)
def certificate() -> None:
    """The certificates of coverage: write one, or see whether it holds."""


@certificate.command()
@click.argument("day", metavar="DATE", type=DateType())
@pass_call
def verify(call: Call, day: date) -> int:
    """Compare a date's certificate with the ledger, its files and the chain. Exit 1: it does not hold."""
    path = f"/api/certificates/{day}/verify"
    with Progress() as progress:
        progress.show("reading the rows")
        try:
            found = call.client.get(path, wait_s=SEAL_WAIT_S)
        except DaemonDown as down:
            if down.is_held:
                raise Stop(HELD, f"nightdesk: {down}; stop it, and ask again") from None
            found = _verified_here(call, day)
    if call.is_json:
        call.answer(found)
    else:
        call.say(_verdict(found))
    return DONE if found["ok"] else WRONG


@certificate.command()
@click.argument("day", metavar="DATE", type=DateType())
@pass_call
def write(call: Call, day: date) -> None:
    """Write a date's certificate, as each morning does for the day before."""

    async def work(operations: "Operations") -> Any:
        return await operations.reports.certify(day)

    path = f"/api/certificates/{day}"
    with Progress() as progress:
        progress.show("reading the rows")
        made = ask_or_do(call, lambda: call.client.post(path, {}, wait_s=SEAL_WAIT_S), work)
    if call.is_json:
        call.answer(made)
        return
    covered = made["coverage"]
    call.say(
        f"{made['date']}: {covered['delivered']} of {covered['expected'] - covered['excused']} delivered"
        f" ({_percent(covered)}), {made['rows']} rows, {made['hash']}"
    )


@click.command("why", cls=Command)
@click.argument("company")
@click.argument("day", metavar="[DATE]", required=False, type=DateType())
@pass_call
def why(call: Call, company: str, day: date | None) -> None:
    """Why a company has its report of a date, or has not: what led to it, link by link."""

    async def work(operations: "Operations") -> Any:
        return await operations.reports.why(company, day)

    path = f"/api/why/{segment(company)}/{day or 'newest'}"
    found = ask_or_do(call, lambda: call.client.get(path), work, is_looking=True)
    if call.is_json:
        call.answer(found)
    else:
        call.say(_account(call, found))


def _verified_here(call: Call, day: date) -> Any:
    """Verify where no daemon runs: an embedded ledger as it lies there, since opened it would be mended."""
    from daemon.check import prepare
    from daemon.operations.reports import verified
    from state.home import locked
    from state.ledger.at_rest import LedgerAtRest

    if not has_embedded_ledger(call, prepare(call.config_file, call.environ)):

        async def work(operations: "Operations") -> Any:
            return await operations.reports.verify(day)

        return alone(call, work)
    with locked(call.home):
        return asyncio.run(verified(LedgerAtRest(call.home.ledger), call.home, day))


def _table(call: Call, rows: Sequence[Row]) -> str:
    columns = (
        Column(title="DATE"),
        *(Column(title=name.upper(), is_right=True) for name in COUNTS),
        Column(title="PERCENT", is_right=True),
    )
    cells = [[row["date"], *(row[name] for name in COUNTS), _percent(row)] for row in rows]
    return render(columns, cells, call.width)


def _percent(row: Row) -> str:
    return "-" if row["percent"] is None else f"{row['percent']:g} %"


def _verdict(found: Row) -> str:
    if found["ok"]:
        holds = f"{found['date']}: the certificate holds, {found['rows']} rows, {found['hash']}"
        return f"{holds}\n  {CLEARED}" if found["cleared"] else holds
    lines = [f"{found['date']}: the certificate does NOT hold"]
    lines += [f"  {clean(problem)}" for problem in found["problems"]]
    lines += [
        f"  {clean(it['companyId'])}: {it['what']}, was {it['was'] or 'not there'}, is {it['is'] or 'gone'}"
        for it in found["differences"]
    ]
    unnamed = found["differencesTotal"] - len(found["differences"])
    return "\n".join([*lines, *([f"  and {unnamed} more rows"] if unnamed > 0 else [])])


def _account(call: Call, found: Row) -> str:
    times = shower(call)
    head = f"{clean(found['companyId'])} {found['date']} is {found['status']}: {clean(found['because'])}"
    parts = [head, f"decided by {found['decidedBy']}"]
    if found["advice"]:
        parts.append(clean(found["advice"]))
    if found["links"]:
        columns = (
            Column(title=f"AT ({times.zone_name})"),
            Column(title="WHAT"),
            Column(title="DETAIL", may_be_cut=True),
        )
        cells = [[times(it["at"]), it["event"], it["detail"]] for it in found["links"]]
        parts += ["", render(columns, cells, call.width)]
    return "\n".join(parts)

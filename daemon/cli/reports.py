"""`nightdesk reports`: every company's daily report, and what to do about those that are not there."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Group, pass_call
from daemon.cli.companies import NOBODY, rows_of_roster
from daemon.cli.digest import DateType
from daemon.cli.exits import WRONG
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, clean, render
from daemon.cli.times import shower
from daemon.cli.waiting import FINAL, FIRST_WAIT_S, tell_end, wait_for

if TYPE_CHECKING:
    from daemon.operations import Operations

PAGE = 5000
SHOWN = 20  # rows, where nobody says how many
ALL = 1_000_000
LONGEST_RANGE = 366
# As in `state.ledger.records`, which a call for help does not wait for.
STATUSES = (
    "planned, due, leased, produced, sent, delivered, delivered-late, delivered-degraded, excused, unknown,"
    " failed"
)
LONGEST_TOLD = 60
Row = Mapping[str, Any]


limit_option = click.option(
    "--limit", type=click.IntRange(1, ALL), help=f"Rows at most.  [{SHOWN}; all with --json]"
)


@click.group("reports", cls=Group)
def reports() -> None:
    """The daily reports: list, show, see to those that lack."""


@reports.command("list")
@click.option("--date", "day", type=DateType(), help="Of which date.  [the newest that is due]")
@click.option("--status", metavar="S", help=f"Only those: {STATUSES}.")
@limit_option
@pass_call
def listing(call: Call, day: date | None, status: str | None, limit: int | None) -> None:
    """The reports of a date, by company, and how each stands."""
    wanted = limit or (ALL if call.is_json else SHOWN)

    async def work(operations: "Operations") -> Any:
        return await operations.reports.listing(day, status, limit=wanted)

    asked = {"date": day, "status": status}
    rows, total = ask_or_do(call, lambda: _pages(call, "/api/reports", asked, wanted), work, is_looking=True)
    _tell_rows(call, rows, total, "No reports.")
    if not rows and day is None and not call.is_json:
        call.note("of the newest date that is due; --date names another")


@reports.command()
@click.option("--date", "day", type=DateType(), help="Of which date.  [the newest that is due]")
@limit_option
@pass_call
def missing(call: Call, day: date | None, limit: int | None) -> None:
    """Who has no report of a date and should have it: not planned, too late, failed, unknown."""
    wanted = limit or (ALL if call.is_json else SHOWN)

    async def work(operations: "Operations") -> Any:
        return await operations.reports.missing(day, limit=wanted)

    def asked() -> Any:
        return _pages(call, "/api/reports/missing", {"date": day}, wanted)

    rows, total = ask_or_do(call, asked, work, is_looking=True)
    is_nobody = not rows and not rows_of_roster(call, 1, is_all=True)
    _tell_rows(call, rows, total, NOBODY if is_nobody else "Nobody lacks a report.")


@reports.command()
@click.argument("company")
@click.argument("day", metavar="[DATE]", required=False, type=DateType())
@pass_call
def show(call: Call, company: str, day: date | None) -> None:
    """One company's report: how it stands, why, and its text as it was kept."""

    async def work(operations: "Operations") -> Any:
        return await operations.reports.show(company, day)

    path = f"/api/reports/{segment(company)}/{day or 'newest'}"
    found = ask_or_do(call, lambda: call.client.get(path), work, is_looking=True)
    if call.is_json:
        call.answer(found)
        return
    call.say(clean(found["why"]))
    if found["advice"]:
        call.say(clean(found["advice"]))
    call.say("\n" + _plain(found["text"]) if found["text"] else "No copy of it was kept.")


@reports.command()
@click.option("--date", "day", type=DateType(), help="One date.  [the newest that is due]")
@click.option("--from", "first", type=DateType(), help="The first date of several.")
@click.option("--to", "last", type=DateType(), help="The last of them.")
@click.option("--company", metavar="ID", help="Only this company's.")
@pass_call
def ensure(call: Call, day: date | None, first: date | None, last: date | None, company: str | None) -> int:
    """See to it that reports are there: those that are not delivered are made and sent, no other.

    Exit 1: some of them failed, are to be tried again later, or nobody knows whether they arrived.
    """
    days = _days(day, first, last)
    body = {"date": day, "from": first, "to": last, "company": company}

    async def work(operations: "Operations") -> Any:
        from daemon.operations.reports import WRITE_REPORTS

        await operations.companies.take_file()
        return await operations.run_once(WRITE_REPORTS, await operations.reports.wish(days, company), None)

    with Progress() as progress:
        progress.show("making reports")
        query = {"wait": FIRST_WAIT_S}
        made = ask_or_do(
            call,
            lambda: call.client.post("/api/reports/ensure", body, query, wait_s=FIRST_WAIT_S),
            work,
            with_schedules=True,
        )
    ended = made if made["state"] in FINAL else wait_for(call, made)
    code = tell_end(call, ended)
    return code if _are_there(ended) else WRONG


@reports.command()
@click.argument("company")
@click.argument("day", metavar="DATE", type=DateType())
@click.option(
    "--as", "as_", required=True, type=click.Choice(["delivered", "resend"]), help="It arrived, or not."
)
@click.option("--by", metavar="NAME", help="Who says so.  [the user]")
@pass_call
def resolve(call: Call, company: str, day: date, as_: str, by: str | None) -> None:
    """Settle a report that failed or is unknown: it arrived after all, or it is to be sent again."""
    who = by or call.user

    async def work(operations: "Operations") -> Any:
        return await operations.reports.resolve(company, day, as_, who)

    path = f"/api/reports/{segment(company)}/{day}/resolve"
    settled = ask_or_do(call, lambda: call.client.post(path, {"as": as_, "by": who}), work)
    if call.is_json:
        call.answer(settled)
    else:
        goes = "; it is sent again" if as_ == "resend" else ""
        call.say(f"{settled['companyId']} {settled['date']}: {settled['status']}{goes}")


def _tell_rows(call: Call, rows: Sequence[Row], total: int | None, none: str) -> None:
    if call.is_json:
        call.answer(rows)
        return
    call.say(_table(call, rows) if rows else none)
    if total is not None and total > len(rows):
        call.note(f"{len(rows)} of {total}; --limit shows more")


def _pages(
    call: Call, path: str, asked: Mapping[str, Any], limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Ask page by page, so that no answer of the daemon is too large for it."""
    query = dict(asked)
    rows: list[dict[str, Any]] = []
    total: int | None = None
    while len(rows) < limit:
        size, cursor = min(PAGE, limit - len(rows)), rows[-1]["companyId"] if rows else None
        page, total = call.client.page(path, {**query, "limit": size, "cursor": cursor})
        rows += page
        if len(page) < size:
            break
        query["date"] = page[-1]["date"]  # the same one, though a newer one may come due meanwhile
    return rows, total


def _are_there(ended: Row) -> bool:
    """Whether every report that was to be made has arrived, as far as the end of the task tells."""
    summary = ended["summary"] or {}
    return not any(summary.get(name) for name in ("failed", "putOff", "unknown"))


def _days(day: date | None, first: date | None, last: date | None) -> list[date]:
    if day is not None and (first or last):
        raise click.UsageError("name one --date, or a range by --from and --to, and not both")
    if (first is None) != (last is None):
        raise click.UsageError("a range has both --from and --to")
    if first is None or last is None:
        return [] if day is None else [day]
    if not 0 <= (last - first).days < LONGEST_RANGE:
        raise click.UsageError(f"--from {first} --to {last} is no range of 1 to {LONGEST_RANGE} dates")
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _table(call: Call, rows: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title="COMPANY", may_be_cut=True, most=40),
        Column(title="DATE"),
        Column(title="STATUS"),
        Column(title="BY"),
        Column(title="TRIES", is_right=True),
        Column(title=f"DUE ({times.zone_name})"),
        Column(title="DELIVERED"),
        Column(title="CHANNEL", may_be_cut=True),
        Column(title="WHY", may_be_cut=True, most=LONGEST_TOLD),
    )
    cells = [
        [
            row["companyId"],
            row["date"],
            row["status"],
            row["rung"],
            row["attempts"],
            times(row["dueAt"]),
            times(row["deliveredAt"]),
            row["channel"],
            row["error"] or row["reason"],
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)


def _plain(text: str) -> str:
    """The text of a report with nothing in it that could move a terminal's cursor."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)

"""`nightdesk companies`: the roster, and how a company is paused."""

import io
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import DONE, WRONG
from daemon.cli.tables import Column, clean, render

if TYPE_CHECKING:
    from daemon.operations import Operations

NOBODY = "Nobody is on the roster; nightdesk companies import FILE brings companies."
STDIN = "-"
PAGE = 1000
IMPORT_S = 600.0  # a hundred thousand companies on a slow disk take a minute
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Row = Mapping[str, Any]


@click.group("companies", cls=Group, invoke_without_command=True)
@click.pass_context
def companies(ctx: click.Context) -> None:
    """Who is owed a report: import, list, pause, resume."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(listing)


@companies.command("import")
@click.argument(
    "source", metavar="FILE", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
)
@click.option("--yes", "is_confirmed", is_flag=True, help="Even if more than a fifth would leave.")
@click.option("--dry-run", "is_trial", is_flag=True, help="Only say what would change, and what is wrong.")
@pass_call
def import_(call: Call, source: str, is_confirmed: bool, is_trial: bool) -> int:
    """Make the roster what a file says, JSON or CSV; - is stdin.

    Whoever is not in it has left. A bad row is named with its line and spoils no other: a company with a
    bad row stays as it was. Exit 1: something was refused.
    """
    data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    name = "stdin" if source == STDIN else source
    query = {"source": name, "by": call.user, "yes": int(is_confirmed), "dryRun": int(is_trial)}

    async def work(operations: "Operations") -> Any:
        return await operations.companies.import_roster(
            io.BytesIO(data), name, call.user, is_confirmed=is_confirmed, is_trial=is_trial
        )

    def asked() -> Any:
        return call.client.post("/api/companies/import", data, query, wait_s=IMPORT_S)

    return _tell_import(call, name, ask_or_do(call, asked, work), is_trial=is_trial)


@companies.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000_000), help="Rows at most.  [20; all with --json]")
@click.option("--after", default="", metavar="ID", help="Begin behind this company.")
@click.option("--all", "is_all", is_flag=True, help="Also those that have left.")
@pass_call
def listing(call: Call, limit: int | None = None, after: str = "", is_all: bool = False) -> None:
    """The companies by id: their zone, their days, whom their report goes to."""
    most = limit or (1_000_000 if call.is_json else 20)
    rows = rows_of_roster(call, most + 1, after, is_all=is_all)
    if call.is_json:
        call.answer(rows[:most])
        return
    call.say(_table(call, rows[:most]) if rows else NOBODY)
    if len(rows) > most:
        call.note(f"there are more: --limit shows them, or --after {rows[most - 1]['id']}")


@companies.command()
@click.argument("company_id", metavar="ID")
@click.option("--until", required=True, metavar="D", help="The first date that is served again.")
@click.option("--reason", required=True, metavar="R", help="Why, for whoever wonders that no report comes.")
@click.option("--by", metavar="NAME", help="On whose word.  [the user]")
@pass_call
def pause(call: Call, company_id: str, until: str, reason: str, by: str | None) -> None:
    """Owe a company nothing before a date; each day is excused with the reason."""
    body = {"until": until, "reason": reason, "by": by or call.user}

    async def work(operations: "Operations") -> Any:
        return await operations.companies.pause(company_id, **body)

    path = f"/api/companies/{segment(company_id)}/pause"
    _tell(call, ask_or_do(call, lambda: call.client.post(path, body), work))


@companies.command()
@click.argument("company_id", metavar="ID")
@click.option("--by", metavar="NAME", help="On whose word.  [the user]")
@pass_call
def resume(call: Call, company_id: str, by: str | None) -> None:
    """End a pause: what is still ahead is owed again."""
    body = {"by": by or call.user}

    async def work(operations: "Operations") -> Any:
        return await operations.companies.resume(company_id, **body)

    path = f"/api/companies/{segment(company_id)}/resume"
    _tell(call, ask_or_do(call, lambda: call.client.post(path, body), work))


def rows_of_roster(call: Call, most: int, after: str = "", *, is_all: bool = False) -> list[Row]:
    """So many companies at most, asked for page by page."""

    async def work(operations: "Operations") -> Any:
        return await operations.companies.listing(after, most, is_all=is_all)

    def asked() -> list[Row]:
        rows: list[Row] = []
        begin, is_over = after, False
        while not is_over and len(rows) < most:
            wanted = min(PAGE, most - len(rows))
            query = {"after": begin or None, "limit": wanted, "all": int(is_all)}
            page = call.client.get("/api/companies", query)
            rows += page
            is_over = len(page) < wanted
            begin = begin if is_over else page[-1]["id"]
        return rows

    found: list[Row] = ask_or_do(call, asked, work, is_looking=True)
    return found


def _tell_import(call: Call, name: str, done: Mapping[str, Any], *, is_trial: bool) -> int:
    code = WRONG if done["refusedTotal"] or (done["shrinking"] and not done["applied"]) else DONE
    for it in done["refused"]:
        call.note(f"{name}:{it['line']}: {it['reason']}")
    if done["refusedTotal"] > len(done["refused"]):
        call.note(f"{name}: {done['refusedTotal'] - len(done['refused']):,} more rows were refused")
    if done["shrinking"]:
        call.note(
            f"nightdesk: {done['departed']:,} companies would leave, more than a fifth of all;"
            " with --yes they do"
        )
    if call.is_json:
        call.answer(done)
        return code
    lead = "would be: " if is_trial else "nothing is changed; it would be: " if not done["applied"] else ""
    refused = f", {done['refusedTotal']:,} rows refused" if done["refusedTotal"] else ""
    call.say(
        f"{lead}{done['total']:,} companies: {done['added']:,} new, {done['changed']:,} changed,"
        f" {done['departed']:,} left{refused}"
    )
    return code


def _tell(call: Call, company: Row) -> None:
    if call.is_json:
        call.answer(company)
    elif company["pausedUntil"] is None:
        call.say(f"{company['id']}: not paused")
    else:
        call.say(f"{company['id']}: paused until {company['pausedUntil']}: {clean(company['pauseReason'])}")


def _table(call: Call, rows: Sequence[Row]) -> str:
    columns = (
        Column(title="ID"),
        Column(title="NAME", may_be_cut=True, most=40),
        Column(title="ZONE"),
        Column(title="GOES TO", may_be_cut=True, most=60),
        Column(title="BY"),
        Column(title="DAYS"),
        Column(title="STANDING", may_be_cut=True),
    )
    cells = [
        [
            row["id"],
            row["name"],
            row["timezone"],
            ", ".join([*row["recipients"], *([row["channel"]] if row["channel"] else [])]),
            row["deadline"],
            "all" if row["weekdays"] is None else " ".join(DAYS[day - 1] for day in row["weekdays"]),
            _standing(row, call.now),
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)


def _standing(row: Row, now: datetime) -> str:
    if row["leftOn"] is not None:
        return f"left on {row['leftOn']}"
    if not row["active"]:
        return "not active"
    today = now.astimezone(ZoneInfo(row["timezone"])).date()
    if row["pausedUntil"] is not None and date.fromisoformat(row["pausedUntil"]) > today:
        return f"paused until {row['pausedUntil']}: {row['pauseReason']}"
    return "active"

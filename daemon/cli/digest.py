"""`nightdesk digest`: the digests, and sending one."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from daemon.cli import files
from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import WRONG, Stop
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, render
from daemon.cli.times import shower
from daemon.cli.waiting import FINAL, FIRST_WAIT_S, tell_end, wait_for

if TYPE_CHECKING:
    from daemon.operations import Operations

SEND_DIGEST = "send-digest"


class DateType(click.ParamType[date]):
    """A date on the command line: 2026-11-21."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f'"{value}" is no date; write it as 2026-11-21', param, ctx)


@click.group("digest", cls=Group)
def digest() -> None:
    """The digests: list, show, send."""


@digest.command("list")
@click.option("--limit", type=click.IntRange(1, 400), default=30, show_default=True, help="Rows at most.")
@pass_call
def listing(call: Call, limit: int) -> None:
    """The digests by date, newest first."""
    rows = files.ask_or_read(
        call, lambda: call.client.get("/api/digests", {"limit": limit}), lambda _: _from_files(call, limit)
    )
    if call.is_json:
        call.answer(rows)
    else:
        call.say(_table(call, rows) if rows else "No digest has been made yet.")


@digest.command()
@click.argument("day", metavar="[DATE]", required=False, type=DateType())
@pass_call
def show(call: Call, day: date | None) -> None:
    """The digest of a date, or the newest: what was marked, and why."""
    path = f"/api/digests/{day or 'newest'}"
    found = files.ask_or_read(call, lambda: call.client.get(path), lambda _: _file_of(call, day))
    if call.is_json:
        call.answer(found)
    else:
        call.say(_told(call, found))


@digest.command()
@click.argument("day", metavar="[DATE]", required=False, type=DateType())
@click.option("--again", is_flag=True, help="Also where nobody knows whether it has arrived.")
@pass_call
def send(call: Call, day: date | None, again: bool) -> int:
    """Send the digest of a date, or what this morning would send; what was sent is not sent again."""

    async def work(operations: "Operations") -> dict[str, Any]:
        from daemon.operations import digest_args

        return await operations.run_once(SEND_DIGEST, digest_args(day, again=again), None)

    path, query = f"/api/digests/{day or 'newest'}/send", {"wait": FIRST_WAIT_S}
    with Progress() as progress:
        progress.show("sending")
        sent = ask_or_do(
            call,
            lambda: call.client.post(path, {"again": again}, query, wait_s=FIRST_WAIT_S),
            work,
            with_schedules=True,
        )
    return tell_end(call, sent if sent["state"] in FINAL else wait_for(call, sent))


def _from_files(call: Call, limit: int) -> list[dict[str, Any]]:
    """The digest files; whether one was sent is known to the daemon alone."""
    rows = []
    for day, path in list(files.digest_paths(call).items())[:limit]:
        try:
            found = files.digest_of(day, path)
        except Stop as stop:
            call.note(str(stop))
            continue
        kept = {name: found[name] for name in ("date", "batchId", "generatedAt", "summary")}
        rows.append({**kept, "file": path.name})
    return rows


def _file_of(call: Call, day: date | None) -> dict[str, Any]:
    paths = files.digest_paths(call)
    wanted = day or next(iter(paths), None)
    if wanted is None:
        raise Stop(WRONG, "nightdesk: there is no digest yet; `nightdesk run-once nightly-batch` makes one")
    if wanted not in paths:
        raise Stop(
            WRONG, f"nightdesk: there is no digest of {wanted}; `nightdesk digest list` shows the dates"
        )
    return files.digest_of(wanted, paths[wanted])


def _table(call: Call, rows: Sequence[Mapping[str, Any]]) -> str:
    times = shower(call)
    columns = (
        Column(title="DATE"),
        Column(title=f"MADE ({times.zone_name})"),
        Column(title="READ", is_right=True),
        Column(title="MARKED", is_right=True),
        Column(title="SENT"),
        Column(title="FILE", may_be_cut=True),
    )
    cells = [
        [
            row["date"],
            times(row["generatedAt"]),
            row["summary"]["docsProcessed"],
            row["summary"]["markedForDraft"],
            times(row["sentAt"]) if "sentAt" in row else "?",
            row["file"],
        ]
        for row in rows
    ]
    return render(columns, cells, call.width)


def _told(call: Call, found: Mapping[str, Any]) -> str:
    times, summary = shower(call), found["summary"]
    lines = [
        f"Digest of {found['date']}: {summary['markedForDraft']} of {summary['docsProcessed']} leads marked",
        f"made {times(found['generatedAt'])} {times.zone_name}, batch {found['batchId']}",
    ]
    columns = (
        Column(title="SCORE", is_right=True),
        Column(title="SUBREDDIT", may_be_cut=True, most=24),
        Column(title="TITLE", may_be_cut=True, most=80),
        Column(title="WHY", may_be_cut=True),
    )
    cells = [
        [f"{entry['score']:.2f}", entry.get("subreddit"), entry["title"], _why(entry["reasons"])]
        for entry in found["redditQueue"]
    ]
    return "\n".join([*lines, *(["", render(columns, cells, call.width)] if cells else [])])


def _why(reasons: Mapping[str, float]) -> str:
    """The parts of a score, largest first."""
    parts = sorted(reasons.items(), key=lambda it: -it[1])
    return ", ".join(f"{name} {value:.2f}" for name, value in parts if value > 0)

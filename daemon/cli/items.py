"""`nightdesk items`: the leads that wait for the nightly batch."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from daemon.cli import files
from daemon.cli.alone import alone
from daemon.cli.call import Call
from daemon.cli.client import DaemonDown
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import DONE, HELD, WRONG, Stop
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, render
from daemon.cli.times import shower

if TYPE_CHECKING:
    from daemon.operations import Operations
    from state.intake import Intake

STDIN = "-"
# One request stays well below the megabyte that the daemon takes.
CHUNK_BYTES = 700_000
CHUNK_ITEMS = 1000
Body = Mapping[str, Any]


class Source(NamedTuple):
    """A file of leads, read."""

    name: str
    intake: "Intake"


@click.group("items", cls=Group)
def items() -> None:
    """The leads that wait for the nightly batch."""


@items.command()
@click.argument(
    "sources",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True),
)
@pass_call
def add(call: Call, sources: Sequence[str]) -> int:
    """Take leads from files: a JSON array, or JSON lines; - is stdin.

    The same id twice is one lead. A bad line is named with its number, and spoils no other; the exit
    code is then 1.
    """
    with Progress() as progress:
        read = []
        for name in dict.fromkeys(sources):
            progress.show(f"reading {name}")
            read.append(Source("stdin" if name == STDIN else name, _read(name)))
        bodies = [body for source in read for body in source.intake.bodies]
        try:
            added, duplicates, refused = _send(call, bodies, progress)
        except DaemonDown as down:
            if down.is_held:
                raise Stop(HELD, f"nightdesk: {down}; one process at a time may change it") from None
            progress.show(f"storing {len(bodies)} leads")
            added, duplicates, refused = _store(call, bodies)
    return _tell(call, read, added, duplicates, refused)


@items.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Rows at most.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")
@click.option("--all", "is_all", is_flag=True, help="Also leads that a batch has judged; needs the daemon.")
@pass_call
def listing(call: Call, limit: int, offset: int, is_all: bool) -> None:
    """The leads that wait, first come first."""
    query = {"limit": limit, "offset": offset, "all": 1 if is_all else None}

    def read(saved: files.State) -> tuple[list[Body], int]:
        if is_all:
            call.note("nightdesk: only the leads that wait are in the state file")
        return saved["redditQueue"][offset : offset + limit], saved["redditQueueTotal"]

    rows, total = files.ask_or_read(call, lambda: call.client.page("/api/items", query), read)
    if call.is_json:
        call.answer(rows)
        return
    call.say(_table(call, rows) if rows else "No lead waits.")
    if total is not None and total > len(rows):
        call.note(f"{len(rows)} of {total}; --limit and --offset show others")


def _read(name: str) -> "Intake":
    from state.intake import read_items

    if name == STDIN:
        return read_items(sys.stdin.buffer)
    with Path(name).open("rb") as file:
        return read_items(_as_binary(file))


def _as_binary(file: Any) -> BinaryIO:
    binary: BinaryIO = file
    return binary


def _send(call: Call, bodies: Sequence[Body], progress: Progress) -> tuple[int, int, list[str]]:
    """Hand the leads to the daemon, chunk by chunk; each is on the disk before the next is sent."""
    added = duplicates = 0
    refused: list[str] = []
    for start, chunk in _chunks(bodies):
        answer = call.client.post("/api/items", chunk)
        added += answer["added"]
        duplicates += answer["duplicates"]
        refused += [f"{chunk[it['index']].get('id')}: {it['reason']}" for it in answer["refused"]]
        progress.show(f"{start + len(chunk)} of {len(bodies)} leads stored")
    return added, duplicates, refused


def _store(call: Call, bodies: Sequence[Body]) -> tuple[int, int, list[str]]:
    """Put the leads into the database, under the lock."""

    async def work(operations: "Operations") -> tuple[int, int, list[str]]:
        answer = await operations.add_items(bodies)
        refused = [f"{bodies[it['index']].get('id')}: {it['reason']}" for it in answer["refused"]]
        return answer["added"], answer["duplicates"], refused

    return alone(call, work)


def _chunks(bodies: Sequence[Body]) -> Iterator[tuple[int, Sequence[Body]]]:
    """Cut by number and size; an empty input is still one (empty) request, to find out who is there."""
    from state.codec import to_json

    start = size = 0
    for at, body in enumerate(bodies):
        length = len(to_json(body)) + 1
        if at > start and (size + length > CHUNK_BYTES or at - start == CHUNK_ITEMS):
            yield start, bodies[start:at]
            start, size = at, 0
        size += length
    yield start, bodies[start:]


def _tell(call: Call, read: Sequence[Source], added: int, duplicates: int, refused: Sequence[str]) -> int:
    bad = [
        {"file": source.name, "line": it.line, "reason": it.reason}
        for source in read
        for it in source.intake.refusals
    ]
    for it in bad:
        call.note(f"{it['file']}:{it['line']}: {it['reason']}")
    for reason in refused:
        call.note(f"nightdesk: the daemon refused {reason}")
    if call.is_json:
        call.answer({"added": added, "duplicates": duplicates, "refused": bad})
    else:
        known = f", {duplicates} known already" if duplicates else ""
        call.say(f"{added} leads added{known}" + (f", {len(bad)} refused" if bad else ""))
    return WRONG if bad or refused else DONE


def _table(call: Call, rows: Sequence[Body]) -> str:
    times = shower(call)
    columns = (
        Column(title="ID", may_be_cut=True, most=40),
        Column(title="SUBREDDIT", may_be_cut=True, most=24),
        Column(title="UPS", is_right=True),
        Column(title="SCORE", is_right=True),
        Column(title=f"MADE ({times.zone_name})"),
        Column(title="TITLE", may_be_cut=True, most=80),
    )
    cells = [
        [row["id"], row.get("subreddit"), row.get("ups"), _score(row), _made(call, row), row["title"]]
        for row in rows
    ]
    return render(columns, cells, call.width)


def _score(row: Body) -> str:
    score = row.get("judgedScore", row.get("score"))
    return "-" if score is None else f"{score:.2f}" + ("*" if row.get("selectedForDraft") else "")


def _made(call: Call, row: Body) -> str:
    from datetime import UTC, datetime

    created = row.get("created_utc")
    return shower(call)(None if created is None else datetime.fromtimestamp(created, UTC))

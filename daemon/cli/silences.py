"""`nightdesk alerts silence`, `silences`, `unsilence`: what is not told for a while, and on whose word."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon.cli import files
from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.client import segment
from daemon.cli.command import Command, pass_call
from daemon.cli.tables import Column, clean, render
from daemon.cli.times import shower
from state.codec import parse_time

if TYPE_CHECKING:
    from daemon.operations import Operations

Row = Mapping[str, Any]


@click.command("silence", cls=Command)
@click.argument("match")
@click.option("--for", "until", required=True, metavar="2h", help="How long, or until when; at most 24h.")
@click.option("--reason", required=True, help="Why, for whoever wonders later.")
@click.option("--owner", metavar="NAME", help="On whose word.  [the user]")
@pass_call
def silence(call: Call, match: str, until: str, reason: str, owner: str | None) -> None:
    """Tell nobody of the alerts that match, for a while; they are recorded all the same.

    MATCH is the name of an alert, or label=value; both may hold * and ?, and several are parted by
    commas: task.failed,handler=nightly-*
    """
    who = owner or call.user

    async def work(operations: "Operations") -> Any:
        return await operations.alerts.silence(match, until, reason, who)

    body = {"match": match, "until": until, "reason": reason, "owner": who}
    made = ask_or_do(call, lambda: call.client.post("/api/silences", body), work)
    if call.is_json:
        call.answer(made)
        return
    times = shower(call)
    ends = f"until {times(made['endsAt'])} {times.zone_name}"
    call.say(f"{clean(made['match'])}: silent {ends}; nightdesk alerts unsilence {made['id']} ends it")


@click.command("silences", cls=Command)
@pass_call
def silences(call: Call) -> None:
    """The silences in force: what, until when, on whose word, and why."""

    def read(saved: files.State) -> list[Row]:
        return [it for it in saved.get("silences", ()) if parse_time(it["endsAt"]) > call.now]

    rows = files.ask_or_read(call, lambda: call.client.get("/api/silences"), read)
    if call.is_json:
        call.answer(rows)
    else:
        call.say(_table(call, rows) if rows else "No silences.")


@click.command("unsilence", cls=Command)
@click.argument("silence_id", metavar="ID")
@click.option("--by", metavar="NAME", help="Who ends it.  [the user]")
@pass_call
def unsilence(call: Call, silence_id: str, by: str | None) -> None:
    """End a silence before its time."""
    who = by or call.user

    async def work(operations: "Operations") -> Any:
        return await operations.alerts.end_silence(silence_id, who)

    path = f"/api/silences/{segment(silence_id)}/end"
    ended = ask_or_do(call, lambda: call.client.post(path, {"by": who}), work)
    if call.is_json:
        call.answer(ended)
    else:
        call.say(f"{clean(ended['match'])}: told again from now on")


def _table(call: Call, rows: Sequence[Row]) -> str:
    times = shower(call)
    columns = (
        Column(title="ID"),
        Column(title="MATCH", may_be_cut=True),
        Column(title=f"UNTIL ({times.zone_name})"),
        Column(title="OWNER", may_be_cut=True),
        Column(title="REASON", may_be_cut=True),
    )
    cells = [[it["id"], it["match"], times(it["endsAt"]), it["owner"], it["reason"]] for it in rows]
    return render(columns, cells, call.width)

"""`nightdesk state`: whether what is remembered is whole, and what it is."""

import click

from daemon.cli import files
from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import DONE, WRONG, Stop
from daemon.cli.tables import Column, render


@click.group("state", cls=Group)
def state() -> None:
    """Verify what is remembered, or show it."""


@state.command()
@pass_call
def verify(call: Call) -> int:
    """Look over the state file, the database, its backups and the digests. Exit 1: something is wrong.

    Nothing is changed; a daemon may be running meanwhile.
    """
    from daemon.cli.verify import findings_of

    if not call.home.folder.is_dir():
        raise Stop(WRONG, f"nightdesk: there is no home at {call.home.folder}; --home names another")
    found = findings_of(call.home)
    if call.is_json:
        call.answer([{"what": it.what, "ok": it.is_ok, "detail": it.detail} for it in found])
    else:
        columns = (Column(title="WHAT"), Column(title="FOUND"), Column(title="DETAIL", may_be_cut=True))
        cells = [[it.what, "ok" if it.is_ok else "WRONG", it.detail] for it in found]
        call.say(render(columns, cells, call.width))
    return DONE if all(it.is_ok for it in found) else WRONG


@state.command()
@pass_call
def show(call: Call) -> None:
    """The state file, laid out for reading; at most a second behind a running daemon."""
    from state.codec import to_pretty_json

    saved = files.saved_state(call)
    if call.is_json:
        call.answer(saved)
    else:
        call.say(to_pretty_json(saved).decode())

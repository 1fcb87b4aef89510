"""`nightdesk token`: a bearer token for the HTTP API."""

import re

import click

from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call

# As names in the configuration are; what checks those takes too long to load.
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


@click.group("token", cls=Group)
def token() -> None:
    """Make a bearer token for the HTTP API."""


@token.command()
@click.option(
    "--name",
    default="team",
    show_default=True,
    callback=lambda _ctx, _param, value: _fit(value),
    help="Whose it is: the log calls it so.",
)
@click.option(
    "--scope",
    type=click.Choice(["read", "operate"]),
    default="read",
    show_default=True,
    help="Look at everything, or also do things.",
)
@pass_call
def new(call: Call, name: str, scope: str) -> None:
    """Print a new token once, and the entry for the configuration that knows it by its hash.

    Nothing is written: the token is nowhere but in this answer.
    """
    from daemon.web.tokens import hash_text, new_token
    from state.codec import to_pretty_json

    made = new_token()
    entry = {"name": name, "scope": scope, "hash": hash_text(made)}
    if call.is_json:
        call.answer({"token": made, "entry": entry})
        return
    call.say(made)
    call.note("it is shown this once; keep it where secrets are kept, and show it as")
    call.note("  Authorization: Bearer TOKEN")
    call.note("the entry for http.tokens in the configuration, in force after a reload:")
    call.note(to_pretty_json(entry).decode())


def _fit(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise click.BadParameter(f'"{name}" cannot be a name; letters, digits, dots, dashes and underscores')
    return name

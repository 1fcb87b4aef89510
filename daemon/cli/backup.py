"""`nightdesk backup`: the second path of the daily reports, by hand."""

import click

from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.trigger import run_once

BACKUP_REPORTS = "backup-reports"


@click.group("backup", cls=Group)
def backup() -> None:
    """The backup of the daily reports, by hand."""


@backup.command()
@click.pass_context
@pass_call
def run(_call: Call, ctx: click.Context) -> int:
    """Look for reports that are missing, failed or stuck, and have them made, with or without a daemon."""
    code: int = ctx.invoke(run_once, handler=BACKUP_REPORTS, pairs=(), key=None)
    return code

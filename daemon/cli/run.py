"""`nightdesk run`: the daemon in the foreground."""

import gc
import sys

import click

from daemon.cli.call import Call
from daemon.cli.command import Command, pass_call


@click.command("run", cls=Command)
@click.option(
    "--log/--no-log",
    "to_stderr",
    default=None,
    help="Write the log to stderr as well.  [at a terminal and under systemd]",
)
@pass_call
def run(call: Call, to_stderr: bool | None) -> int:
    """Run the daemon in the foreground until it is told to stop: SIGTERM, or ctrl-C.

    SIGHUP has it read its configuration again; one with mistakes is refused, and the old one stays.
    """
    # What is loaded now stays, so looking through it for rubbish only costs: a tenth of the start.
    # The service turns the collector on again when it is ready.
    gc.disable()
    from daemon.service import run_daemon

    if to_stderr is None:
        # Elsewhere nobody may be reading: a pipe that fills up would hold up the log.
        to_stderr = sys.stderr.isatty() or "JOURNAL_STREAM" in call.environ
    return run_daemon(call.config_file, call.home, call.environ, to_stderr=to_stderr)

"""`nightdesk watchdog`: the second process, which takes the place of this one."""

import os
import sys
from pathlib import Path

import click

import daemon
from daemon.cli.call import Call
from daemon.cli.command import Command, pass_call


@click.command("watchdog", cls=Command)
@click.option("--once", is_flag=True, help="Look once, and say what was seen.  Exit 1: it is not well.")
@click.option("--test", is_flag=True, help="Send a test message over each channel.")
@click.option("--failed", metavar="UNIT", help="Tell that a unit of systemd has failed.")
@pass_call
def watchdog(call: Call, once: bool, test: bool, failed: str | None) -> None:
    """Watch the daemon from outside: say so when it hangs or is gone, and when that is over.

    It runs as a process of its own until it is told to stop, and needs nothing but Python: so it still
    speaks when the daemon's own libraries do not. It tells by the channels of a critical alert.
    """
    if once + test + (failed is not None) > 1:
        raise click.UsageError("--once, --test and --failed are three errands; choose one")
    chosen = {"--config": call.config_file, "--home": call.home_folder, "--failed": failed}
    given = [part for name, value in chosen.items() if value is not None for part in (name, str(value))]
    given += ["--once"] * once + ["--test"] * test + ["--json"] * call.is_json
    sys.stdout.flush()
    sys.stderr.flush()
    # Replaced and not called: it is to hold the standard library alone, and none of what is loaded here.
    os.execv(sys.executable, [sys.executable, *_path_flags(), "-m", "daemon.watchdog", *given])  # noqa: S606


def _path_flags() -> list[str]:
    """Keep a `daemon` in the current folder from being taken for ours, unless ours is there."""
    return [] if Path(daemon.__file__).parents[1] == Path.cwd() else ["-P"]

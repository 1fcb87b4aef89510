"""One call of the program: what was chosen on the command line, and where its answers go."""

import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from state.home import Home, find_home

if TYPE_CHECKING:
    from daemon.cli.client import Client

CONFIG_NAME = "orchestrator_config.json"


class Call:
    """What every command is handed. Nothing is read or opened before it is asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.config_file: Path | None = None
        self.home_folder: str | None = None
        self.is_json = False
        self.is_debug = False

    @cached_property
    def home(self) -> Home:
        """The home as chosen, else as the environment says, else `var/` beside the config."""
        folder = self.config_file.parent if self.config_file is not None else Path()
        return find_home(self.home_folder, folder.resolve(), self.environ)

    @cached_property
    def client(self) -> "Client":
        """The way to the daemon of this home."""
        from daemon.cli.client import Client

        return Client(self.home)

    @cached_property
    def zone(self) -> tzinfo:
        """The zone of the config, as far as can be told without checking all of it; else UTC."""
        from zoneinfo import ZoneInfo

        from state.codec import from_json

        try:
            named = from_json((self.config_file or Path(CONFIG_NAME)).read_bytes())["timezone"]
            return ZoneInfo(named)
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return UTC

    @cached_property
    def now(self) -> datetime:
        """The time of this call."""
        from daemon.clock import SystemClock

        return SystemClock().now()

    @property
    def user(self) -> str:
        """Who calls, for what is done on somebody's word."""
        return self.environ.get("USER") or "operator"

    @property
    def width(self) -> int | None:
        """How wide the terminal is; None where the output goes elsewhere, and is not cut."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    @property
    def has_colour(self) -> bool:
        return sys.stdout.isatty() and not self.environ.get("NO_COLOR")

    def answer(self, value: Any) -> None:
        """Write a value to stdout as one line of JSON."""
        from state.codec import to_json

        self.say(to_json(value).decode())

    def say(self, text: str) -> None:
        """Write to stdout, for who asked."""
        try:
            click.echo(text, color=True if self.has_colour else None)
        except BrokenPipeError:
            # Whoever read has had enough, as `head` does. What is still buffered must not fail at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None

    def note(self, text: str) -> None:
        """Write to stderr, beside the answer."""
        click.echo(text, err=True)

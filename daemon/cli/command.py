"""Commands and groups as the whole program has them: the global options stand before or after any name."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click

from daemon import __version__
from daemon.cli import COMMANDS, Row
from daemon.cli.call import Call

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
EPILOG = """\b
Shell completion: eval "$(_NIGHTDESK_COMPLETE=bash_source nightdesk)" in ~/.bashrc;
zsh_source and fish_source for the others.
\b
Exit codes: 0 done, 1 found wrong or failed, 2 usage, 65 state unreadable, 69 daemon needed and
not running, 70 internal, 75 another instance holds this home, 78 configuration."""

pass_call = click.make_pass_decorator(Call)


def global_options() -> list[click.Parameter]:
    """The options that every command takes."""
    return [
        _option("--config", "config_file", Path, "FILE", "The configuration.  [./orchestrator_config.json]"),
        _option("--home", "home_folder", str, "DIR", "Where state and logs are.  [var/ beside the config]"),
        _flag("--json", "is_json", "Answer in JSON, for scripts."),
        _flag("--debug", "is_debug", "Show the traceback of an unexpected error."),
    ]


class Command(click.Command):
    """A command that takes the global options after its name."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        attributes["params"] = [*(attributes.get("params") or ()), *global_options()]
        attributes.setdefault("context_settings", CONTEXT)
        super().__init__(name, **attributes)


class Group(click.Group):
    """A group whose commands, and itself, take the global options."""

    command_class = Command

    def __init__(self, name: str | None = None, **attributes: Any) -> None:
        attributes["params"] = [*(attributes.get("params") or ()), *global_options()]
        attributes.setdefault("context_settings", CONTEXT)
        super().__init__(name, **attributes)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that is none is answered with the one that was probably meant."""
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            meant = f'did you mean "{near[0]}"?' if near else f"see {ctx.command_path} --help"
            ctx.fail(f'there is no command "{name}"; {meant}')
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group that imports a command when it is called, and lists them without importing any."""

    def __init__(self, name: str, rows: Mapping[str, Row], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._rows = rows

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._rows:
            return None
        loaded = resolve_name(self._rows[cmd_name].command)
        assert isinstance(loaded, click.Command)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.summary) for name, row in self._rows.items()])


def program() -> LazyGroup:
    """The whole command line."""
    version = click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="The version."
    )
    return LazyGroup(
        "nightdesk",
        COMMANDS,
        params=[version],
        help="Sees to it that every report and digest goes out, and that someone hears when it does not.",
        epilog=EPILOG,
        callback=lambda: None,
    )


def _option(flag: str, field: str, kind: Callable[[str], Any], metavar: str, text: str) -> click.Option:
    def keep(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None and (call := ctx.find_object(Call)) is not None:
            setattr(call, field, kind(value))

    return click.Option([flag, field], metavar=metavar, expose_value=False, callback=keep, help=text)


def _flag(flag: str, field: str, text: str) -> click.Option:
    def keep(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and (call := ctx.find_object(Call)) is not None:
            setattr(call, field, True)

    return click.Option([flag, field], is_flag=True, expose_value=False, callback=keep, help=text)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"nightdesk {__version__}")
        ctx.exit()

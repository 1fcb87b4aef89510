"""`nightdesk init`: a configuration to start from."""

from pathlib import Path

import click

from daemon.cli.call import CONFIG_NAME, Call
from daemon.cli.command import Command, pass_call
from daemon.cli.exits import WRONG, Stop
from daemon.data import data_file

SCHEMA_NAME = "orchestrator_config.schema.json"


@click.command("init", cls=Command)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@pass_call
def init(call: Call, folder: Path) -> None:
    """Write orchestrator_config.json, and the schema that explains every key to an editor.

    A configuration that is there already is left as it is.
    """
    config, schema = folder / CONFIG_NAME, folder / SCHEMA_NAME
    if config.exists():
        raise Stop(WRONG, f"nightdesk: {config} is there already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    written = [path for path in (schema, config) if _write(path)]
    if call.is_json:
        call.answer({"written": [str(path) for path in written]})
        return
    for path in written:
        call.say(f"written: {path}")
    call.say(f"next: nightdesk --config {config} config check")


def _write(path: Path) -> bool:
    """Write a file that ships with the program, unless one is there; opened so that none is overwritten."""
    try:
        with path.open("xb") as file:
            file.write(data_file(path.name).read_bytes())
    except FileExistsError:
        return False
    return True

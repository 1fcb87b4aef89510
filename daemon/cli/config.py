"""`nightdesk config`: whether the configuration is sound, what is in force, and what may be written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import CONFIG, DONE, WRONG
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, render
from daemon.cli.times import shower
from daemon.cli.trials import table as table_of_trials

if TYPE_CHECKING:
    from daemon.check import Prepared
    from daemon.config import Problem
    from daemon.engine.spec import ScheduleSpec

FIRES_SHOWN = 5


@click.group("config", cls=Group)
def config() -> None:
    """Check the configuration, show it, or its schema."""


@config.command()
@click.option(
    "--online", "is_online", is_flag=True, help="Also try every channel, without sending a message."
)
@pass_call
def check(call: Call, is_online: bool) -> int:
    """Tell all mistakes at once, each with its file and line; else the next fires of each schedule.

    Nothing is started and nothing written. Exit 78: there are mistakes. Exit 1: with --online, a channel
    does not answer as it should.
    """
    from daemon.check import prepare
    from daemon.config import ConfigError

    try:
        prepared = prepare(call.config_file, call.environ)
    except ConfigError as error:
        if call.is_json:
            call.answer(_as_json(error.problems, (), []))
            return CONFIG
        raise
    trials = _tried(call, prepared) if is_online else None
    upcoming = [(spec, _next_fires(spec, call)) for spec in prepared.schedules]
    if call.is_json:
        answer = _as_json((), prepared.warnings, [_row(spec, slots) for spec, slots in upcoming])
        call.answer(answer if trials is None else {**answer, "channels": trials})
    else:
        for warning in prepared.warnings:
            call.note(f"{warning} (warning)")
        call.say(_summary(prepared))
        if upcoming:
            call.say("\n" + _table(call, upcoming))
        if trials is not None:
            call.say("\n" + table_of_trials(call, trials))
    return DONE if all(trial["ok"] for trial in trials or ()) else WRONG


def _row(spec: "ScheduleSpec", slots: Sequence[Any]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "handler": spec.handler,
        "cron": spec.line.text,
        "timezone": spec.line.timezone,
        "next": [slot.instant for slot in slots],
    }


def _tried(call: Call, prepared: "Prepared") -> list[dict[str, Any]]:
    """Open every channel that was configured, and go as far with it as one can without a message."""
    import asyncio

    from daemon.clock import SystemClock
    from daemon.notify.trial import try_out
    from daemon.opening import open_channels

    async def tried() -> list[dict[str, Any]]:
        clock = SystemClock()
        http, channels = open_channels(prepared, clock, call.home.logs)
        try:
            return [trial.as_row() for trial in await try_out(channels, clock)]
        finally:
            await http.close()

    with Progress() as progress:
        progress.show("asking every channel")
        return asyncio.run(tried())


@config.command()
@pass_call
def schema(call: Call) -> None:
    """The JSON Schema of the configuration, for editors."""
    from daemon.config.schema import json_schema

    _say_json(call, json_schema())


@config.command()
@pass_call
def show(call: Call) -> None:
    """What is in force: the file, the environment, and what stands in for the rest; secrets as ***."""
    from daemon.config import load_config
    from daemon.config.schema import config_in_force

    _say_json(call, config_in_force(load_config(call.config_file, call.environ)))


def _say_json(call: Call, value: Any) -> None:
    from state.codec import to_pretty_json

    if call.is_json:
        call.answer(value)
    else:
        call.say(to_pretty_json(value).decode())


def _next_fires(spec: "ScheduleSpec", call: Call) -> list[Any]:
    slots = [spec.line.first_after(call.now)]
    while len(slots) < FIRES_SHOWN:
        slots.append(spec.line.next_after(slots[-1]))
    return slots


def _summary(prepared: "Prepared") -> str:
    config = prepared.config
    where = config.path or "no file: everything is as shipped"
    channels = ", ".join(sorted(prepared.channels)) or "none"
    return (
        f"{where}: no mistakes\n"
        f"{len(prepared.handlers)} handlers, {len(prepared.schedules)} schedules, channels: {channels}"
    )


def _table(call: Call, upcoming: Sequence[tuple["ScheduleSpec", list[Any]]]) -> str:
    times = shower(call)
    columns = (
        Column(title="SCHEDULE"),
        Column(title="CRON"),
        Column(title="ZONE"),
        Column(title=f"NEXT FIVE ({times.zone_name})", may_be_cut=True),
    )
    cells = [
        [spec.name, spec.line.text, spec.line.timezone, ", ".join(times(slot.instant) for slot in slots)]
        for spec, slots in upcoming
    ]
    return render(columns, cells, call.width)


def _as_json(
    problems: Sequence["Problem"], warnings: Sequence["Problem"], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    def shown(found: Sequence["Problem"]) -> list[dict[str, Any]]:
        return [{"file": it.file, "line": it.line, "key": it.key, "text": it.text} for it in found]

    return {
        "ok": not problems,
        "problems": shown(problems),
        "warnings": shown(warnings),
        "schedules": rows,
    }

"""`nightdesk trigger` and `nightdesk run-once`: have something run now."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import alone
from daemon.cli.call import Call
from daemon.cli.client import DaemonDown, segment
from daemon.cli.command import Command, pass_call
from daemon.cli.exits import HELD, Stop
from daemon.cli.progress import Progress
from daemon.cli.waiting import FINAL, FIRST_WAIT_S, tell_end, wait_for
from daemon.durations import parse_duration
from state.codec import NotJson, from_json

if TYPE_CHECKING:
    from daemon.operations import Operations


class DurationType(click.ParamType[timedelta]):
    """A duration on the command line: "30s", "10m"."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def read_args(pairs: Sequence[str]) -> dict[str, Any]:
    """What `--arg K=V` says: V is JSON where it is JSON, else text.

    Raises:
        click.UsageError: one has no name, or no =, or a name comes twice.
    """
    args: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--arg {pair}: write it as NAME=VALUE, as in --arg date=2026-11-21")
        if name in args:
            raise click.UsageError(f"--arg {pair}: {name} is given twice")
        try:
            args[name] = from_json(text)
        except NotJson:
            args[name] = text
    return args


@click.command("trigger", cls=Command)
@click.argument("name")
@click.option("--arg", "pairs", multiple=True, metavar="K=V", help="An argument; V is JSON, else text.")
@click.option("--key", metavar="K", help="Same key, same task: it is safe to ask again.")
@click.option("--wait", is_flag=True, help="Wait for its end, and exit 1 if it failed.")
@click.option(
    "--timeout", type=DurationType(), default="10m", show_default=True, help="How long --wait waits."
)
@pass_call
def trigger(
    call: Call, name: str, pairs: Sequence[str], key: str | None, wait: bool, timeout: timedelta
) -> int:
    """Run a schedule now, in the daemon, beside its slots.

    A handler that has no schedule of its name will do as well.
    """
    body = {"args": read_args(pairs), "key": key}
    path = f"/api/schedules/{segment(name)}/trigger"
    first_s = min(FIRST_WAIT_S, int(timeout.total_seconds())) if wait else 0
    try:
        accepted = call.client.post(path, body, {"wait": first_s}, wait_s=first_s)
    except DaemonDown as down:
        if down.is_held:
            raise
        hint = f"start it with `nightdesk run`, or do it alone: nightdesk run-once {name}"
        raise DaemonDown(f"{down}; {hint}", is_held=False) from None
    if wait:
        return tell_end(call, wait_for(call, accepted, timeout, waited_s=first_s))
    if call.is_json:
        call.answer({name: accepted[name] for name in ("id", "state", "duplicate")})
    else:
        known = "known already: the same key" if accepted["duplicate"] else "accepted"
        call.say(f"{name}: {known}, {accepted['state']}, task {accepted['id']}")
    return 0


@click.command("run-once", cls=Command)
@click.argument("handler")
@click.option("--arg", "pairs", multiple=True, metavar="K=V", help="An argument; V is JSON, else text.")
@click.option("--key", metavar="K", help="Same key, same task: it is safe to ask again.")
@pass_call
def run_once(call: Call, handler: str, pairs: Sequence[str], key: str | None) -> int:
    """Run one handler now, and wait for its end: here, under the lock of the home.

    Where a daemon holds the home, the daemon runs it.
    """
    from state.home import HomeLocked

    args = read_args(pairs)

    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.run_once(handler, args, key)

    try:
        with Progress() as progress:
            progress.show(f"{handler}: running")
            done = alone(call, work)
        return tell_end(call, done)
    except HomeLocked as held:
        try:
            body = {"handler": handler, "args": args, "key": key}
            accepted = call.client.post("/api/tasks", body, {"wait": FIRST_WAIT_S}, wait_s=FIRST_WAIT_S)
        except DaemonDown as down:
            raise Stop(HELD, f"nightdesk: {held}; and it does not answer: {down}") from None
    call.note(f"nightdesk: a daemon holds {call.home.folder}; it runs {handler} for us")
    return tell_end(call, accepted if accepted["state"] in FINAL else wait_for(call, accepted))

"""`nightdesk notify test CHANNEL` and `nightdesk test`: whether what the daemon relies on does its work."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.alone import ask_or_do
from daemon.cli.call import Call
from daemon.cli.command import Group, pass_call
from daemon.cli.exits import DONE, USAGE, WRONG, Stop
from daemon.cli.progress import Progress
from daemon.cli.tables import Column, render
from daemon.cli.trials import table as table_of_trials

if TYPE_CHECKING:
    from daemon.operations import Operations

TRY_LLM = "try-llm"
TRY_SOURCE = "try-source"
TRIAL_S = 45  # a provider or a question is given 30 s
SEND_S = 25.0  # more than the daemon allows one send
Row = Mapping[str, Any]


@click.group("notify", cls=Group)
def notify() -> None:
    """Send a test message on a channel."""


@notify.command("test")
@click.argument("channel")
@pass_call
def one(call: Call, channel: str) -> int:
    """Send a test message, and say what the receiver answered. Exit 1: it is not proved to have arrived."""
    found = _try(call, channel)
    if call.is_json:
        call.answer(found)
    else:
        call.say(_table(call, [found]))
    return DONE if found["delivered"] else WRONG


@click.group("test", cls=Group)
def test() -> None:
    """Try out what the daemon relies on."""


@test.command()
@pass_call
def channels(call: Call) -> int:
    """Send a test message on every configured channel. Exit 1: one is not proved to have arrived."""

    async def names(operations: "Operations") -> list[dict[str, Any]]:
        return await operations.channels.listing()

    known = ask_or_do(call, lambda: call.client.get("/api/channels"), names)
    found = [_try(call, channel["name"]) for channel in known]
    if call.is_json:
        call.answer(found)
    else:
        call.say(_table(call, found) if found else "No channel is configured.")
    return DONE if all(it["delivered"] for it in found) else WRONG


@test.command()
@click.argument("channel", required=False)
@pass_call
def smtp(call: Call, channel: str | None) -> int:
    """Go through every step of a mail server's protocol, without a mail. Exit 1: one of them failed.

    Without CHANNEL every channel of type smtp is tried.
    """

    async def work(operations: "Operations") -> list[dict[str, Any]]:
        return await operations.channels.check(channel, "smtp")

    body = {"channel": channel, "type": "smtp"}
    with Progress() as progress:
        progress.show("asking the mail server")
        found = ask_or_do(call, lambda: call.client.post("/api/channels/check", body, wait_s=SEND_S), work)
    if call.is_json:
        call.answer(found)
    else:
        call.say(table_of_trials(call, found))
    return DONE if all(it["ok"] for it in found) else WRONG


@test.command()
@pass_call
def redis(call: Call) -> int:
    """Connect to Redis, write, read and ask it how it is, each step with its time. Exit 1: one failed."""
    return _try_link(call, "redis")


@test.command()
@pass_call
def database(call: Call) -> int:
    """Connect to the ledger's database, write a row and read it back. Exit 1: one of the steps failed."""
    return _try_link(call, "database")


@test.command()
@pass_call
def llm(call: Call) -> int:
    """Ask every provider for one word. Exit 1: one of them did not answer. Exit 2: there is none."""

    return _try_by(call, TRY_LLM, "providers", none="llm.providers is empty, so there is nobody to ask")


@test.command()
@pass_call
def source(call: Call) -> int:
    """Ask the source of facts its questions, for no company. Exit 1: one failed. Exit 2: there is none."""
    return _try_by(call, TRY_SOURCE, "sources", none="reports.source is not set, so there is nothing to ask")


def _try_by(call: Call, handler: str, found_as: str, *, none: str) -> int:
    """Have a handler try something, and tell what it found.

    Raises:
        Stop: there is nothing to try, or it did not come to an end.
    """

    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.run_once(handler, {}, None)

    def asked() -> dict[str, Any]:
        body: dict[str, Any] = {"handler": handler, "args": {}, "key": None}
        found: dict[str, Any] = call.client.post("/api/tasks", body, {"wait": TRIAL_S}, wait_s=TRIAL_S)
        return found

    with Progress() as progress:
        progress.show(f"asking the {found_as}")
        task = ask_or_do(call, asked, work)
    if task["state"] != "completed":
        raise Stop(WRONG, f"nightdesk: {handler} is {task['state']}: {task.get('error') or 'not done yet'}")
    found: list[Row] = (task["summary"] or {}).get(found_as, [])
    if not found:
        raise Stop(USAGE, f"nightdesk: {none}")
    return _tell_trials(call, found, found_as.removesuffix("s").upper())


def _try_link(call: Call, name: str) -> int:
    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.health.check(name)

    with Progress() as progress:
        progress.show(f"asking {name}")
        body = {"name": name}
        found = ask_or_do(call, lambda: call.client.post("/api/links/check", body, wait_s=SEND_S), work)
    return _tell_trials(call, [found], "LINK")


def _tell_trials(call: Call, found: Sequence[Row], title: str) -> int:
    if call.is_json:
        call.answer(found)
    else:
        call.say(table_of_trials(call, found, title))
    return DONE if all(it["ok"] for it in found) else WRONG


def _try(call: Call, channel: str) -> dict[str, Any]:
    async def work(operations: "Operations") -> dict[str, Any]:
        return await operations.channels.test(channel)

    with Progress() as progress:
        progress.show(f"{channel}: sending")
        sent: dict[str, Any] = ask_or_do(
            call, lambda: call.client.post("/api/notify/test", {"channel": channel}, wait_s=SEND_S), work
        )
    return sent


def _table(call: Call, rows: Sequence[Row]) -> str:
    columns = (Column(title="CHANNEL"), Column(title="OUTCOME"), Column(title="ANSWER", may_be_cut=True))
    cells = [[row["channel"], row["state"], row["proof"] or row["error"]] for row in rows]
    return render(columns, cells, call.width)

"""What can be asked of channels."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from daemon.app import App
from daemon.check import prepare
from daemon.clock import SystemClock
from daemon.operations import Operations, Unfit, Unknown
from state.home import Home
from tests.daemon.notify.receivers import TOKEN, receiver, saying


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(stack: AsyncExitStack, folder: Path, url: str) -> Operations:
    """A home with one channel to `url`, and the log."""
    config = folder / "orchestrator_config.json"
    config.write_text(
        json.dumps({"channels": {"team": {"type": "slack", "url": url}}, "network": {"allowPrivate": True}})
    )
    home = Home(folder / "home", folder / "home" / "logs")
    home.make_folders()
    app = await stack.enter_async_context(App.opened(prepare(config, {}), home, SystemClock()))
    return Operations(app)


async def test_the_list_of_channels_says_how_each_fares(stack: AsyncExitStack, tmp_path: Path) -> None:
    made = await stack.enter_async_context(receiver(saying(200, "ok"), saying(404, "no_service")))
    channels = (await opened(stack, tmp_path, made.url)).channels
    rows = {row["name"]: row for row in await channels.listing()}
    assert {name: (row["type"], row["isDelivery"], row["state"]) for name, row in rows.items()} == {
        "log": ("log", False, "untried"),
        "team": ("slack", True, "untried"),
    }
    assert (await channels.test("team"))["delivered"] is True
    row = (await channels.listing())[1]
    assert (row["state"], row["error"]) == ("ok", None)
    assert row["lastOkAt"] == row["since"] is not None
    assert (await channels.test("team"))["state"] == "failed"
    dead = (await channels.listing())[1]
    assert (dead["state"], dead["lastOkAt"]) == ("dead", row["lastOkAt"])
    assert "404" in dead["error"]


async def test_a_check_goes_as_far_as_it_can_and_sends_no_message(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    made = await stack.enter_async_context(receiver(saying(405)))
    channels = (await opened(stack, tmp_path, made.url)).channels
    rows = {row["channel"]: row for row in await channels.check()}
    assert {name: row["ok"] for name, row in rows.items()} == {"log": True, "team": True}
    assert all(set(step) == {"name", "ok", "detail", "tookS"} for step in rows["team"]["steps"])
    assert b"".join(made.bodies) == b""
    assert [row["channel"] for row in await channels.check("team")] == ["team"]
    assert [row["channel"] for row in await channels.check(kind="slack")] == ["team"]


async def test_a_check_of_a_channel_that_nobody_listens_to_says_so_without_its_address(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    async with receiver(saying(200, "ok")) as made:
        url = made.url
    (row,) = await (await opened(stack, tmp_path, url)).channels.check("team")
    assert row["ok"] is False
    assert row["steps"][-1]["ok"] is False
    assert TOKEN not in json.dumps(row)


async def test_what_is_not_there_cannot_be_checked(stack: AsyncExitStack, tmp_path: Path) -> None:
    channels = (await opened(stack, tmp_path, "http://127.0.0.1:9/hook")).channels
    with pytest.raises(Unknown, match=r"did you mean .team"):
        await channels.check("taem")
    with pytest.raises(Unknown, match="no channel of type smtp is configured; known: log, team"):
        await channels.check(kind="smtp")
    with pytest.raises(Unfit, match="is of type slack, not smtp"):
        await channels.check("team", "smtp")

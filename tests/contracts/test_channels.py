"""What every channel promises, whatever it talks to."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from daemon.clock import SystemClock, VirtualClock
from daemon.notify import CHANNELS, Tools, channel_type, open_channel
from daemon.notify.base import Channel, ChannelError, Failure, Message, Receipt
from daemon.notify.http import HttpClient
from daemon.secret import Secret
from tests.daemon.notify.hostile import NOW, hostile_message
from tests.daemon.notify.receivers import (
    TOKEN,
    Receiver,
    Script,
    dripping_head,
    hanging_up,
    receiver,
    resetting,
    saying,
    silent,
    slack,
    talking_nonsense,
)

MESSAGE = Message(id="m1", kind="test", title="A test", text="It works.", created_at=NOW)


@dataclass(frozen=True)
class Rig:
    """How a row of the table is tried: a receiver that is as strict as the real one, and its entry."""

    strict: Callable[[], AbstractAsyncContextManager[Receiver]]
    options: Callable[[str], dict[str, Any]]  # by the receiver's address


REMOTE = {"slack": Rig(strict=slack, options=lambda url: {"url": Secret(url)})}
LOCAL: dict[str, dict[str, Any]] = {"log": {}}

remote = pytest.mark.parametrize("rig", REMOTE.values(), ids=REMOTE.keys())
every = pytest.mark.parametrize("name", CHANNELS)


@asynccontextmanager
async def tools(silence_s: float = 0.2) -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=silence_s)
    try:
        yield Tools(http=http, clock=VirtualClock(NOW))
    finally:
        await http.close()


def opened(rig: Rig, url: str, given: Tools) -> Channel:
    name = next(name for name, row in REMOTE.items() if row is rig)
    return open_channel(name, rig.options(url), given)


async def failure_of(rig: Rig, script: Script) -> ChannelError:
    async with receiver(script) as there, tools() as given:
        with pytest.raises(ChannelError) as caught:
            async with asyncio.timeout(15):
                await opened(rig, there.url, given).send(MESSAGE)
    return caught.value


def test_every_row_is_tried_here() -> None:
    assert set(REMOTE) | set(LOCAL) == set(CHANNELS)


@every
def test_every_row_loads_and_keeps_to_the_protocol(name: str) -> None:
    kind = channel_type(name)
    assert issubclass(kind.Options, BaseModel)
    assert kind.is_delivery is (name in REMOTE)


@every
def test_every_row_checks_its_own_options(name: str) -> None:
    options = {**LOCAL.get(name, {}), "colour": "red"}
    if name in REMOTE:
        options |= REMOTE[name].options("https://hooks.example/x")
    with pytest.raises(ValidationError, match=r"colour\n  Extra inputs are not permitted"):
        open_channel(name, options, Tools(http=HttpClient(), clock=SystemClock()))


@every
def test_the_options_of_every_row_are_frozen(name: str) -> None:
    assert channel_type(name).Options.model_config.get("frozen") is True


def test_a_type_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match='"slakc" is no type of channel; there are: log, slack'):
        channel_type("slakc")


@remote
async def test_a_delivery_comes_back_with_its_proof(rig: Rig) -> None:
    async with rig.strict() as there, tools() as given:
        receipt = await opened(rig, there.url, given).send(MESSAGE)
    assert isinstance(receipt, Receipt)
    assert receipt.proof
    assert len(there.bodies) == 1
    assert b"m1" in there.bodies[0] + there.heads[0]  # the stable id goes with every copy


@remote
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
async def test_what_may_pass_is_transient(rig: Rig, status: int) -> None:
    assert (await failure_of(rig, saying(status))).failure is Failure.TRANSIENT


@remote
@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 413])
async def test_what_cannot_pass_is_permanent(rig: Rig, status: int) -> None:
    assert (await failure_of(rig, saying(status))).failure is Failure.PERMANENT


@remote
@pytest.mark.parametrize("script", [resetting, hanging_up, silent, talking_nonsense])
async def test_a_lost_answer_is_unknown(rig: Rig, script: Script) -> None:
    assert (await failure_of(rig, script)).failure is Failure.UNKNOWN


@remote
async def test_a_dripped_answer_is_unknown_within_the_budget(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.notify.slack.FIRST_TRY_S", 0.4)
    assert (await failure_of(rig, dripping_head)).failure is Failure.UNKNOWN


@remote
async def test_a_receiver_that_is_not_there_is_transient(rig: Rig) -> None:
    async with receiver(silent) as gone:
        url = gone.url
    async with tools() as given:
        with pytest.raises(ChannelError, match="nothing was sent") as caught:
            await opened(rig, url, given).send(MESSAGE)
    assert caught.value.failure is Failure.TRANSIENT


@remote
async def test_a_redirect_to_the_inside_is_not_followed(rig: Rig) -> None:
    async with receiver(saying(200, "ok")) as inside:
        error = await failure_of(rig, saying(307, Location=inside.url))
    assert error.failure is Failure.PERMANENT
    assert inside.connections == 0


@remote
async def test_a_cancelled_send_ends_within_a_second(rig: Rig) -> None:
    async with receiver(silent) as there, tools(silence_s=30) as given:
        sending = asyncio.ensure_future(opened(rig, there.url, given).send(MESSAGE))
        await there.arrived.wait()
        sending.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await sending


@remote
@pytest.mark.parametrize(
    "script",
    [saying(404, f"no {TOKEN}"), saying(500, TOKEN), saying(302, Location=f"/{TOKEN}"), resetting, silent],
)
async def test_no_failure_tells_the_secret(
    rig: Rig, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure_of(rig, script)
    told = repr(error) + repr(error.__cause__) + repr(error.__context__)
    assert TOKEN not in told + caplog.text + repr([vars(record) for record in caplog.records])


@remote
async def test_no_proof_tells_the_secret(rig: Rig) -> None:
    async with receiver(saying(200, f"ok {TOKEN}")) as there, tools() as given:
        assert TOKEN not in repr(await opened(rig, there.url, given).send(MESSAGE))


@remote
@pytest.mark.parametrize("first", range(0, 200, 25))
async def test_a_hostile_message_is_taken_by_the_strict_receiver(rig: Rig, first: int) -> None:
    async with rig.strict() as there, tools() as given:
        sender = opened(rig, there.url, given)
        clock = given.clock
        assert isinstance(clock, VirtualClock)
        for seed in range(first, first + 25):
            await sender.send(hostile_message(seed))
            await clock.advance(seconds=1)
    assert len(there.bodies) == 25  # none was refused and sent again as plain text


async def test_the_log_keeps_one_line_a_message_whatever_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with tools() as given:
        sender = open_channel("log", {}, given)
        for seed in range(200):
            message = hostile_message(seed)
            receipt = await sender.send(message)
            record = caplog.records[-1]
            fields: dict[str, Any] = record.fields  # type: ignore[attr-defined]
            assert record.message == "notify.logged"
            assert fields["entries"] == len(message.entries)
            assert fields["title"]
            assert len(json.dumps(fields).encode()) < 100_000
            assert "nobody has been told" in receipt.proof
    assert len(caplog.records) == 200

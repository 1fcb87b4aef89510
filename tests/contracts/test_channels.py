"""What every channel promises, whatever it talks to. How a row is tried stands in `rig_<type>.py`."""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from daemon.clock import VirtualClock
from daemon.notify import CHANNELS, Tools, channel_type, open_channel
from daemon.notify.base import Channel, ChannelError, Failure, Message, Receipt, Step
from daemon.notify.http import HttpClient
from tests.contracts.rig import Opening, Rig, There
from tests.daemon.notify.hostile import NOW, hostile_message
from tests.daemon.notify.receivers import TOKEN, receiver, saying

MESSAGE = Message(id="m-20261121-0600", kind="test", title="A test", text="It works.", created_at=NOW)
LOCAL: Mapping[str, Mapping[str, Any]] = {"log": {}, "file": {}}  # rows that leave the machine by no wire
LONGEST_S = 15.0  # a send, and a check, whatever is on the other side


@dataclass(frozen=True)
class Row:
    """A type of channel in one of its forms."""

    type: str
    rig: Rig

    def open(self, there: There, given: Tools) -> Channel:
        """Make the channel that sends to this receiver."""
        made = open_channel(self.type, self.rig.options(there), given)
        return _Carrying(made, self.rig.carries) if self.rig.carries else made


class _Carrying:
    """A channel that is given every message as one of the only kind it carries."""

    def __init__(self, channel: Channel, kind: str) -> None:
        self.Options, self.is_delivery, self.dedupes = channel.Options, channel.is_delivery, channel.dedupes
        self._channel = channel
        self._kind = kind

    async def send(self, message: Message) -> Receipt:
        return await self._channel.send(replace(message, kind=self._kind))

    async def check(self) -> Sequence[Step]:
        return await self._channel.check()


def _rows() -> Iterator[tuple[str, Row]]:
    """Collect `RIG` of every type that has a file here, and from `FORMS` its other forms by their names."""
    for kind in CHANNELS:
        if Path(__file__).with_name(f"rig_{kind}.py").exists():
            module = f"tests.contracts.rig_{kind}"
            yield kind, Row(kind, resolve_name(f"{module}:RIG"))
            for name, rig in getattr(resolve_name(module), "FORMS", {}).items():
                yield name, Row(kind, rig)


ROWS = dict(_rows())
FAILING = {
    f"{name}, {how}": (row, failure, opening)
    for name, row in ROWS.items()
    for failure, openings in row.rig.failing.items()
    for how, opening in openings.items()
}
ENDLESS = {
    f"{name}, {how}": (row, opening) for name, row in ROWS.items() for how, opening in row.rig.endless.items()
}
ECHOING = {name: row for name, row in ROWS.items() if row.rig.echoing}
LURED = {name: row for name, row in ROWS.items() if row.rig.luring}

every = pytest.mark.parametrize("kind", CHANNELS)
remote = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
failing = pytest.mark.parametrize(("row", "failure", "opening"), FAILING.values(), ids=FAILING)
endless = pytest.mark.parametrize(("row", "opening"), ENDLESS.values(), ids=ENDLESS)


@pytest.fixture(autouse=True)
def _in_a_hurry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what a row's rig says would take too long here."""
    row = getattr(request.node, "callspec", None) and request.node.callspec.params.get("row")
    for name, value in (row.rig.hurried if isinstance(row, Row) else {}).items():
        monkeypatch.setattr(name, value)


@asynccontextmanager
async def tools(silence_s: float = 0.2, longest_s: float = 0.6) -> AsyncIterator[Tools]:
    http = HttpClient(allow_private=True, connect_s=0.5, silence_s=silence_s, longest_s=longest_s)
    try:
        yield Tools(http=http, clock=VirtualClock(NOW), allow_private=True)
    finally:
        await http.close()


@asynccontextmanager
async def opened(row: Row, opening: Opening) -> AsyncIterator[tuple[There, Channel, VirtualClock]]:
    async with opening() as there, tools() as given:
        clock = given.clock
        assert isinstance(clock, VirtualClock)
        yield there, row.open(there, given), clock


@asynccontextmanager
async def leading_nowhere(row: Row) -> AsyncIterator[Channel]:
    if row.rig.gone:
        options = row.rig.gone()
    else:
        async with row.rig.silent() as there:
            options = row.rig.options(there)
    async with tools() as given:
        yield open_channel(row.type, options, given)


async def failure_of(sender: Channel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        async with asyncio.timeout(LONGEST_S):
            await sender.send(MESSAGE)
    return caught.value


async def steps_of(sender: Channel) -> Sequence[Step]:
    async with asyncio.timeout(LONGEST_S):
        steps = await sender.check()
    assert steps
    assert all(step.is_ok for step in steps[:-1]), "it ends with the first step that fails"
    assert all(step.name and step.detail and step.took_s >= 0 for step in steps)
    return steps


def everything_told(error: BaseException | None, caplog: pytest.LogCaptureFixture) -> str:
    """All that a careless log could show of an error, its chain too, and all that was logged."""
    told = caplog.text + repr([vars(record) for record in caplog.records])
    while error is not None:
        told += repr(error) + repr(vars(error)) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return told


def test_every_row_is_tried_here() -> None:
    assert {row.type for row in ROWS.values()} | set(LOCAL) == set(CHANNELS)


@every
def test_every_row_loads_and_keeps_to_the_protocol(kind: str) -> None:
    loaded = channel_type(kind)
    assert issubclass(loaded.Options, BaseModel)
    assert loaded.Options.model_config.get("frozen") is True
    assert loaded.is_delivery is (kind not in LOCAL)
    assert loaded.dedupes in (True, False)


@remote
async def test_every_row_checks_its_own_options(row: Row) -> None:
    async with row.rig.silent() as there, tools() as given:
        options = {**row.rig.options(there), "colour": "red"}
        with pytest.raises(ValidationError, match=r"colour\n  Extra inputs are not permitted") as caught:
            open_channel(row.type, options, given)
    assert TOKEN not in str(caught.value) + repr(caught.value)


@remote
async def test_no_options_show_a_secret(row: Row) -> None:
    async with row.rig.silent() as there:
        read = channel_type(row.type).Options.model_validate(dict(row.rig.options(there)))
    assert TOKEN not in repr(read) + str(read) + read.model_dump_json()


def test_a_type_that_is_not_there_is_named_with_those_that_are() -> None:
    names = ", ".join(sorted(CHANNELS))
    with pytest.raises(ValueError, match=f'"slakc" is no type of channel; there are: {names}$'):
        channel_type("slakc")


@remote
async def test_a_delivery_comes_back_with_its_proof(row: Row) -> None:
    async with opened(row, row.rig.strict) as (there, sender, _clock):
        receipt = await sender.send(MESSAGE)
    assert isinstance(receipt, Receipt)
    assert receipt.proof
    assert len(there.bodies) == 1


@remote
async def test_every_copy_carries_the_same_id(row: Row) -> None:
    async with opened(row, row.rig.strict) as (there, sender, clock):
        for _ in range(2):
            await sender.send(MESSAGE)
            await clock.advance(seconds=1)
    for head, body in zip(there.heads, there.bodies, strict=True):
        assert MESSAGE.id.encode() in head + body


@failing
async def test_each_failure_is_told_as_what_it_is_and_tells_no_secret(
    row: Row, failure: Failure, opening: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(row, opening) as (_there, sender, _clock):
        error = await failure_of(sender)
    assert error.failure is failure
    assert TOKEN not in everything_told(error, caplog)


@remote
async def test_a_receiver_that_is_not_there_is_transient(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with leading_nowhere(row) as sender:
        error = await failure_of(sender)
    assert error.failure is Failure.TRANSIENT
    assert "nothing was sent" in str(error)
    assert TOKEN not in everything_told(error, caplog)


@endless
async def test_an_answer_without_end_holds_nobody_up(row: Row, opening: Opening) -> None:
    async with opened(row, opening) as (_there, sender, _clock):
        began_s = asyncio.get_running_loop().time()
        try:
            await sender.send(MESSAGE)
        except ChannelError as error:
            assert error.failure is Failure.UNKNOWN  # it was taken, or nobody can know
        assert asyncio.get_running_loop().time() - began_s < 3


@pytest.mark.parametrize("row", LURED.values(), ids=LURED)
async def test_a_redirect_to_the_inside_is_not_followed(row: Row) -> None:
    assert row.rig.luring is not None
    async with receiver(saying(200, "ok")) as inside, row.rig.luring(inside.url) as there, tools() as given:
        sender = row.open(there, given)
        assert (await failure_of(sender)).failure is Failure.PERMANENT
        await steps_of(sender)
    assert inside.connections == 0


@remote
async def test_a_cancelled_send_ends_within_a_second(row: Row) -> None:
    async with row.rig.silent() as there, tools(silence_s=30, longest_s=30) as given:
        sending = asyncio.ensure_future(row.open(there, given).send(MESSAGE))
        await there.arrived.wait()
        sending.cancel()
        async with asyncio.timeout(1):
            with pytest.raises(asyncio.CancelledError):
                await sending


@pytest.mark.parametrize("row", ECHOING.values(), ids=ECHOING)
async def test_no_proof_tells_the_secret(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert row.rig.echoing is not None
    async with opened(row, row.rig.echoing) as (_there, sender, _clock):
        try:
            told = repr(await sender.send(MESSAGE))
        except ChannelError as error:
            assert error.failure is Failure.UNKNOWN
            told = everything_told(error, caplog)
    assert TOKEN not in told + caplog.text


@pytest.mark.one_loop
@remote
@pytest.mark.parametrize("first", range(0, 200, 25))
async def test_a_hostile_message_is_taken_by_the_strict_receiver(row: Row, first: int) -> None:
    async with opened(row, row.rig.strict) as (there, sender, clock):
        for seed in range(first, first + 25):
            await sender.send(hostile_message(seed))
            await clock.advance(seconds=1)
    assert len(there.bodies) == 25  # none was refused and sent again as plain text


@remote
async def test_a_check_goes_well_and_sends_no_message(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(row, row.rig.strict) as (there, sender, _clock):
        steps = await steps_of(sender)
    assert all(step.is_ok for step in steps)
    assert b"".join(there.bodies) == b""
    assert TOKEN not in repr(steps) + everything_told(None, caplog)


@remote
async def test_a_check_finds_that_nobody_is_there(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with leading_nowhere(row) as sender:
        steps = await steps_of(sender)
    assert not steps[-1].is_ok or row.rig.asks_nobody
    assert TOKEN not in repr(steps) + everything_told(None, caplog)


@failing
async def test_a_check_of_a_failing_receiver_raises_nothing_and_tells_no_secret(
    row: Row, failure: Failure, opening: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(row, opening) as (there, sender, _clock):
        steps = await steps_of(sender)
    if failure is Failure.UNKNOWN:
        assert not steps[-1].is_ok or row.rig.asks_nobody  # who gives no answer is not known to be well
    assert b"".join(there.bodies) == b""
    assert TOKEN not in repr(steps) + everything_told(None, caplog)


@remote
async def test_a_cancelled_check_ends_within_a_second(row: Row) -> None:
    async with row.rig.silent() as there, tools(silence_s=30, longest_s=30) as given:
        checking = asyncio.ensure_future(row.open(there, given).check())
        async with asyncio.timeout(LONGEST_S):
            while there.connections == 0 and not checking.done():
                await asyncio.sleep(0)
        checking.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(checking, return_exceptions=True)


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


async def test_the_log_has_nothing_to_check_and_nothing_to_choose(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with tools() as given:
        steps = await steps_of(open_channel("log", {}, given))
        with pytest.raises(ValidationError, match=r"colour\n  Extra inputs are not permitted"):
            open_channel("log", {"colour": "red"}, given)
    assert [step.is_ok for step in steps] == [True]
    assert caplog.records == []

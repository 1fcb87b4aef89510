"""Intent before the effect, outcome after, and never twice by accident."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from daemon.clock import VirtualClock
from daemon.notify.base import ChannelError, Failure, Message, Receipt
from daemon.notify.notifier import Choice, Notifier, decide
from daemon.notify.options import ChannelOptions
from state.database import Database, StoreFull
from state.home import Home
from state.records import Delivery, DeliveryState
from state.recovery import open_home
from state.store import Store
from tests.daemon.notify.hostile import NOW

MESSAGE = Message(id="digest-2026-11-21", kind="digest", title="Leads <b>", created_at=NOW)
ID = "digest-2026-11-21@team"


class FullStore(Store):
    """The real store on a disk that is full when the test says so."""

    def __init__(self, home: Home, database: Database) -> None:
        super().__init__(home, database)
        self.is_full: list[bool] = []  # for the next commits, in their order

    async def commit(
        self, *records: Any, notes: Mapping[str, str] | None = None, deletes: Iterable[Any] = ()
    ) -> None:
        if self.is_full and self.is_full.pop(0):
            raise StoreFull("the disk is full")
        await super().commit(*records, notes=notes, deletes=deletes)


class Team:
    """A channel that does as it is told, and keeps what reached it."""

    Options: ClassVar[type[ChannelOptions]] = ChannelOptions
    is_delivery: ClassVar[bool] = True

    def __init__(self) -> None:
        self.got: list[str] = []
        self.reached = asyncio.Event()
        self.act: Callable[[], Awaitable[Any]] | Exception | None = None

    async def send(self, message: Message) -> Receipt:
        self.got.append(message.id)
        self.reached.set()
        if isinstance(self.act, Exception):
            raise self.act
        if self.act is not None:
            await self.act()
        return Receipt(proof="200 ok\n" + "x" * 500)


class House:
    """A notifier with all it stands on."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder, folder / "logs")
        self.home.make_folders()
        self.team = Team()
        self.clock = VirtualClock(NOW)

    async def start(self) -> None:
        """Start as a program does: all that is known is what the disk holds."""
        opening = open_home(self.home, NOW)
        self.store = FullStore(self.home, Database(self.home.database, opening.generation))
        await self.store.load()
        self.notifier = Notifier({"team": self.team}, self.store, self.clock)

    async def restart(self) -> None:
        await self.store.close()
        await self.start()

    async def send(self, *, resend: bool = False) -> Delivery:
        return await self.notifier.send(MESSAGE, to="team", subject="2026-11-21", resend=resend)


@pytest.fixture
async def house(home_folder: Path) -> AsyncIterator[House]:
    made = House(home_folder)
    await made.start()
    yield made
    await made.notifier.close()
    await made.store.close()


def delivery(state: DeliveryState) -> Delivery:
    return Delivery(
        id=ID, kind="digest", subject="s", channel="team", state=state, title="t", attempts=1, created_at=NOW
    )


@pytest.mark.parametrize(
    ("state", "resend", "choice"),
    [
        (None, False, Choice.SEND),
        (None, True, Choice.SEND),
        (DeliveryState.RETRYABLE, False, Choice.SEND),
        (DeliveryState.FAILED, False, Choice.SEND),
        (DeliveryState.DELIVERED, False, Choice.KEEP),
        (DeliveryState.DELIVERED, True, Choice.KEEP),
        (DeliveryState.UNKNOWN, False, Choice.KEEP),
        (DeliveryState.UNKNOWN, True, Choice.SEND),
        (DeliveryState.INTENDED, False, Choice.MARK_UNKNOWN),
        (DeliveryState.INTENDED, True, Choice.SEND),
    ],
)
def test_what_is_known_decides_whether_to_send(
    state: DeliveryState | None, resend: bool, choice: Choice
) -> None:
    assert decide(delivery(state) if state else None, resend=resend) is choice


async def test_the_intent_is_kept_before_and_the_proof_after(house: House) -> None:
    seen: list[DeliveryState] = []

    async def look() -> None:
        seen.append(house.store.deliveries[ID].state)

    house.team.act = look
    sent = await house.send()
    assert seen == [DeliveryState.INTENDED]
    assert sent == house.store.deliveries[ID]
    assert (sent.id, sent.state, sent.attempts, sent.subject) == (
        ID,
        DeliveryState.DELIVERED,
        1,
        "2026-11-21",
    )
    assert (sent.kind, sent.channel, sent.title) == ("digest", "team", "Leads <b>")
    assert (sent.created_at, sent.last_tried_at) == (NOW, NOW)
    assert sent.proof is not None
    assert sent.proof.startswith("200 ok x")
    assert len(sent.proof) <= 200
    assert sent.error is None


async def test_what_was_delivered_is_not_sent_again_even_after_a_restart(house: House) -> None:
    await house.send()
    await house.restart()
    assert (await house.send()).state is DeliveryState.DELIVERED
    assert (await house.send(resend=True)).state is DeliveryState.DELIVERED
    assert len(house.team.got) == 1


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (Failure.TRANSIENT, DeliveryState.RETRYABLE),
        (Failure.PERMANENT, DeliveryState.FAILED),
        (Failure.UNKNOWN, DeliveryState.UNKNOWN),
    ],
)
async def test_a_failure_is_kept_by_its_class(house: House, failure: Failure, state: DeliveryState) -> None:
    house.team.act = ChannelError("host answered 500", failure=failure)
    sent = await house.send()
    assert (sent.state, sent.error, sent.proof) == (state, "host answered 500", None)
    assert house.store.deliveries[ID] == sent


async def test_what_is_known_not_to_have_arrived_is_tried_again_under_the_same_id(house: House) -> None:
    house.team.act = ChannelError("busy")
    await house.send()
    await house.clock.advance(minutes=5)
    house.team.act = None
    sent = await house.send()
    assert (sent.id, sent.state, sent.attempts) == (ID, DeliveryState.DELIVERED, 2)
    assert (sent.created_at, sent.last_tried_at) == (NOW, NOW + timedelta(minutes=5))
    assert sent.error is None


async def test_an_unknown_outcome_is_not_sent_again_until_that_is_asked_for(house: House) -> None:
    house.team.act = ChannelError("no answer", failure=Failure.UNKNOWN)
    await house.send()
    house.team.act = None
    assert (await house.send()).state is DeliveryState.UNKNOWN
    assert len(house.team.got) == 1
    again = await house.send(resend=True)
    assert (again.state, again.attempts, len(house.team.got)) == (DeliveryState.DELIVERED, 2, 2)


async def test_an_intent_found_after_a_crash_is_unknown_and_is_said_to_be(house: House) -> None:
    await house.store.commit(delivery(DeliveryState.INTENDED))
    await house.restart()
    found = await house.send()
    assert found.state is DeliveryState.UNKNOWN
    assert "may have arrived" in (found.error or "")
    assert house.team.got == []
    assert house.store.deliveries[ID] == found


async def test_a_cancelled_send_is_unknown_afterwards(house: House) -> None:
    house.team.act = asyncio.Event().wait
    sending = asyncio.ensure_future(house.send())
    await house.team.reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert house.store.deliveries[ID].state is DeliveryState.INTENDED
    assert (await house.send()).state is DeliveryState.UNKNOWN
    assert len(house.team.got) == 1


async def test_a_channel_that_breaks_is_told_by_class_and_leaves_the_outcome_unknown(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.team.act = KeyError("https://hooks.example/SECRET")
    sent = await house.send()
    assert sent.state is DeliveryState.UNKNOWN
    assert "KeyError" in (sent.error or "")
    assert "SECRET" not in repr(sent) + caplog.text + repr([vars(record) for record in caplog.records])
    assert "delivery.broke" in [record.message for record in caplog.records]


async def test_a_channel_that_outlives_its_time_leaves_the_outcome_unknown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.notify.notifier.SEND_S", 0.05)
    house.team.act = asyncio.Event().wait
    sent = await house.send()
    assert (sent.state, sent.error) == (
        DeliveryState.UNKNOWN,
        "no answer in time; the message may have arrived",
    )


async def test_nothing_is_sent_when_the_intent_cannot_be_kept(house: House) -> None:
    house.store.is_full = [True]
    with pytest.raises(StoreFull):
        await house.send()
    assert house.team.got == []
    assert (await house.send()).state is DeliveryState.DELIVERED


async def test_an_outcome_the_disk_did_not_take_is_known_until_it_does(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.store.is_full = [False, True]
    assert (await house.send()).state is DeliveryState.DELIVERED
    assert house.store.deliveries[ID].state is DeliveryState.INTENDED
    assert "delivery.unrecorded" in [record.message for record in caplog.records]
    assert (await house.send()).state is DeliveryState.DELIVERED
    assert house.store.deliveries[ID].state is DeliveryState.DELIVERED
    assert len(house.team.got) == 1


async def test_an_outcome_lost_with_the_program_reads_as_unknown(house: House) -> None:
    house.store.is_full = [False, True]
    await house.send()
    await house.restart()
    assert (await house.send()).state is DeliveryState.UNKNOWN
    assert len(house.team.got) == 1


async def test_two_at_once_make_one_delivery(house: House) -> None:
    results = await asyncio.gather(*(house.send() for _ in range(5)))
    assert {result.state for result in results} == {DeliveryState.DELIVERED}
    assert len(house.team.got) == 1


async def test_a_stuck_delivery_holds_up_no_other(house: House) -> None:
    house.team.act = asyncio.Event().wait
    stuck = asyncio.ensure_future(house.send())
    await house.team.reached.wait()
    house.team.act = None
    other = await house.notifier.send(replace(MESSAGE, id="other"), to="team", subject="x")
    assert other.state is DeliveryState.DELIVERED
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


async def test_a_wait_that_was_asked_for_is_told_and_runs_down(house: House) -> None:
    house.team.act = ChannelError("busy", retry_after=timedelta(seconds=30))
    sent = await house.send()
    assert house.notifier.retry_after(sent) == timedelta(seconds=30)
    await house.clock.advance(seconds=12)
    assert house.notifier.retry_after(sent) == timedelta(seconds=18)
    await house.clock.advance(seconds=60)
    assert house.notifier.retry_after(sent) == timedelta(0)
    house.team.act = None
    assert house.notifier.retry_after(await house.send()) is None


async def test_an_unknown_channel_is_named_with_those_there_are(house: House) -> None:
    with pytest.raises(ValueError, match='there is no channel "slakc"; configured: team'):
        await house.notifier.send(MESSAGE, to="slakc", subject="x")
    assert house.store.deliveries == {}


async def test_whether_a_channel_reaches_people_can_be_asked(house: House) -> None:
    assert house.notifier.is_delivery("team")
    assert list(house.notifier.channels) == ["team"]


async def test_each_outcome_is_one_log_line(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await house.send()
    record = caplog.records[-1]
    assert record.message == "delivery.delivered"
    assert record.fields["delivery"] == ID  # type: ignore[attr-defined]


async def test_closing_waits_for_what_is_being_sent_and_refuses_what_comes(house: House) -> None:
    let_go = asyncio.Event()
    house.team.act = let_go.wait
    sending = asyncio.ensure_future(house.send())
    await house.team.reached.wait()
    closing = asyncio.ensure_future(house.notifier.close())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="nothing was sent"):
        await house.notifier.send(replace(MESSAGE, id="late"), to="team", subject="x")
    assert not closing.done()
    let_go.set()
    await closing
    assert (await sending).state is DeliveryState.DELIVERED

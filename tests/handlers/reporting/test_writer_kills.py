"""The writer killed between any two things it does, and channels that fail in every way there is."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.notify.base import ChannelError, Failure, Message, Receipt
from handlers.reporting import sending
from handlers.reporting.run import Wish
from handlers.reporting.writer import writer_of
from state.ledger.errors import LedgerDown
from state.ledger.records import Status
from state.records import DeliveryState
from tests.handlers.reporting.newsroom import TODAY, Failing, Inbox, Newsroom, company, newsroom

NAMES = ("acme", "bolt", "cold")
LATER, NEVER, LOST = Failure.TRANSIENT, Failure.PERMANENT, Failure.UNKNOWN


class Life:
    """How many more steps a process lives; the dead do nothing any more."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.taken = 0

    def tick(self) -> None:
        self.taken += 1
        self.left -= 1
        if self.left <= 0:
            raise LedgerDown("the process is dead")


class MortalLedger:
    """The real ledger, each call of which may be the last thing that is done, or the first that is not."""

    def __init__(self, ledger: Any, life: Life) -> None:
        self._ledger = ledger
        self._life = life

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._ledger, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            self._life.tick()
            answer = await call(*args, **kwargs)
            self._life.tick()
            return answer

        return called


class MortalInbox(Inbox):
    """A channel of a process that may die before a message has arrived, or after."""

    life = Life(10**9)

    async def send(self, message: Message) -> Receipt:
        self.life.tick()
        receipt = await super().send(message)
        self.life.tick()
        return receipt


async def lived(room: Newsroom, day: date, steps: int) -> int:
    """Let the writer live for so many steps; how many it took."""
    life = room.team.life = Life(steps)  # type: ignore[attr-defined]
    with suppress(LedgerDown):
        await room.work(Wish(dates=[day]), MortalLedger(room.ledger, life))  # type: ignore[arg-type]
    room.team.life = Life(10**9)  # type: ignore[attr-defined]
    return life.taken


async def carried_on(room: Newsroom, day: date, rounds: int = 6) -> None:
    """What follows in the next hours: a run every twenty minutes, by another process."""
    for _ in range(rounds):
        await room.clock.advance(minutes=20)
        writer = await writer_of(room.house, room.ledger)
        await writer.look_into_unknown([day])
        await room.work(Wish(dates=[day]))


async def test_killed_anywhere_every_report_shows_once_and_every_obligation_ends(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room:
        room.channels["team"] = MortalInbox()
        await room.restart()
        await room.roster(*(company(name, channel="team") for name in NAMES))
        first = TODAY - timedelta(days=1)
        await room.owe(*NAMES, on=first)
        steps = await lived(room, first, 10**9)
        assert steps > 30
        for number in range(1, steps + 2):
            day = TODAY - timedelta(days=1 + number)
            await room.owe(*NAMES, on=day)
            await lived(room, day, number)
            known = {it.company_id for it in await room.ledger.obligations(day) if it.status.is_delivered}
            copies = [message.id for message in room.team.arrived]
            room.lives += 1
            await carried_on(room, day, rounds=3)
            statuses = await room.statuses(day)
            assert len(statuses) == 3
            assert all(it.is_delivered for it in statuses.values()), (number, statuses)
            again = [message.id for message in room.team.arrived][len(copies) :]
            assert not {f"report.{name}.{day}" for name in known} & set(again), "known as delivered"
        assert len(room.team.seen) == len(set(room.team.seen)) == 3 * (steps + 2)


class Hanging(Inbox):
    """Takes the first message and never answers."""

    async def send(self, message: Message) -> Receipt:
        receipt = await super().send(message)
        if len(self.arrived) == 1:
            await asyncio.Event().wait()
        return receipt


class Swallowing(Inbox):
    """Loses the first message together with its answer."""

    is_first = True

    async def send(self, message: Message) -> Receipt:
        if self.is_first:
            self.is_first = False
            raise ChannelError("cut off", failure=LOST)
        return await super().send(message)


def inbox(*failing: Failing, **fields: Any) -> Callable[[], Inbox]:
    return lambda: Inbox(*failing, **fields)


def no(failure: Failure, **fields: Any) -> ChannelError:
    return ChannelError(f"no: {failure.value}", failure=failure, **fields)


DELIVERED = Status.DELIVERED_LATE  # a retry comes after the deadline in most of these
MODELS: dict[str, tuple[Callable[[], Inbox], set[Status]]] = {
    "well": (inbox(), {Status.DELIVERED}),
    "refused once": (inbox(no(LATER)), {Status.DELIVERED}),
    "refused three times": (inbox(*[no(LATER)] * 3), {Status.DELIVERED, DELIVERED}),
    "asked for an hour": (inbox(no(LATER, retry_after=timedelta(hours=1))), {Status.DELIVERED}),
    "refused for good": (inbox(*[no(NEVER)] * 9), {Status.FAILED}),
    "answer lost": (inbox(no(LOST)), {Status.DELIVERED}),
    "answer lost twice": (inbox(no(LOST), no(LOST)), {Status.UNKNOWN}),
    "answer lost where copies show": (inbox(no(LOST), dedupes=False), {Status.UNKNOWN}),
    "refused, then answer lost": (inbox(no(LATER), no(LOST)), {Status.DELIVERED}),
    "answer lost, then refused for good": (inbox(no(LOST), no(NEVER)), {Status.FAILED}),
    "broken": (inbox(ZeroDivisionError()), {Status.DELIVERED}),
    "message and answer lost": (Swallowing, {Status.DELIVERED}),
    "hanging": (Hanging, {Status.DELIVERED}),
    "a record": (inbox(no(LOST), dedupes=False, is_delivery=False), {Status.DELIVERED}),
}


@pytest.mark.parametrize(("make", "wanted"), MODELS.values(), ids=MODELS)
async def test_whatever_a_channel_does_its_reader_sees_no_report_twice(
    tmp_path: Path, make: Callable[[], Inbox], wanted: set[Status], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SEND_S", 0.3)
    async with newsroom(tmp_path) as room:
        room.channels["team"] = make()
        await room.restart()
        await room.serve("acme")
        await room.work()
        await carried_on(room, TODAY)
        done = await room.of("acme")
        assert done.status in wanted
        assert done.status.is_final
        copies = len(room.team.arrived)
        assert len(room.team.seen) <= 1 or not room.team.is_delivery
        await carried_on(room, TODAY, rounds=2)
        assert len(room.team.arrived) == copies, "what has ended is not begun again"
        proved = [it for it in await room.ledger.sends_of(done.key) if it.state is DeliveryState.DELIVERED]
        assert bool(proved) is done.status.is_delivered


async def test_an_outcome_the_ledger_could_not_take_is_written_before_anything_else(tmp_path: Path) -> None:
    async with newsroom(tmp_path) as room:
        await room.serve("acme")

        class Forgetful:
            """Takes everything but outcomes."""

            is_down = True

            def __getattr__(self, name: str) -> Any:
                return getattr(room.ledger, name)

            async def record_outcomes(self, owner: str, batch: Any) -> Any:
                if self.is_down:
                    raise LedgerDown("no answer")
                return await room.ledger.record_outcomes(owner, batch)

        forgetful = Forgetful()
        writer = await writer_of(room.house, forgetful)  # type: ignore[arg-type]
        with pytest.raises(LedgerDown):
            await writer.work(Wish(), room.context().log)
        assert (await room.of("acme")).status is Status.SENT
        forgetful.is_down = False
        assert (await writer.work(Wish(), room.context().log)).claimed == 0
        assert (await room.of("acme")).status is Status.DELIVERED
        assert len(room.team.arrived) == 1


async def test_what_a_run_held_when_the_ledger_went_away_is_made_as_soon_as_it_is_back(
    tmp_path: Path,
) -> None:
    names = [f"c{number}" for number in range(5)]
    async with newsroom(tmp_path) as room:
        await room.serve(*names)

        class Leaving:
            """Hands reports out and is away, until it is back."""

            is_down = is_back = False

            def __getattr__(self, name: str) -> Any:
                if self.is_down:
                    raise LedgerDown("no answer")
                return getattr(room.ledger, name)

            async def claim(self, *args: Any, **kwargs: Any) -> Any:
                claimed = await room.ledger.claim(*args, **kwargs)
                self.is_down = not self.is_back
                return claimed

        leaving = Leaving()
        writer = await writer_of(room.house, leaving)  # type: ignore[arg-type]
        with pytest.raises(LedgerDown):
            await writer.work(Wish(), room.context().log)
        assert set((await room.statuses()).values()) == {Status.LEASED}
        leaving.is_down, leaving.is_back = False, True
        assert (await writer.work(Wish(), room.context().log)).delivered == 5
        assert {(await room.of(name)).attempts for name in names} == {1}

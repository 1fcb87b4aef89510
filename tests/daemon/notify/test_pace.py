"""One at a time, a second apart, and nobody waits for ever."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from daemon.clock import VirtualClock
from daemon.notify.base import ChannelError, Failure
from daemon.notify.pace import Pace

START = datetime(2026, 11, 21, tzinfo=UTC)


class Sender:
    """Takes turns and notes when it had them."""

    def __init__(self, clock: VirtualClock, pace: Pace) -> None:
        self.clock = clock
        self.pace = pace
        self.sent_at: list[float] = []
        self.refused: list[ChannelError] = []

    async def send(self, patience_s: float = 60.0) -> None:
        try:
            async with self.pace.turn(patience_s):
                self.sent_at.append(self.clock.monotonic())
        except ChannelError as error:
            self.refused.append(error)


@pytest.fixture
def sender() -> Sender:
    clock = VirtualClock(START)
    return Sender(clock, Pace(clock, 1.0))


async def test_messages_are_a_second_apart(sender: Sender) -> None:
    sends = [asyncio.ensure_future(sender.send()) for _ in range(4)]
    await sender.clock.advance(seconds=10)
    await asyncio.gather(*sends)
    assert sender.sent_at == [0.0, 1.0, 2.0, 3.0]


async def test_after_a_pause_nobody_waits(sender: Sender) -> None:
    await sender.send()
    await sender.clock.advance(seconds=5)
    await sender.send()
    assert sender.sent_at == [0.0, 5.0]


async def test_who_would_wait_too_long_is_turned_away_at_once(sender: Sender) -> None:
    sends = [asyncio.ensure_future(sender.send(patience_s=2.5)) for _ in range(6)]
    await sender.clock.advance(seconds=10)
    await asyncio.gather(*sends)
    assert len(sender.sent_at) + len(sender.refused) == 6
    assert len(sender.refused) >= 2
    for error in sender.refused:
        assert error.failure is Failure.TRANSIENT
        assert error.retry_after is not None
        assert "nothing was sent" in str(error)


async def test_a_hold_turns_the_impatient_away_and_lets_the_patient_in_later(sender: Sender) -> None:
    sender.pace.hold(timedelta(seconds=30))
    await sender.send(patience_s=6)
    assert sender.refused[0].retry_after == timedelta(seconds=30)
    patient = asyncio.ensure_future(sender.send(patience_s=60))
    await sender.clock.advance(seconds=31)
    await patient
    assert sender.sent_at == [30.0]


async def test_a_cancelled_wait_leaves_the_way_free(sender: Sender) -> None:
    await sender.send()
    waiting = asyncio.ensure_future(sender.send())
    await sender.clock.settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await sender.clock.advance(seconds=2)
    await sender.send()
    assert sender.sent_at == [0.0, 2.0]


async def test_a_failed_send_leaves_the_way_free(sender: Sender) -> None:
    with pytest.raises(RuntimeError):
        async with sender.pace.turn(1.0):
            raise RuntimeError
    await sender.clock.advance(seconds=1)
    await sender.send()
    assert sender.sent_at == [1.0]


async def test_who_waits_behind_a_stuck_send_gives_up_in_time(sender: Sender) -> None:
    async with sender.pace.turn(1.0):
        await sender.clock.advance(seconds=2)
        await sender.send(patience_s=0.05)
    assert sender.refused[0].failure is Failure.TRANSIENT

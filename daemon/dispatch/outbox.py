"""Getting one notice to its receiver: channel after channel, round after round, until one proves it.

An alert is rather told twice than never: where an answer was lost, the same message goes over the next
channel with the same id. What has been proved is never sent again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.dispatch.book import Book
from daemon.notify.base import Message
from daemon.notify.health import Condition
from daemon.notify.notifier import Notifier
from daemon.notify.wire import from_wire
from state.records import Delivery, DeliveryState, Notice, NoticeState, replace

log = logging.getLogger(__name__)

STEP_S = 10.0  # what one channel may take
TRIES = 2  # of a channel that fails for the moment, the first time round
PAUSE = timedelta(seconds=2)  # between these
LONGEST_PAUSE = timedelta(seconds=5)  # who asks for more is passed over
ROUND = timedelta(seconds=15)  # after all channels have failed
# How long a channel is left alone with a message that it may have delivered, after each copy; while the
# copies are few, no longer than until it answers again when it is asked without a message.
AFTER_UNKNOWN = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
FEW_COPIES = 3
CHECK_S = 5.0
AFTER_REFUSAL = timedelta(minutes=10)


class Outbox:
    """Sends notices; what was tried in this life of the daemon is remembered here, the proofs on the disk."""

    def __init__(
        self,
        book: Book,
        notify: Notifier,
        channels_of: Callable[[str], Sequence[str]],
        clock: Clock,
        note: Callable[[str, Notice, Delivery], None],
    ) -> None:
        self._book = book
        self._notify = notify
        self._channels_of = channels_of
        self._clock = clock
        self._note = note
        self._rests: dict[str, datetime] = {}  # by delivery: when that channel is tried again with it
        self._copies: dict[str, int] = {}  # by delivery: how many were sent without an answer

    async def deliver(self, notice: Notice) -> Notice:
        """Try every channel there is for a notice; as it stands afterwards."""
        message, before = from_wire(notice.message), None
        for name in self.order(notice):
            if not await self._is_ready(name, notice):
                continue
            if before is not None:
                self._note("failed-over", notice, before)
            notice, before = await self._over(name, message, notice)
            if notice.state is NoticeState.DELIVERED:
                self._forget(notice)
                return notice
        notice = replace(notice, next_try_at=self._clock.now() + ROUND)
        await self._book.keep(notice)
        return notice

    def order(self, notice: Notice) -> list[str]:
        """The channels in the receiver's own order, those that refuse everything at the end."""
        names = self.usable(notice.receiver)
        skip = notice.skip % len(names) if names else 0
        health = self._notify.health()
        turned = [*names[skip:], *names[:skip]]
        return sorted(turned, key=lambda name: health[name].state is Condition.DEAD)

    def usable(self, receiver: str) -> list[str]:
        """The receiver's channels by which people are reached."""
        channels = self._notify.channels
        return [
            name
            for name in dict.fromkeys(self._channels_of(receiver))
            if name in channels and self._notify.is_delivery(name)
        ]

    async def _is_ready(self, name: str, notice: Notice) -> bool:
        """Whether a channel may be tried with this notice now."""
        key = f"{notice.id}@{name}"
        if self._rests.get(key, self._clock.now()) <= self._clock.now():
            return True
        return 0 < self._copies.get(key, 0) < FEW_COPIES and await self._answers(name)

    async def _answers(self, name: str) -> bool:
        """Whether the receiver of a channel can be reached, as far as that is known without a message."""
        try:
            async with asyncio.timeout(CHECK_S):
                steps = await self._notify.channels[name].check()
        except TimeoutError:
            return False
        return all(step.is_ok for step in steps)

    async def _over(self, name: str, message: Message, notice: Notice) -> tuple[Notice, Delivery]:
        """Try one channel; twice where it fails for the moment and has not been tried before."""
        key = f"{notice.id}@{name}"
        tries = 1 if key in self._rests else TRIES
        for number in range(1, tries + 1):
            delivery = await self._notify.send(
                message,
                to=name,
                subject=notice.incident,
                resend=True,
                within_s=STEP_S,
                even_unrecorded=True,
            )
            notice = _after(notice, delivery, self._clock.now())
            await self._book.keep(notice)
            self._note(
                "delivered" if notice.state is NoticeState.DELIVERED else "undelivered", notice, delivery
            )
            pause = self._notify.retry_after(delivery) or PAUSE
            if delivery.state is not DeliveryState.RETRYABLE or number == tries or pause > LONGEST_PAUSE:
                break
            await self._clock.sleep(pause.total_seconds())
        if notice.state is not NoticeState.DELIVERED:
            if delivery.state is DeliveryState.UNKNOWN:
                self._copies[key] = self._copies.get(key, 0) + 1
            self._rests[key] = self._clock.now() + self._rest_after(key, delivery)
        return notice, delivery

    def _rest_after(self, key: str, delivery: Delivery) -> timedelta:
        if delivery.state is DeliveryState.UNKNOWN:
            return AFTER_UNKNOWN[min(self._copies[key], len(AFTER_UNKNOWN)) - 1]
        if delivery.state is DeliveryState.FAILED:
            return AFTER_REFUSAL
        return self._notify.retry_after(delivery) or timedelta(0)

    def _forget(self, notice: Notice) -> None:
        for name in self.usable(notice.receiver):
            self._rests.pop(f"{notice.id}@{name}", None)
            self._copies.pop(f"{notice.id}@{name}", None)


def _after(notice: Notice, delivery: Delivery, now: datetime) -> Notice:
    attempts = notice.attempts + 1
    if delivery.state is DeliveryState.DELIVERED:
        return replace(
            notice,
            state=NoticeState.DELIVERED,
            attempts=attempts,
            delivered_at=now,
            channel=delivery.channel,
            error=None,
        )
    return replace(notice, attempts=attempts, error=f"{delivery.channel}: {delivery.error}")

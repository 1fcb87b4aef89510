"""Sends a message on a channel by name, and remembers what is known of it.

The intent is on the disk before the effect, the outcome after. Where the outcome was lost, with the answer
or with the program, nothing is sent again unless the caller says so: nobody here can know.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from daemon.clock import Clock
from daemon.meters import Meters
from daemon.notify.base import Channel, ChannelError, Failure, Message
from daemon.notify.health import ChannelHealth, HealthBook
from daemon.notify.text import cut, headline, one_line
from state.database import StoreError
from state.records import Delivery, DeliveryState, replace

if TYPE_CHECKING:
    from state.store import Store

log = logging.getLogger(__name__)

SEND_S = 20.0  # what one send may take, whatever the channel does
LONGEST_PROOF = 200
LONGEST_ERROR = 500
LONGEST_TITLE = 300

OUTCOME_OF = {
    Failure.TRANSIENT: DeliveryState.RETRYABLE,
    Failure.PERMANENT: DeliveryState.FAILED,
    Failure.UNKNOWN: DeliveryState.UNKNOWN,
}


class Choice(StrEnum):
    """What is done with a message that is to be sent, by what is known of it."""

    SEND = "send"
    KEEP = "keep"  # its state stands: delivered, or unknown
    MARK_UNKNOWN = "mark-unknown"  # found as intended: the program ended while it was being sent


def decide(known: Delivery | None, *, resend: bool) -> Choice:
    """Whether to send. Delivered is delivered even for `resend`; `resend` is for what is unknown."""
    if known is None or known.state in (DeliveryState.RETRYABLE, DeliveryState.FAILED):
        return Choice.SEND
    if known.state is DeliveryState.DELIVERED:
        return Choice.KEEP
    if resend:
        return Choice.SEND
    return Choice.MARK_UNKNOWN if known.state is DeliveryState.INTENDED else Choice.KEEP


@dataclass(slots=True)
class _Turn:
    """The way of one delivery id: who comes second waits, and then finds what the first has learnt."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Notifier:
    """The channels by their names in the config, and the store that keeps their deliveries."""

    def __init__(
        self, channels: Mapping[str, Channel], store: "Store", clock: Clock, meters: Meters | None = None
    ) -> None:
        self._channels = dict(channels)
        self._meters = meters or Meters()
        self.book = HealthBook(channels)
        self._store = store
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._retry_at: dict[str, datetime] = {}
        self._unrecorded: dict[str, Delivery] = {}  # few: with a full disk no new intent is written either
        self._is_closed = False

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels by name."""
        return self._channels

    def health(self) -> Mapping[str, ChannelHealth]:
        """How each channel fares, by its name."""
        return self.book.health

    def is_delivery(self, name: str) -> bool:
        """Whether what this channel calls delivered has reached people; a record in the log has not."""
        return self._channel(name).is_delivery

    def retry_after(self, delivery: Delivery) -> timedelta | None:
        """How long the receiver of a retryable delivery asked to be left alone; forgotten at a restart."""
        at = self._retry_at.get(delivery.id)
        return None if at is None else max(at - self._clock.now(), timedelta(0))

    async def send(
        self,
        message: Message,
        *,
        to: str,
        subject: str,
        resend: bool = False,
        within_s: float | None = None,
        even_unrecorded: bool = False,
    ) -> Delivery:
        """Send a message on the channel `to` unless it is known, or may be, that it has been.

        The answer is what is known afterwards, whatever went wrong on the way: DELIVERED with the proof,
        RETRYABLE or FAILED where it is known not to have arrived, UNKNOWN where that cannot be known.
        The same message on the same channel is one delivery, however often and by how many it is sent.
        `within_s`: what this send may take, instead of what any may. `even_unrecorded`: send also where
        the intent cannot be written, as an alert must on a full disk.

        Raises:
            ValueError: there is no such channel.
            StoreError: the intent could not be written; nothing was sent.
            RuntimeError: the notifier is closed; nothing was sent.
        """
        if self._is_closed:
            raise RuntimeError("the notifier is closed; nothing was sent")
        channel = self._channel(to)
        delivery_id = f"{message.id}@{to}"
        async with self._turn(delivery_id):
            known = self._unrecorded.get(delivery_id) or self._store.deliveries.get(delivery_id)
            choice = decide(known, resend=resend)
            if choice is Choice.SEND:
                intended = self._intended(delivery_id, known, message, to, subject)
                await self._keep_intent(intended, is_needed=not even_unrecorded)
                ended = await self._try(channel, message, intended, SEND_S if within_s is None else within_s)
                self.count(to, ended.state)
                self.book.note(ended, self._clock.now())
                return await self._record(ended)
            assert known is not None, "what is kept is known"
            if choice is Choice.KEEP:
                return await self._record(known) if delivery_id in self._unrecorded else known
            error = "the program ended while it was being sent; it may have arrived"
            return await self._record(replace(known, state=DeliveryState.UNKNOWN, error=error))

    def count(self, channel: str, outcome: DeliveryState) -> None:
        """Count a try on a channel, also one that was not made by `send`."""
        self._meters.sends.add(channel, outcome.value)

    async def keep_unrecorded(self) -> None:
        """Write the outcomes that the disk refused, if it has room by now."""
        owed = list(self._unrecorded.values())
        if not owed:
            return
        with suppress(StoreError):  # it was told when they were refused; they stay owed
            await self._store.commit(*owed)
            self._unrecorded = {key: it for key, it in self._unrecorded.items() if it not in owed}

    async def close(self) -> None:
        """Refuse what comes, and wait for what is being sent; at most as long as a send may take."""
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(SEND_S):
                for turn in list(self._turns.values()):
                    async with turn.lock:
                        pass

    def _channel(self, name: str) -> Channel:
        try:
            return self._channels[name]
        except KeyError:
            known = ", ".join(sorted(self._channels)) or "none"
            raise ValueError(f'there is no channel "{name}"; configured: {known}') from None

    @asynccontextmanager
    async def _turn(self, delivery_id: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(delivery_id, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if turn.users == 0:
                del self._turns[delivery_id]

    def _intended(
        self, delivery_id: str, known: Delivery | None, message: Message, to: str, subject: str
    ) -> Delivery:
        now = self._clock.now()
        return Delivery(
            id=delivery_id,
            kind=message.kind,
            subject=subject,
            channel=to,
            state=DeliveryState.INTENDED,
            title=cut(headline(message), LONGEST_TITLE),
            attempts=known.attempts + 1 if known else 1,
            created_at=known.created_at if known else now,
            last_tried_at=now,
        )

    async def _keep_intent(self, intended: Delivery, *, is_needed: bool) -> None:
        try:
            await self._store.commit(intended)
        except StoreError as error:
            if is_needed:
                raise
            fields = {"delivery": intended.id, "error": str(error)}
            log.warning("delivery.unintended", extra={"fields": fields})

    async def _try(self, channel: Channel, message: Message, intended: Delivery, within_s: float) -> Delivery:
        self._retry_at.pop(intended.id, None)
        try:
            async with asyncio.timeout(within_s):
                receipt = await channel.send(message)
        except ChannelError as error:
            if error.retry_after is not None and error.failure is Failure.TRANSIENT:
                now = self._clock.now()
                self._retry_at = {name: at for name, at in self._retry_at.items() if at > now}
                self._retry_at[intended.id] = now + error.retry_after
            return _ended(intended, OUTCOME_OF[error.failure], error=str(error))
        except TimeoutError:
            error_text = "no answer in time; the message may have arrived"
            return _ended(intended, DeliveryState.UNKNOWN, error=error_text)
        # A channel is a stranger's library away from any exception there is. Whoever sends an alert must not
        # fall with it, and the message may be out: that is what "unknown" says. The text of such an
        # exception may hold an address with its token; its class does not, and nothing else is kept.
        except Exception as error:
            fields = {"delivery": intended.id, "channel": intended.channel, "error": type(error).__name__}
            log.log(logging.ERROR, "delivery.broke", extra={"fields": fields})
            error_text = f"the channel broke ({type(error).__name__}); the message may have arrived"
            return _ended(intended, DeliveryState.UNKNOWN, error=error_text)
        return _ended(intended, DeliveryState.DELIVERED, proof=receipt.proof)

    async def _record(self, ended: Delivery) -> Delivery:
        """Keep an outcome: on the disk, or here until the disk takes it.

        Where the program ends before, the intent is what the disk holds, and it reads as unknown.
        """
        fields = {
            "delivery": ended.id,
            "channel": ended.channel,
            "kind": ended.kind,
            "attempt": ended.attempts,
            "error": ended.error,
        }
        level = logging.INFO if ended.state is DeliveryState.DELIVERED else logging.WARNING
        log.log(level, f"delivery.{ended.state.value}", extra={"fields": fields})
        self._unrecorded[ended.id] = ended
        try:
            await self._store.commit(ended)
        except StoreError as error:
            fields = {"delivery": ended.id, "state": ended.state.value, "error": str(error)}
            log.log(logging.ERROR, "delivery.unrecorded", extra={"fields": fields})
        else:
            del self._unrecorded[ended.id]
        return ended


def _ended(
    intended: Delivery, state: DeliveryState, *, proof: str | None = None, error: str | None = None
) -> Delivery:
    return replace(
        intended,
        state=state,
        proof=None if proof is None else cut(one_line(proof), LONGEST_PROOF),
        error=None if error is None else cut(one_line(error), LONGEST_ERROR),
    )

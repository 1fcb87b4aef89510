"""Tells what is owed, by one channel after the other, until somebody has proved to have it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.watchdog.book import Book, Owed, Told
from daemon.watchdog.message import Message
from daemon.watchdog.senders.base import NotProved
from daemon.watchdog.senders.bound import STEP_S, TOTAL_S
from daemon.watchdog.settings import Channel

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(seconds=15)
# A token that was revoked, a room that is gone: somebody has to mend that first.
AGAIN_AFTER_REFUSAL = timedelta(minutes=5)
# Once somebody has heard it, the other channels that are to hear it as well get this long.
LATEST_FOR_OTHERS = timedelta(hours=1)
NOTHING_OWED = timedelta(hours=1)
# A look-up of a name knows no limit; a thread that is lost in one is left behind, and others are there.
LONGEST_SEND_S = TOTAL_S + STEP_S
THREADS = 8
LONGEST_PROOF = 200


class Teller:
    """Sends what the book says is owed; several threads, since a sender may hang in one."""

    name = "teller"

    def __init__(self, book: Book, clock: Clock, channels: Callable[[], Sequence[Channel]]) -> None:
        self.woken = asyncio.Event()
        self._book = book
        self._clock = clock
        self._channels = channels
        self._held: dict[str, float] = {}  # channel to the monotonic time before which it is let alone
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="watchdog-send")

    async def step(self) -> datetime:
        """Try what is owed once; an earlier message that nobody takes keeps the later ones waiting."""
        for owed in self._book.pages.owed:
            if not await self._tell(owed):
                break
        pages, now = self._book.pages, self._clock.now()
        left = tuple(it for it in pages.owed if not is_done(it, self._names(), now))
        if left != pages.owed:
            self._book.turn(replace(pages, owed=left))
        return now + (AGAIN_AFTER if left else NOTHING_OWED)

    def release(self) -> None:
        """Try every channel at once again: the config has changed."""
        self._held.clear()
        self.woken.set()

    def close(self) -> None:
        """Let go of the threads, whatever they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _names(self) -> list[str]:
        return [channel.name for channel in self._channels()]

    async def _tell(self, owed: Owed) -> bool:
        """Whether at least one has it now."""
        channels = {channel.name: channel for channel in self._channels()}
        # Asked again after every try: who still has to hear it depends on who has.
        tried: set[str] = set()
        while names := [
            name for name in next_channels(owed, channels, self._open(channels)) if name not in tried
        ]:
            name = names[0]
            tried.add(name)
            proof = await self._try(channels[name], owed.message)
            if proof is not None:
                owed = self._note(owed, name, proof)
        return bool(owed.told_by)

    def _open(self, names: Iterable[str]) -> set[str]:
        now_s = self._clock.monotonic()
        return {name for name in names if self._held.get(name, now_s) <= now_s}

    async def _try(self, channel: Channel, message: Message) -> str | None:
        fields = {"message_id": message.id, "kind": message.kind, "channel": channel.name}
        try:
            proof = await self._sent(channel, message)
        except NotProved as error:
            wait = AGAIN_AFTER_REFUSAL if error.is_permanent else AGAIN_AFTER
            # Held for a moment less than the pause, which the wall clock measures.
            self._held[channel.name] = self._clock.monotonic() + wait.total_seconds() - 1.0
            told = {"error": str(error), "again_in_s": wait.total_seconds()}
            log.warning("watchdog.not-told", extra={"fields": {**fields, **told}})
            return None
        log.info("watchdog.told", extra={"fields": {**fields, "proof": proof}})
        return proof

    async def _sent(self, channel: Channel, message: Message) -> str:
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(self._threads, channel.sender.send, message, self._clock.now())
        done, _ = await asyncio.wait({sending}, timeout=LONGEST_SEND_S)
        if not done:
            sending.add_done_callback(_forget)
            raise NotProved("it took too long")
        try:
            return sending.result()[:LONGEST_PROOF]
        except NotProved:
            raise
        # Whatever a sender did not foresee: the next channel is there for that, and no alert may end here.
        except Exception as error:
            raise NotProved(f"this should not happen: {type(error).__name__}") from None

    def _note(self, owed: Owed, channel: str, proof: str) -> Owed:
        pages, now = self._book.pages, self._clock.now()
        message = owed.message
        told = Told(id=message.id, thread=message.thread, channel=channel, at=now, proof=proof)
        after = replace(owed, told_by=(*owed.told_by, channel))
        # A message that was superseded meanwhile is no longer there to be replaced.
        left = tuple(after if it.message.id == message.id else it for it in pages.owed)
        self._book.turn(replace(pages, owed=left, told=(*pages.told, told)))
        return after


def next_channels(
    owed: Owed, order: Iterable[str] | Mapping[str, object], open_: Collection[str]
) -> list[str]:
    """The channels to try now, first the ones that are to have it; none where nobody is left to hear it."""
    names = list(order)
    wanted = [name for name in owed.wanted if name in names and name not in owed.told_by]
    others = [name for name in names if name not in owed.wanted] if not owed.told_by else []
    return [name for name in (*wanted, *others) if name in open_]


def is_done(owed: Owed, names: Collection[str], now: datetime) -> bool:
    """Whether nobody is left to be told: one has it, and each that was wanted, unless it is late for that."""
    if not owed.told_by:
        return False
    left = [name for name in owed.wanted if name in names and name not in owed.told_by]
    return not left or now - owed.message.created_at >= LATEST_FOR_OTHERS


def _forget(sending: "asyncio.Future[str]") -> None:
    # Nobody waits for it any more; its error must not be told as one that nobody looked at.
    if not sending.cancelled():
        sending.exception()

"""Everything else by Apprise: text messages, Telegram, ntfy, and a hundred more. An optional extra.

Apprise blocks, so each message is handed over in a thread, and a thread that does not come back is left
to itself: it holds up neither the next message nor the end of the daemon. Such a channel should never be
the only one of a receiver of critical alerts.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import ClassVar, TypeVar

from pydantic import field_validator

from daemon.notify import Tools
from daemon.notify.apprise_service import Outcome, deliver, is_installed, is_usable
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.options import ChannelOptions
from daemon.notify.pace import Pace
from daemon.secret import Secret

log = logging.getLogger(__name__)

T = TypeVar("T")

# One after the other within the 20 s that the notifier gives a send: wait, then each address.
PATIENCE_S = 3.0
TRY_S = 8.0
ALL_TRIES_S = 16.0
MOST_THREADS = 2  # one that works, and one that may hang
MOST_ADDRESSES = 20
BUSY = timedelta(seconds=30)
BROKEN = 'the package apprise cannot be loaded; pip install --force-reinstall "nightdesk[apprise]"'

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}(?=://)")
# Of several addresses that failed, the outcome of the whole is the first of these that one of them had:
# what may have arrived must not be called lost, and what may pass is worth another try.
WORST_FIRST = (Failure.UNKNOWN, Failure.TRANSIENT, Failure.PERMANENT)


class AppriseOptions(ChannelOptions):
    """`urls`: addresses as Apprise writes them, tgram://…, ntfy://…; each is a secret."""

    urls: tuple[Secret, ...]

    @field_validator("urls", mode="before")
    @classmethod
    def _as_list(cls, urls: object) -> object:
        return [urls] if isinstance(urls, str | Secret) else urls

    @field_validator("urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if not is_installed():
            raise ValueError('the package apprise is not installed; pip install "nightdesk[apprise]"')
        if not 1 <= len(urls) <= MOST_ADDRESSES:
            raise ValueError(f"holds {len(urls)} addresses; 1 to {MOST_ADDRESSES} are wanted")
        for number, url in enumerate(urls, 1):
            if not _SCHEME.match(url.reveal()):
                raise ValueError(f"address {number} is none of Apprise's, such as ntfy://TOPIC")
        return urls


class Apprise:
    """Hands a message to each address in turn; it counts as delivered as soon as one of them took it."""

    Options: ClassVar[type[AppriseOptions]] = AppriseOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = False

    def __init__(self, options: AppriseOptions, tools: Tools) -> None:
        self._urls = options.urls
        self._clock = tools.clock
        self._pace = Pace(tools.clock, 0.0)
        self._threads = Threads(MOST_THREADS)

    async def send(self, message: Message) -> Receipt:
        """Send to every address; those that failed while another did not are named, and logged."""
        outcomes: dict[str, Outcome] = {}
        async with self._pace.turn(PATIENCE_S):
            began_s = self._clock.monotonic()
            for number, url in enumerate(self._urls, 1):
                left_s = ALL_TRIES_S - (self._clock.monotonic() - began_s)
                outcomes[_name(number, url)] = await self._try(url, message, min(TRY_S, left_s))
        return _judge(message, outcomes)

    async def check(self) -> Sequence[Step]:
        """Have Apprise read every address; it cannot be asked to reach one without a message."""
        steps: list[Step] = []
        for number, url in enumerate(self._urls, 1):
            began_s = self._clock.monotonic()
            is_ok, detail = await self._read(url)
            took_s = self._clock.monotonic() - began_s
            steps.append(Step(name=_name(number, url), is_ok=is_ok, detail=detail, took_s=took_s))
            if not is_ok:
                break
        return steps

    async def _try(self, url: Secret, message: Message, timeout_s: float) -> Outcome:
        if timeout_s <= 0:
            return Outcome(failure=Failure.TRANSIENT, said="no time was left for it; nothing was sent")
        try:
            async with asyncio.timeout(timeout_s):
                return await self._threads.run(lambda: deliver(url, message))
        except Busy:
            said = "earlier messages hang and hold it up; nothing was sent"
            return Outcome(failure=Failure.TRANSIENT, said=said)
        except ImportError:
            return Outcome(failure=Failure.PERMANENT, said=BROKEN)
        except TimeoutError:
            return Outcome(failure=Failure.UNKNOWN, said="no end in time; the message may have arrived")

    async def _read(self, url: Secret) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(TRY_S):
                if await self._threads.run(lambda: is_usable(url)):
                    return True, "Apprise can read it; whether it arrives shows only when a message is sent"
                return False, "Apprise cannot use it; compare it with this service's page in Apprise's manual"
        except Busy:
            return False, "earlier messages hang; try again in a minute"
        except ImportError:
            return False, BROKEN
        except TimeoutError:
            return False, f"Apprise did not read it within {TRY_S:g} s"


class Busy(Exception):
    """All threads are taken."""


class Threads:
    """So many calls at once that cannot be ended. One that is given up keeps its place until it ends."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    async def run(self, call: Callable[[], T]) -> T:
        """Make the call in a thread of its own, which does not keep the program from ending.

        Raises:
            Busy: there is no place; the call was not made.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on a cancelled wait leaves the call alone
        threading.Thread(target=self._make, args=(call, future), name="apprise", daemon=True).start()
        return await asyncio.wrap_future(future)

    def _make(self, call: Callable[[], T], future: "Future[T]") -> None:
        try:
            try:
                answer = call()
            finally:
                self._places.release()  # before anybody who waits can ask for the next place
        # A library away from any exception there is; whoever waits is told, and in the end the notifier.
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(answer)


def _judge(message: Message, outcomes: dict[str, Outcome]) -> Receipt:
    failed = {name: it for name, it in outcomes.items() if it.failure is not None}
    taken = [name for name in outcomes if name not in failed]
    told = "; ".join(f"{name}: {it.said}" for name, it in failed.items())
    if taken:
        proof = f"taken by {', '.join(taken)}"
        if failed:
            log.warning("apprise.partly-failed", extra={"fields": {"message_id": message.id, "error": told}})
            proof += f"; not by {', '.join(failed)}"
        return Receipt(proof=proof, details={"failed": {name: it.said for name, it in failed.items()}})
    failures = {it.failure for it in failed.values()}
    failure = next(it for it in WORST_FIRST if it in failures)
    raise ChannelError(told, failure=failure, retry_after=BUSY if failure is Failure.TRANSIENT else None)


def _name(number: int, url: Secret) -> str:
    """What an address is called where it must not be shown: its place and its service."""
    scheme = _SCHEME.match(url.reveal())
    return f"{number} {scheme[0].lower()}" if scheme else str(number)

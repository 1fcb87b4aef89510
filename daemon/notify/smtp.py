"""Mail by SMTP: one connection to one server for each message, and an answer for every recipient."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from daemon.notify import Tools
from daemon.notify.base import ChannelError, Failure, Message, Receipt, Step
from daemon.notify.mail import RICH_ENTRIES
from daemon.notify.mailbox import parse_addresses
from daemon.notify.mime import compose
from daemon.notify.pace import Pace
from daemon.notify.smtp_answers import Reply, all_refused, lost
from daemon.notify.smtp_options import SmtpOptions, server_of
from daemon.notify.smtp_session import Server, Session, Tls
from daemon.notify.text import cut

log = logging.getLogger(__name__)

# Together under the 20 s that the notifier gives a send: the queue, all steps, the farewell.
PATIENCE_S = 3.0
TOTAL_S = 15.0
CHECK_S = 30.0  # somebody waits at a terminal, and there may be many recipients
AT_ONCE = 20  # recipients of one mail; a hundred is what a server must take, few take it from strangers
MOST_REMEMBERED = 200  # messages of which some recipients have a copy and some have not
SHOWN = 80  # characters of an address in a log line
LONGEST_PROOF = 200

Asking = Callable[[], Awaitable[Reply | None]]


class Smtp:
    """Hands each message to a mail server. A copy sent again has the same Message-ID as the first.

    The server is the operator's own word, and mostly stands in the company's network: no rule of public
    addresses holds here. What is kept from others is the password, which is never sent in clear.
    """

    Options: ClassVar[type[SmtpOptions]] = SmtpOptions
    is_delivery: ClassVar[bool] = True
    dedupes: ClassVar[bool] = True  # mail programs show one of several with the same Message-ID

    def __init__(self, options: SmtpOptions, tools: Tools) -> None:
        self._options = options
        self._tools = tools
        self._origin = self
        self._clock = tools.clock
        self._allow_private = tools.allow_private
        self._server: Server | None = None
        # Some providers refuse a fourth connection, and what keeps the first waiting keeps them all.
        self._pace = Pace(tools.clock, spacing_s=0)
        self._taken: OrderedDict[str, set[str]] = OrderedDict()

    async def send(self, message: Message) -> Receipt:
        """Send the mail to every recipient that has not got it; it is delivered where one of them has.

        Who was refused is named in the receipt's details and in the log. Where a later one of several
        connections fails the message has failed; sent again, it spares those who have it.
        """
        replies: dict[str, Reply] = {}
        async with self._pace.turn(PATIENCE_S):
            began_s = self._clock.monotonic()
            for batch in self._batches(message.id):
                left_s = TOTAL_S - (self._clock.monotonic() - began_s)
                replies |= await self._send_to(batch, message, left_s)
        if message.id not in self._taken:
            raise all_refused(self._options.host, replies)
        del self._taken[message.id]
        return self._receipt(message, replies)

    def addressed(self, to: Sequence[str]) -> "Smtp":
        """See `Mailing.addressed`. It has a queue of its own: whoever uses many sees to it how many."""
        people = parse_addresses(list(to))
        made = Smtp(self._options.model_copy(update={"to": people}), self._tools)
        made._origin = self._origin
        made._taken = self._taken
        return made

    async def check(self) -> Sequence[Step]:
        """Go as far as the last recipient, without a mail."""
        began_s = self._clock.monotonic()
        try:
            session = Session(await self._opened())
        except ChannelError as error:
            return [Step(name="connect", is_ok=False, detail=str(error), took_s=0.0)]
        steps: list[Step] = []
        try:
            for name, asking in self._way(session):
                left_s = CHECK_S - (self._clock.monotonic() - began_s)
                steps.append(await self._tried(name, asking, left_s))
                if not steps[-1].is_ok:
                    break
        finally:
            session.close()
        return steps

    def _batches(self, message_id: str) -> list[tuple[str, ...]]:
        """Who is still to be sent it, as many at once as one mail may have recipients."""
        taken = self._taken.get(message_id, set())
        owed = [address for address in self._options.to if address not in taken]
        return [tuple(owed[start : start + AT_ONCE]) for start in range(0, len(owed), AT_ONCE)]

    async def _send_to(self, batch: Sequence[str], message: Message, left_s: float) -> dict[str, Reply]:
        """Send to some; the reply to each, which for those who got it is the one to the mail."""
        session = Session(await self._opened())
        try:
            async with asyncio.timeout(left_s):
                replies = await self._hand_over(session, batch, message)
            self._remember(message.id, [address for address, reply in replies.items() if reply.is_taken])
            await session.farewell()
        except TimeoutError as error:
            blame = lost(self._options.host, session.step, error, is_sent=session.is_sent)
        else:
            return replies
        finally:
            session.close()
        raise blame

    async def _hand_over(self, session: Session, batch: Sequence[str], message: Message) -> dict[str, Reply]:
        await session.connect()
        if self._options.tls is Tls.STARTTLS:
            await session.secure()
        if self._options.user:
            await session.login()
        utf8 = session.takes_utf8 and not self._is_ascii(batch)
        mail = await self._composed(message, batch, session.room, utf8=utf8)
        await session.sender(self._options.sender.address, size=len(mail), utf8=utf8)
        replies = {address: await session.recipient(address) for address in batch}
        if not any(reply.is_taken for reply in replies.values()):
            return replies
        answer = await session.content(mail, TOTAL_S)
        return {address: answer if reply.is_taken else reply for address, reply in replies.items()}

    async def _composed(
        self, message: Message, batch: Sequence[str], room: int | None, *, utf8: bool
    ) -> bytes:
        """The mail, with fewer entries where the server takes no such long ones."""
        to = [address for address in batch if utf8 or address.isascii()]
        make = partial(
            compose, message, self._options.sender, to, unsubscribe=self._options.unsubscribe, utf8=utf8
        )
        # A storm of thousands takes a quarter of a second; the loop has other things to do meanwhile.
        run = asyncio.to_thread if len(message.entries) > RICH_ENTRIES else _at_once
        mail = await run(make)
        if room is None or len(mail) <= room:
            return mail
        try:
            return await run(partial(make, most=room))
        except ValueError:
            raise ChannelError(
                f"{self._options.host} takes no mail of more than {room} bytes, too few for this one",
                failure=Failure.PERMANENT,
            ) from None

    def _remember(self, message_id: str, taken: Sequence[str]) -> None:
        if not taken:
            return
        self._taken.setdefault(message_id, set()).update(taken)
        while len(self._taken) > MOST_REMEMBERED:
            self._taken.popitem(last=False)

    def _receipt(self, message: Message, replies: dict[str, Reply]) -> Receipt:
        answers = {str(reply) for reply in replies.values() if reply.is_taken}
        refused = {
            cut(address, SHOWN): str(reply) for address, reply in replies.items() if not reply.is_taken
        }
        if refused:
            fields = {"message_id": message.id, "host": self._options.host, "refused": refused}
            log.warning("smtp.refused-recipients", extra={"fields": fields})
        proof = cut("; ".join(sorted(answers)) or "everybody had it already", LONGEST_PROOF)
        details = {"recipients": len(self._options.to) - len(refused), "refused": refused}
        return Receipt(proof=proof, details=details)

    async def _opened(self) -> Server:
        """How one comes in; made once, since the system's certificates take a moment to read."""
        if self._origin is not self:
            return await self._origin._opened()
        if self._server is None:
            self._server = await server_of(self._options, allow_private=self._allow_private)
        return self._server

    def _way(self, session: Session) -> list[tuple[str, Asking]]:
        """The steps of a check; a mail's worth of recipients at a time, as when it is sent."""
        options = self._options
        way: list[tuple[str, Asking]] = [("connect", session.connect)]
        if options.tls is Tls.STARTTLS:
            way.append(("starttls", session.secure))
        if options.user:
            way.append(("login", session.login))
        for batch in self._batches(""):
            way.append(("sender", partial(self._begin, session, batch)))
            way += [(f"recipient {address}", partial(session.recipient, address)) for address in batch]
            way.append(("reset", session.reset))
        return [*way, ("quit", session.farewell)]

    async def _begin(self, session: Session, batch: Sequence[str]) -> Reply:
        utf8 = session.takes_utf8 and not self._is_ascii(batch)
        return await session.sender(self._options.sender.address, utf8=utf8)

    def _is_ascii(self, batch: Sequence[str]) -> bool:
        return self._options.sender.address.isascii() and all(map(str.isascii, batch))

    async def _tried(self, name: str, asking: Asking, left_s: float) -> Step:
        began_s = self._clock.monotonic()
        is_ok = False
        try:
            async with asyncio.timeout(left_s):
                reply = await asking()
            # A server that keeps quiet after QUIT has taken all before it.
            is_ok, detail = reply is None or reply.is_taken, "no answer" if reply is None else str(reply)
        except ChannelError as error:
            detail = str(error)
        except TimeoutError:
            detail = f"{self._options.host} did not answer in time"
        return Step(name=name, is_ok=is_ok, detail=detail, took_s=self._clock.monotonic() - began_s)


async def _at_once(make: Callable[[], bytes]) -> bytes:
    return make()

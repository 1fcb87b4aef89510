"""One connection to a mail server, step by step (RFC 5321), that knows whether the mail may be out.

The library's own `send` does all steps in one: it outlives the time it is given, and does not tell a mail
that was never sent from one whose answer was lost.
"""

import base64
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from daemon.notify.base import ChannelError, Failure
from daemon.notify.smtp_answers import Reply, lost, refused
from daemon.secret import Secret

if TYPE_CHECKING:
    import aiosmtplib

T = TypeVar("T")

STEP_S = 5.0
FAREWELL_S = 0.5  # whatever is said to QUIT, or is not, the mail is out or it is not
START_INPUT = 354
NOT_ASCII = Reply(553, "the server takes ASCII addresses only")

_DOT = re.compile(rb"(?m)^\.")
_HOST_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
# Over an encrypted line the plain ways are the ones that every server gets right.
_WAYS = ("plain", "login", "cram-md5")
_WAYS_IN_CLEAR = ("cram-md5", "plain", "login")


class Tls(StrEnum):
    """How the connection is kept from being read."""

    STARTTLS = "starttls"  # begun in clear, then encrypted, or nothing more is said
    IMPLICIT = "implicit"  # encrypted from the first byte
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server, and how one comes in."""

    host: str
    port: int
    tls: Tls
    context: ssl.SSLContext | None  # None for `Tls.NONE`
    user: str = ""
    password: Secret | None = None


class Session:
    """A connection to one server. Each step answers in time or fails with a ChannelError.

    `is_sent` says whether the end of a mail may have reached the server: what fails after that leaves the
    outcome unknown, what fails before it has sent nothing.
    """

    def __init__(self, server: Server) -> None:
        import aiosmtplib

        self.is_sent = False
        self.step = "connect"  # the one that is being taken
        self._server = server
        self._errors = (aiosmtplib.SMTPException, OSError)
        self._smtp: aiosmtplib.SMTP = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls is Tls.IMPLICIT,
            start_tls=False,  # a step of its own, below
            tls_context=server.context,
            # Otherwise the library asks the DNS for this machine's name, for as long as that may take.
            local_hostname="localhost",
            timeout=STEP_S,
        )

    @property
    def room(self) -> int | None:
        """How many bytes a mail may have (RFC 1870); None where the server does not say."""
        said = self._smtp.esmtp_extensions.get("size", "")
        return int(said[:18]) or None if said.isascii() and said.isdigit() else None

    @property
    def takes_utf8(self) -> bool:
        """Whether addresses may hold more than ASCII (RFC 6531)."""
        return self._smtp.supports_extension("smtputf8")

    async def connect(self) -> Reply:
        """Connect, with TLS where it is implicit, and say hello."""
        greeting = await self._asked("connect", self._smtp.connect())
        await self._asked("connect", self._hello())
        return self._reply(greeting)

    async def secure(self) -> Reply:
        """Encrypt what was begun in clear; nothing goes on in clear where that cannot be done."""
        if not self._smtp.supports_extension("starttls"):
            raise ChannelError(
                f"{self._server.host} offers no STARTTLS on port {self._server.port}; set tls to implicit "
                "(mostly port 465), or to none for a server in your own network",
                failure=Failure.PERMANENT,
            )
        answer = await self._asked("starttls", self._smtp.starttls())
        await self._asked("starttls", self._hello())
        return self._reply(answer)

    async def login(self) -> Reply:
        """Log in, in one way only: each one tried with a wrong password counts towards a lock-out."""
        password = self._server.password
        assert password is not None, "without a password there is no login"
        way = self._way_to_log_in()
        return self._reply(await self._asked("login", way(self._server.user, password.reveal())))

    async def sender(self, address: str, *, size: int | None = None, utf8: bool = False) -> Reply:
        """Begin a mail: whose it is, how many bytes it has, and whether an address in it needs SMTPUTF8."""
        options = [f"SIZE={size}"] if size is not None and self._smtp.supports_extension("size") else []
        options += ["SMTPUTF8"] if utf8 else []
        what = f"the sender {address}"
        if not address.isascii() and not self.takes_utf8:
            raise refused(self._server.host, what, NOT_ASCII)
        reply = await self._command("sender", "MAIL", f"FROM:<{address}>", *options)
        if not reply.is_taken:
            raise refused(self._server.host, what, reply)
        return reply

    async def recipient(self, address: str) -> Reply:
        """Name one recipient; the answer is about that one only, and a no is no error here."""
        if not address.isascii() and not self.takes_utf8:
            return NOT_ASCII
        return await self._command("recipient", "RCPT", f"TO:<{address}>")

    async def content(self, mail: bytes, within_s: float) -> Reply:
        """Send the mail itself. Servers look for spam and viruses before they answer: it may take a while."""
        begun = await self._command("content", "DATA")
        if begun.code != START_INPUT:
            raise refused(self._server.host, "the mail", begun)
        reply = self._reply(await self._asked("content", self._pour(mail, within_s)))
        if not reply.is_taken:
            raise refused(self._server.host, "the mail", reply, is_sent=True)
        return reply

    async def reset(self) -> Reply:
        """Take back what was begun."""
        return await self._command("reset", "RSET")

    async def farewell(self) -> Reply | None:
        """Say QUIT, and do not wait long for what is said to it; None for silence."""
        with suppress(*self._errors):
            return self._reply(await self._smtp.execute_command(b"QUIT", timeout=FAREWELL_S))
        return None

    def close(self) -> None:
        """Let go of the connection, in whatever state it is."""
        transport = self._smtp.transport
        self._smtp.close()
        if transport is not None and hasattr(transport, "abort"):
            transport.abort()  # closing TLS in good order would wait for the other side

    async def _hello(self) -> "aiosmtplib.SMTPResponse":
        import aiosmtplib

        try:
            return await self._smtp.ehlo(hostname=self._own_name())
        except aiosmtplib.SMTPHeloError as error:
            if error.code < 500:
                raise
            return await self._smtp.helo(hostname=self._own_name())  # a server from before 1995

    def _own_name(self) -> str:
        """The full name of this machine, or the address it is seen by (RFC 5321, 4.1.4)."""
        name = socket.gethostname()
        if _HOST_NAME.fullmatch(name):
            return name
        address = str(self._smtp.get_transport_info("sockname")[0])
        return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"

    def _way_to_log_in(self) -> Callable[[str, str], Awaitable["aiosmtplib.SMTPResponse"]]:
        ways = {
            "plain": self._smtp.auth_plain,
            "login": self._smtp.auth_login,
            "cram-md5": self._smtp.auth_crammd5,
        }
        offered = self._smtp.server_auth_methods
        for name in _WAYS_IN_CLEAR if self._server.tls is Tls.NONE else _WAYS:
            if name in offered:
                return ways[name]
        found = ", ".join(offered)[:80] or "nothing"
        raise ChannelError(
            f"{self._server.host} offers no login by password, but {found}; set tls, or leave out user and "
            "password",
            failure=Failure.PERMANENT,
        )

    async def _pour(self, mail: bytes, within_s: float) -> "aiosmtplib.SMTPResponse":
        """Write the mail and its end. From here on nobody knows, until there is an answer."""
        protocol = self._smtp.protocol
        if protocol is None:
            raise ConnectionError("the connection is lost")
        self.is_sent = True
        protocol.write(_DOT.sub(b"..", mail) + b".\r\n")
        return await protocol.read_response(timeout=within_s)

    async def _command(self, step: str, *words: str) -> Reply:
        encoded = [word.encode() for word in words]
        return self._reply(await self._asked(step, self._smtp.execute_command(*encoded)))

    async def _asked(self, step: str, asking: Awaitable[T]) -> T:
        """Await an answer; whatever the library makes of a bad one, or of none, becomes a ChannelError."""
        self.step = step
        try:
            return await asking
        except self._errors as error:
            blame = self._blame(step, error)
        # Raised out here: the library's error, which is not its context then, holds all that was said.
        raise blame

    def _blame(self, step: str, error: Exception) -> ChannelError:
        import aiosmtplib

        host = self._server.host
        if isinstance(error, aiosmtplib.SMTPResponseException):
            reply = Reply(error.code, self._redacted(error.message))
            return refused(host, f"the step {step}", reply, is_sent=self.is_sent)
        if isinstance(error, OSError):
            return lost(host, step, error, is_sent=self.is_sent)
        return refused(host, f"the step {step}", Reply(0, type(error).__name__), is_sent=self.is_sent)

    def _reply(self, answer: "aiosmtplib.SMTPResponse") -> Reply:
        return Reply(answer.code, self._redacted(answer.message))

    def _redacted(self, said: str) -> str:
        """What the server said, without the password it may have been told and repeats."""
        if not self._server.password:
            return said
        password, user = self._server.password.reveal(), self._server.user
        forms = (password, *(_base64(text) for text in (password, f"\0{user}\0{password}")))
        for form in forms:
            said = said.replace(form, "***")
        return said


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

"""Mail servers on loopback: a real one with TLS and logins, and one that says what it is told to."""

import asyncio
import atexit
import email
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from daemon.clock import VirtualClock
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel, ChannelError, Message
from daemon.notify.http import HttpClient
from daemon.secret import Secret
from state.records import Severity
from tests.daemon.notify.hostile import NOW
from tests.daemon.notify.receivers import TOKEN

USER = "nightdesk"
ALERT = Message(
    id="n-17",
    kind="alert",
    title="daily-reports failed",
    text="Twice.\n.\n.hidden",
    severity=Severity.ERROR,
    thread="i-4",
    created_at=NOW,
)
THREE = ["a@x.example", "b@x.example", "c@x.example"]
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
Say = str | Script


@dataclass
class MailServer:
    """A server that is there, and what it has been sent."""

    host: str = "127.0.0.1"
    port: int = 0
    ca_file: Path | None = None
    tls: str = "none"
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)  # the envelopes
    commands: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    @property
    def mails(self) -> list[EmailMessage]:
        """What was sent, as a mail program reads it."""
        return [as_read(body) for body in self.bodies]

    @property
    def options(self) -> dict[str, Any]:
        """The entry of a channel that sends here."""
        entry: dict[str, Any] = {"host": self.host, "port": self.port, "tls": self.tls}
        entry |= {"user": USER, "password": TOKEN, "from": "Night desk <desk@example.com>"}
        entry |= {"caFile": str(self.ca_file)} if self.ca_file else {}
        return {**entry, "to": ["ops@example.com"]}

    def recipients(self) -> list[str]:
        """Everybody who was named to the server."""
        return [command[9:-1] for command in self.commands if command.startswith("RCPT TO:<")]


def as_read(body: bytes) -> EmailMessage:
    """A mail parsed by the standard library."""
    mail = email.message_from_bytes(body, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


class _Real(SMTP):
    """aiosmtpd, which keeps to the standard and knows TLS and logins."""

    def __init__(self, there: MailServer, **options: Any) -> None:
        super().__init__(self, hostname="mail.example", authenticator=self.judge, **options)
        self.there = there

    def judge(self, _server: Any, _session: Any, _envelope: Any, way: str, given: Any) -> AuthResult:
        self.there.commands.append(f"AUTH {way}")
        is_known = isinstance(given, LoginPassword) and given == (USER.encode(), TOKEN.encode())
        return AuthResult(success=is_known, handled=False)

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.there.heads.append(repr((envelope.mail_from, envelope.rcpt_tos)).encode())
        self.there.bodies.append(content)
        return "250 2.0.0 taken as 4711"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self.there.connections += 1
        super().connection_made(transport)


@asynccontextmanager
async def real(tls: str = "starttls", **options: Any) -> AsyncIterator[MailServer]:
    """Open a real mail server, in a thread and on a loop of its own; its TLS does not run on uvloop."""
    there = MailServer(host="localhost", tls=tls)
    there.ca_file = None if tls == "none" else certificate().file
    own = {"enable_SMTPUTF8": True, "auth_require_tls": tls == "starttls", **options}
    if tls == "starttls":
        own |= {"auth_required": True, "require_starttls": True, "tls_context": certificate().context}
    loop = asyncio.new_event_loop()

    async def opened() -> asyncio.Server:
        context = certificate().context if tls == "implicit" else None
        return await loop.create_server(lambda: _Real(there, loop=loop, **own), "127.0.0.1", 0, ssl=context)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(opened(), loop))
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_ended(server), loop))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _ended(server: asyncio.Server) -> None:
    server.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await server.wait_closed()


@dataclass(frozen=True)
class Certificate:
    """A certificate of localhost that nobody has signed but itself, and a server's use of it."""

    file: Path
    context: ssl.SSLContext


@cache
def certificate() -> Certificate:
    """Make one, once a run."""
    folder = Path(tempfile.mkdtemp(prefix="certificate-"))
    atexit.register(shutil.rmtree, folder)
    file, key = folder / "certificate.pem", folder / "key.pem"
    asked = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["-nodes", "-days", "2", "-keyout", str(key), "-out", str(file)]
    subprocess.run([*asked, *about, *made], check=True, capture_output=True, timeout=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key)
    return Certificate(file, context)


GOOD: Mapping[str, Say] = {
    "greeting": "220 mail.example ready",
    "EHLO": "250-mail.example\r\n250-SIZE 10000000\r\n250 AUTH PLAIN",
    "AUTH": "235 2.7.0 come in",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "end": "250 2.0.0 queued as 4711",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


@asynccontextmanager
async def saying(**said: Say | list[Say]) -> AsyncIterator[MailServer]:
    """Open a server that takes everything, but answers as told: by command, `end` is the final dot.

    Of a list it says one after the other, the last again and again. `RCPT_c` answers to RCPT TO:<c@…>.
    """
    there = MailServer()
    answers = {name: list(say) if isinstance(say, list) else [say] for name, say in {**GOOD, **said}.items()}
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        with suppress(asyncio.CancelledError):
            await _serve(there, answers, reader, writer)
        handlers.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**24)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()


async def _serve(
    there: MailServer,
    answers: Mapping[str, list[Say]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    there.connections += 1
    try:
        is_open = await _say(answers["greeting"], writer)
        while is_open and (line := await reader.readline()):
            command = line.decode().strip()
            there.commands.append(command)
            is_open = await _answer(there, answers, command, reader, writer)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _answer(
    there: MailServer,
    answers: Mapping[str, list[Say]],
    command: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    verb = command.split()[0].upper()
    name = re.sub(r"RCPT TO:<(\w+)@.*", r"RCPT_\1", command)
    is_open = await _say(answers.get(name) or answers.get(verb) or ["502 what?"], writer)
    if verb == "DATA" and is_open and GOOD["DATA"] in answers["DATA"]:
        there.heads.append(" ".join(there.commands[-30:]).encode())
        there.bodies.append((await reader.readuntil(b"\r\n.\r\n"))[:-3])
        there.arrived.set()
        return await _say(answers["end"], writer)
    return is_open and verb != "QUIT"


async def _say(said: list[Say], writer: asyncio.StreamWriter) -> bool:
    """Say the next thing; whether there will be more to say."""
    say = said.pop(0) if len(said) > 1 else said[0]
    if not isinstance(say, str):
        await say(writer)
        return False
    writer.write(say.encode() + b"\r\n")
    await writer.drain()
    return True


async def dripping(writer: asyncio.StreamWriter) -> None:
    """Begin an answer and never end it."""
    while True:
        writer.write(b"250-more\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def pouring(writer: asyncio.StreamWriter) -> None:
    """Answer without end, as fast as it is read."""
    while True:
        writer.write(b"A" * 65536)
        await writer.drain()


@asynccontextmanager
async def channel(there: MailServer, **options: Any) -> AsyncIterator[Channel]:
    """Make a channel that sends there; an option that is None is left out."""
    entry = {**there.options, "password": Secret(TOKEN), **options}
    http = HttpClient()
    try:
        said = {name: value for name, value in entry.items() if value is not None}
        yield open_channel("smtp", said, Tools(http=http, clock=VirtualClock(NOW)))
    finally:
        await http.close()


async def failure_of(there: MailServer, message: Message = ALERT, **options: Any) -> ChannelError:
    """Send to a server that fails, and return what is told of it."""
    async with channel(there, **options) as sender:
        with pytest.raises(ChannelError) as caught:
            async with asyncio.timeout(16):
                await sender.send(message)
    return caught.value

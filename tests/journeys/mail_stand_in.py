"""A mail server, aiosmtpd, on a line that can be cut."""

import asyncio
import email
import logging
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.journeys.line_stand_in import Line, Switchboard

RECIPIENT = "oncall@example.com"
# A line that is cut or a client that is killed is what these tests are about, and no news.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


@dataclass
class Mail:
    """One mail server; every mail it has taken is a copy of its line."""

    line: Line = field(init=False)
    answers_after_s: float = 0.0

    @property
    def entry(self) -> dict[str, Any]:
        """A channel's entry in the config."""
        here = {"type": "smtp", "host": "127.0.0.1", "port": self.line.port, "tls": "none"}
        return {**here, "from": "Night desk <desk@example.com>", "to": [RECIPIENT]}

    def answering(self) -> asyncio.BaseProtocol:
        return SMTP(self, hostname="mail.example", loop=asyncio.get_running_loop())

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain",))
        assert body is not None
        self.line.take_in(
            id=str(mail["Message-ID"]).strip("<>").removesuffix("@example.com"),
            text=f"{mail['Subject']}\n{body.get_content()}",
            thread=mail["References"],
            whole=mail,
        )
        await asyncio.sleep(self.answers_after_s)
        await self.line.may_answer()
        return "250 2.0.0 taken as 4711"


def mail_server(board: Switchboard) -> Mail:
    """Open a mail server without TLS and login."""
    made = Mail()
    made.line = Line(made.answering, board.loop)
    board.open(made.line)
    return made

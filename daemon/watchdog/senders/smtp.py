"""Mail by SMTP."""

import ipaddress
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from daemon.watchdog.message import Message, headline, plain_text
from daemon.watchdog.senders.base import NotProved, Options
from daemon.watchdog.senders.bound import STEP_S, Bound, connected

STARTTLS, IMPLICIT, NONE = "starttls", "implicit", "none"
SUBMISSION, SUBMISSIONS = 587, 465
LONGEST_SUBJECT = 200
READY = 220
# Of 4xx the server itself says that it may pass.
FIRST_PERMANENT = 500


class Smtp:
    """`host`, `port`, `user`, `password`, `from`, `to`, `tls` (starttls, implicit, none), `caFile`.

    The host is the operator's own word and mostly a private one: no rule of public addresses here.
    """

    def __init__(self, options: Options, allow_private: bool) -> None:
        self._host = options.text("host")
        self._port = options.number("port", SUBMISSION)
        self._tls = options.text("tls", IMPLICIT if self._port == SUBMISSIONS else STARTTLS)
        if self._tls not in (STARTTLS, IMPLICIT, NONE):
            raise ValueError("tls: is none of starttls, implicit, none")
        self._login = (options.text("user"), options.text("password")) if options.has("password") else None
        if self._tls == NONE and self._login is not None and not (allow_private or _is_here(self._host)):
            raise ValueError("tls: none would send the password in clear; take starttls or implicit")
        self._from = options.addresses("from")[0]
        self._to = options.addresses("to")
        self._ca_file = options.text("caFile") if options.has("caFile") else None

    def send(self, message: Message, now: datetime) -> str:
        """Hand it to the mail server; one recipient whom it takes is proof enough."""
        with Bound() as bound:
            try:
                return self._handed_over(self._written(message), bound)
            except smtplib.SMTPResponseException as error:
                is_permanent = error.smtp_code >= FIRST_PERMANENT
                raise NotProved(
                    f"{self._host} answered {error.smtp_code}", is_permanent=is_permanent
                ) from None
            except smtplib.SMTPRecipientsRefused as error:
                codes = [code for code, _text in error.recipients.values()]
                told = f"{self._host} takes none of the recipients: {codes[0] if codes else 'no answer'}"
                is_permanent = all(code >= FIRST_PERMANENT for code in codes)
                raise NotProved(told, is_permanent=is_permanent) from None
            except smtplib.SMTPNotSupportedError:
                told = f"{self._host} offers no STARTTLS or no login; set tls of the channel"
                raise NotProved(told, is_permanent=True) from None
            except ssl.SSLCertVerificationError:
                raise NotProved(f"{self._host}: its certificate is not trusted", is_permanent=True) from None
            except (OSError, smtplib.SMTPException, ValueError) as error:
                what = "time is up" if bound.is_over else type(error).__name__
                raise NotProved(f"{self._host}: no answer ({what})") from None

    def _handed_over(self, mail: EmailMessage, bound: Bound) -> str:
        trust = self._trust() if self._tls != NONE else None
        server = _Bounded(bound, trust if self._tls == IMPLICIT else None)
        try:
            return self._given_to(server, mail, trust, bound)
        finally:
            # No QUIT: whoever hangs at the farewell must not make an accepted message look lost.
            server.close()

    def _given_to(
        self, server: "_Bounded", mail: EmailMessage, trust: ssl.SSLContext | None, bound: Bound
    ) -> str:
        code, _text = server.connect(self._host, self._port)
        if code != READY:
            raise smtplib.SMTPConnectError(code, "")
        server.ehlo_or_helo_if_needed()
        if trust is not None and self._tls == STARTTLS:
            server.starttls(context=trust)  # raises where the server does not offer it
            assert server.sock is not None
            bound.hold(server.sock)
            server.ehlo_or_helo_if_needed()
        if self._login is not None:
            server.login(*self._login)
        refused = server.send_message(mail, self._from, self._to)
        return f"250 for {len(self._to) - len(refused)} of {len(self._to)}"

    def _trust(self) -> ssl.SSLContext:
        """Trust what the system trusts, and the authorities of the file."""
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return context

    def _written(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        domain = self._from.rpartition("@")[2]
        mail["From"], mail["To"] = f"nightdesk <{self._from}>", ", ".join(self._to)
        mail["Subject"] = " ".join(headline(message).split())[:LONGEST_SUBJECT]
        mail["Date"] = format_datetime(message.created_at)
        mail["Message-ID"] = f"<{_legal(message.id)}@{domain}>"
        # One that no message bears: whichever of a thread comes first, the others stand beside it.
        mail["References"] = mail["In-Reply-To"] = f"<{_legal(message.thread)}.thread@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(plain_text(message))
        return mail


class _Bounded(smtplib.SMTP):
    """The library's client on a connection whose whole time is bounded."""

    def __init__(self, bound: Bound, trust: ssl.SSLContext | None) -> None:
        # A name of its own: the library would look one up, without any limit.
        super().__init__(local_hostname=_legal(socket.gethostname()) or "localhost", timeout=STEP_S)
        self._bound = bound
        self._trust = trust

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._host = host  # the library checks the certificate of STARTTLS by it
        plain = connected(host, port, self._bound, public_only=False)
        if self._trust is None:
            return plain
        wrapped = self._trust.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        self._bound.hold(wrapped)
        wrapped.do_handshake()
        return wrapped


def _is_here(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _legal(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)

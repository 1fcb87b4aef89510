"""What an SMTP channel is told in the config, and the server that comes of it."""

import asyncio
import ipaddress
import re
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from daemon.notify.base import ChannelError, Failure
from daemon.notify.mail import unsubscribe_address
from daemon.notify.mailbox import Recipients, Sender
from daemon.notify.options import ChannelOptions
from daemon.notify.smtp_session import Server, Tls
from daemon.secret import Secret

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


class SmtpOptions(ChannelOptions):
    """`host` and who sends to whom; `user` and `password` where the server wants a login."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    user: str = ""
    password: Secret | None = None
    sender: Sender = Field(alias="from")
    to: Recipients
    tls: Tls = Tls.STARTTLS
    ca_file: Path | None = None
    unsubscribe: str | None = None

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        host = host.strip()
        with suppress(ValueError):
            return str(ipaddress.ip_address(host.strip("[]")))
        if not _HOST.fullmatch(host) or ".." in host:
            raise ValueError(
                "is no host name; write it without port and without smtp://, like mail.example.com"
            )
        return host

    @field_validator("unsubscribe")
    @classmethod
    def _is_address(cls, said: str | None) -> str | None:
        return None if said is None else unsubscribe_address(said)

    @field_validator("ca_file")
    @classmethod
    def _is_there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}; write the path of a PEM file with certificates")
        return path

    @model_validator(mode="before")
    @classmethod
    def _by_port(cls, entry: Any) -> Any:
        """Port 465 is for TLS from the first byte (RFC 8314); a server there would wait for it for ever."""
        if isinstance(entry, dict) and str(entry.get("port")) == "465" and "tls" not in entry:
            return {**entry, "tls": Tls.IMPLICIT}
        return entry

    @model_validator(mode="after")
    def _is_whole_login(self) -> Self:
        if bool(self.user) != bool(self.password):
            missing = "password" if self.user else "user"
            raise ValueError(f"a login needs user and password, and {missing} is not set; set it or neither")
        return self


async def server_of(options: SmtpOptions, *, allow_private: bool) -> Server:
    """The server and what it takes to trust it; reading the system's certificates takes a moment.

    Raises:
        ChannelError: the password would go out in clear, or the file of certificates is none.
    """
    if options.tls is Tls.NONE and options.password and not (allow_private or _is_here(options.host)):
        raise ChannelError(
            f"a password is not sent to {options.host} in clear; set tls to starttls or implicit, or "
            "network.allowPrivate for a server in your own network",
            failure=Failure.PERMANENT,
        )
    context = None if options.tls is Tls.NONE else await asyncio.to_thread(_trust, options.ca_file)
    return Server(
        host=options.host,
        port=options.port,
        tls=options.tls,
        context=context,
        user=options.user,
        password=options.password,
    )


def _is_here(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Trust what the system trusts, and the authorities of the file."""
    context = ssl.create_default_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        raise ChannelError(
            f"caFile {ca_file} holds no certificate that can be read ({type(error).__name__}); write the "
            "path of a PEM file",
            failure=Failure.PERMANENT,
        ) from None
    return context

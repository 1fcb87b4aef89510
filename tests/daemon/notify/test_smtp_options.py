"""What an SMTP channel is told in the config: what it takes, and what it says of the rest."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.notify.base import ChannelError, Failure
from daemon.notify.smtp_options import SmtpOptions, server_of
from daemon.notify.smtp_session import Tls
from daemon.secret import Secret

ENTRY: dict[str, Any] = {"host": "mail.example.com", "from": "desk@example.com", "to": "ops@example.com"}
LOGIN = {"user": "u", "password": Secret("p")}


def options(**said: Any) -> SmtpOptions:
    return SmtpOptions.model_validate({**ENTRY, **said})


def test_what_is_not_said_is_what_most_servers_want() -> None:
    read = options()
    assert (read.port, read.tls, read.to) == (587, Tls.STARTTLS, ("ops@example.com",))


@pytest.mark.parametrize(
    ("said", "tls"),
    [
        ({"port": 465}, Tls.IMPLICIT),
        ({"port": 465, "tls": "starttls"}, Tls.STARTTLS),
        ({"port": 25, "tls": "none"}, Tls.NONE),
        ({"port": 2525}, Tls.STARTTLS),
    ],
    ids=["465", "465 with a word", "25", "2525"],
)
def test_port_465_is_for_tls_from_the_first_byte(said: dict[str, Any], tls: Tls) -> None:
    assert options(**said).tls is tls


@pytest.mark.parametrize(
    ("said", "host"),
    [
        ("mail_1.example.com", "mail_1.example.com"),
        ("[::1]", "::1"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("mx.", "mx."),
    ],
)
def test_a_host_is_a_name_or_an_address(said: str, host: str) -> None:
    assert options(host=said).host == host


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"host": "smtp://mail.example.com"}, "write it without port and without smtp://"),
        ({"host": "mail.example.com:587"}, "write it without port"),
        ({"host": "mail\r\nQUIT"}, "is no host name"),
        ({"host": ""}, "is no host name"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"port": 65536}, "less than or equal to 65535"),
        ({"tls": "ssl"}, "'starttls', 'implicit' or 'none'"),
        ({"from": "desk"}, "is no mail address"),
        ({"to": []}, "names nobody"),
        ({"to": "a@b.example, c"}, '"c" is no mail address'),
        ({"user": "u"}, "password is not set"),
        ({"password": Secret("canary")}, "user is not set"),
        ({"caFile": "/nowhere/ca.pem"}, "there is no file /nowhere/ca.pem"),
        ({"unsubscribe": "http://example.com"}, "neither an https address nor a mail address"),
        ({"subject": "x"}, "Extra inputs"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_what_cannot_be_is_told(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        options(**said)
    assert "canary" not in str(caught.value)


async def test_a_file_without_certificates_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    with pytest.raises(ChannelError, match="holds no certificate") as caught:
        await server_of(options(caFile=str(path)), allow_private=False)
    assert caught.value.failure is Failure.PERMANENT
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
async def test_on_this_machine_a_password_may_go_in_clear(host: str) -> None:
    server = await server_of(options(host=host, tls="none", **LOGIN), allow_private=False)
    assert server.context is None


async def test_in_ones_own_network_a_password_may_go_in_clear_where_that_is_said() -> None:
    entry = options(host="10.0.0.1", tls="none", **LOGIN)
    with pytest.raises(ChannelError, match=r"not sent to 10\.0\.0\.1 in clear"):
        await server_of(entry, allow_private=False)
    server = await server_of(entry, allow_private=True)
    assert "***" in repr(server)


async def test_a_server_without_a_login_may_do_without_tls() -> None:
    assert (await server_of(options(tls="none"), allow_private=False)).tls is Tls.NONE

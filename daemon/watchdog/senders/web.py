"""One POST, for all senders that speak HTTP: bounded in time and size, led nowhere, telling no secret."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote, urlsplit

import daemon
from daemon.watchdog.senders.base import NotProved
from daemon.watchdog.senders.bound import STEP_S, Bound, connected

LONGEST_ANSWER = 64 * 1024
# What may pass by itself. Every other 4xx says that something has to be mended first.
PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said; the body may echo secrets and is shown to nobody."""

    status: int
    body: bytes = field(repr=False)


def post(
    url: str, body: bytes, headers: Mapping[str, str] | None = None, *, allow_private: bool = False
) -> Answer:
    """POST a body past all proxies, and read the answer; a redirect is an answer like any other.

    Raises:
        NotProved: there is no answer, or it is no success. The text names the host and no more.
    """
    host = urlsplit(url).hostname or ""
    with Bound() as bound:
        try:
            answer = _exchange(url, body, headers or {}, bound, allow_private)
        except (OSError, http.client.HTTPException, ValueError) as error:
            _blame(error, host, bound)
    if not 200 <= answer.status < 300:
        is_permanent = answer.status < 500 and answer.status not in PASSING
        raise NotProved(f"{host} answered {answer.status}", is_permanent=is_permanent)
    return answer


def _exchange(url: str, body: bytes, headers: Mapping[str, str], bound: Bound, allow_private: bool) -> Answer:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if is_tls else 80)
    plain = connected(host, port, bound, public_only=not allow_private)
    connection = http.client.HTTPConnection(host, port, timeout=STEP_S)
    connection.sock = plain
    if is_tls:
        wrapped = ssl.create_default_context().wrap_socket(
            plain, server_hostname=host, do_handshake_on_connect=False
        )
        bound.hold(wrapped)
        wrapped.do_handshake()
        connection.sock = wrapped
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{parts.query}" if parts.query else "")
    fixed = {"Host": parts.netloc.rpartition("@")[2], "Connection": "close"}
    agent = {"User-Agent": f"nightdesk-watchdog/{daemon.__version__}"}
    connection.request("POST", target, body=body, headers={**agent, **headers, **fixed})
    with connection.getresponse() as response:
        return Answer(status=response.status, body=_read(response))


def _read(response: http.client.HTTPResponse) -> bytes:
    """The body as far as it is wanted. The status is known: what goes wrong here changes nothing in it."""
    try:
        return response.read(LONGEST_ANSWER)
    except (OSError, http.client.HTTPException, ValueError):
        return b""


def _blame(error: Exception, host: str, bound: Bound) -> NoReturn:
    # Without its cause: the texts of the library may hold the address.
    if isinstance(error, PermissionError) and not bound.is_over:
        raise NotProved(
            f"{host}: not a public address; set network.allowPrivate for a receiver in your own network",
            is_permanent=True,
        ) from None
    if isinstance(error, ssl.SSLCertVerificationError):
        raise NotProved(f"{host}: its certificate is not trusted", is_permanent=True) from None
    what = "time is up" if bound.is_over else type(error).__name__
    raise NotProved(f"{host}: no answer ({what})") from None

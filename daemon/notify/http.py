"""The one HTTP client all channels send by: bounded in time and size, led nowhere, telling no secret."""

import errno
import ipaddress
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import daemon
from daemon.notify.base import ChannelError, Failure
from daemon.secret import Secret

if TYPE_CHECKING:
    import aiohttp

# Measured against receivers that are silent, drip or swallow the first packet: only a total bounds a
# drip, only a connect limit of its own tells "never reached" from "no answer".
CONNECT_S = 2.0
SILENCE_S = 5.0
TOTAL_S = 10.0
LONGEST_S = 20.0  # whatever a channel asks for

MOST_CONNECTIONS = 20
MOST_CONNECTIONS_PER_HOST = 4
DNS_KEPT_S = 60

LONGEST_ANSWER = 64 * 1024  # bytes after decompression; a gzip bomb ends here too
CHUNK = 8 * 1024
SHORTEST_SECRET = 6  # characters of a path segment worth hiding: "services" is hidden with the token

# The private address behind these is judged, not the wrapping.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

SecretOrText = Secret | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said. `text` is cut, and holds nothing of a secret address or header."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str


@dataclass(slots=True)
class _Progress:
    """How far one request has come; decides what its failure means."""

    is_connected: bool = False


class _RefusedAddress(OSError):
    """The guard let nothing out to this address."""

    def __init__(self) -> None:
        # The same text for each address of a name: happy eyeballs then hands on this very error.
        super().__init__(errno.EACCES, "not a public address")


class HttpClient:
    """Sends requests for every channel. aiohttp is loaded with the first one.

    `allow_private` takes plain http and addresses that are not public: for tests and for receivers in
    one's own network (`network.allowPrivate`).
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        connect_s: float = CONNECT_S,
        silence_s: float = SILENCE_S,
        longest_s: float = LONGEST_S,
        longest_answer: int = LONGEST_ANSWER,
        per_host: int = MOST_CONNECTIONS_PER_HOST,
    ) -> None:
        self._allow_private = allow_private
        self._connect_s = connect_s
        self._silence_s = silence_s
        self._longest_s = longest_s
        self._per_host = per_host
        self._longest_answer = longest_answer
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def post(
        self,
        url: SecretOrText,
        *,
        body: bytes,
        headers: Mapping[str, SecretOrText] | None = None,
        timeout_s: float = TOTAL_S,
    ) -> Answer:
        """POST a body; see `request`."""
        return await self.request("POST", url, body=body, headers=headers, timeout_s=timeout_s)

    async def request(
        self,
        method: str,
        url: SecretOrText,
        *,
        body: bytes | None = None,
        headers: Mapping[str, SecretOrText] | None = None,
        timeout_s: float = TOTAL_S,
    ) -> Answer:
        """Send one request and read its answer, whatever its status; redirects are not followed.

        Raises:
            ChannelError: there is no status to go by. PERMANENT: the address is none we may use;
                TRANSIENT: nothing was sent; UNKNOWN: it was sent, and may have arrived.
        """
        address = _shown(url)
        host = self._checked_host(address)
        progress = _Progress()
        try:
            return await self._exchange(method, url, body, headers or {}, timeout_s, progress)
        except (OSError, ValueError, RuntimeError, _client_error()) as error:
            blame = _blame(error, host, progress)
        # Raised out here so that the library's error, whose text holds the address, is not its context.
        raise blame

    async def close(self) -> None:
        """Let go of all connections; a request made later is refused."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _checked_host(self, address: str) -> str:
        if self._is_closed:
            raise ChannelError("the HTTP client is closed; nothing was sent")
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:
            parts, host = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not host:
            raise ChannelError(
                "the address is no web address; check the channel's url", failure=Failure.PERMANENT
            )
        if parts.scheme != "https" and not self._allow_private:
            raise ChannelError(
                f"{host}: only https is used; change the address, or set network.allowPrivate for a receiver "
                "in your own network",
                failure=Failure.PERMANENT,
            )
        return host

    async def _exchange(
        self,
        method: str,
        url: SecretOrText,
        body: bytes | None,
        headers: Mapping[str, SecretOrText],
        timeout_s: float,
        progress: _Progress,
    ) -> Answer:
        async with self._opened().request(
            method,
            _shown(url),
            data=body,
            headers={name: _shown(value) for name, value in headers.items()},
            allow_redirects=False,
            timeout=self._limits(timeout_s),
            trace_request_ctx=progress,
        ) as response:
            text = await _read_bounded(response, self._longest_answer)
            return Answer(
                status=response.status,
                headers=dict(response.headers),
                text=_redacted(text, url, headers),
            )

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            tracing = aiohttp.TraceConfig()
            tracing.on_connection_create_end.append(_note_connected)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MOST_CONNECTIONS,
                    limit_per_host=self._per_host,
                    ttl_dns_cache=DNS_KEPT_S,
                    socket_factory=None if self._allow_private else _guarded_socket,
                    # A kept connection that the receiver has just closed would make a message that was
                    # never read look like a lost answer; a new one costs little at a message a second.
                    force_close=True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"nightdesk/{daemon.__version__}", "Accept-Encoding": "identity"},
                trust_env=False,
                trace_configs=[tracing],
            )
        return self._session

    def _limits(self, timeout_s: float) -> "aiohttp.ClientTimeout":
        import aiohttp

        total_s = min(timeout_s, self._longest_s)
        return aiohttp.ClientTimeout(
            total=total_s,
            sock_connect=self._connect_s,
            sock_read=self._silence_s,
            ceil_threshold=total_s + 1,  # by default limits from 5 s on are rounded up to a whole second
        )


def _client_error() -> type[Exception]:
    import aiohttp

    return aiohttp.ClientError


async def _note_connected(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.is_connected = True


async def _read_bounded(response: "aiohttp.ClientResponse", longest: int) -> str:
    """The body as far as it is wanted. The status is known: what goes wrong here changes nothing in it."""
    taken = bytearray()
    with suppress(OSError, ValueError, RuntimeError, _client_error()):
        async for chunk in response.content.iter_chunked(CHUNK):
            taken += chunk
            if len(taken) >= longest:
                response.close()
                break
    return bytes(taken[:longest]).decode("utf-8", "replace")


def _blame(error: Exception, host: str, progress: _Progress) -> ChannelError:
    """What a failure without a status means, told by host and class alone."""
    import aiohttp

    name = type(error).__name__
    if isinstance(error, aiohttp.InvalidURL):
        return ChannelError(
            "the address is no web address; check the channel's url", failure=Failure.PERMANENT
        )
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, _RefusedAddress):
        return ChannelError(
            f"{host}: not a public address; set network.allowPrivate for a receiver in your own network",
            failure=Failure.PERMANENT,
        )
    if (
        isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        or not progress.is_connected
    ):
        return ChannelError(f"{host}: not reached ({name}); nothing was sent", failure=Failure.TRANSIENT)
    return ChannelError(f"{host}: no answer ({name}); the message may have arrived", failure=Failure.UNKNOWN)


def _guarded_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make the socket only if the very address it will connect to is public.

    Checked here and not at name resolution, which an address written as numbers never passes.
    """
    family, kind, protocol, _name, target = address
    if not is_public(target[0]):
        raise _RefusedAddress
    return socket.socket(family=family, type=kind, proto=protocol)


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet, however it is wrapped."""
    try:
        address = _unwrapped(ipaddress.ip_address(text))
    except ValueError:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _unwrapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def _shown(value: SecretOrText) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _redacted(text: str, url: SecretOrText, headers: Mapping[str, SecretOrText]) -> str:
    """Take out of an answer what only we and the receiver know: it may echo the request."""
    known: set[str] = set()
    if isinstance(url, Secret):
        parts = urlsplit(url.reveal())
        known |= {url.reveal(), parts.path, parts.query}
        known |= {*parts.path.split("/"), *re.split("[&=]", parts.query)}
    for value in headers.values():
        if isinstance(value, Secret):
            known |= {value.reveal(), *value.reveal().split()}
    known |= {unquote(part) for part in known}
    for part in sorted(known, key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET:
            text = text.replace(part, "***")
    return text

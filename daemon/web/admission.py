"""Who is let in: whether a request may be answered, decided before any of its body is read."""

import ipaddress
import logging
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from daemon.config.problems import quoted
from daemon.web.caller import LOCAL, Caller, Scope
from daemon.web.pacing import Attempts, Limit, Paces
from daemon.web.problems import Refusal
from daemon.web.tokens import Keyring, keyring_of

if TYPE_CHECKING:
    from daemon.clock import Clock
    from daemon.config import Config

log = logging.getLogger(__name__)

REALM = "nightdesk"
SCHEME = "bearer"
LONGEST_TOKEN = 1024
HOSTS_REMEMBERED = 256
UNKNOWN = "unknown"  # who is named in the log where the token was wrong
LOOPBACK_NAMES = frozenset({"localhost"})
HOW_TO_GET_ONE = (
    "no token is configured, so nobody can be let in: `nightdesk token new` makes one, "
    "and NIGHTDESK_TOKEN or http.token names it"
)
NO_TOKEN_SHOWN = "show a token, as in Authorization: Bearer TOKEN"  # noqa: S105 - says how


class Entry(StrEnum):
    """Whether somebody is let in, and if not, why."""

    ADMITTED = "admitted"
    NO_TOKEN = "no-token"  # noqa: S105 - a name for what is missing
    WRONG_TOKEN = "wrong-token"  # noqa: S105
    SHUT_OUT = "shut-out"
    TOO_LITTLE = "too-little"


def decide_entry(scope: Scope, caller: Caller | None, *, shows_token: bool, is_shut_out: bool) -> Entry:
    """Whether a route is answered to whoever asks."""
    if scope is Scope.OPEN:
        return Entry.ADMITTED
    if not shows_token:
        return Entry.NO_TOKEN
    if is_shut_out:
        return Entry.SHUT_OUT
    if caller is None:
        return Entry.WRONG_TOKEN
    return Entry.ADMITTED if caller.may(scope) else Entry.TOO_LITTLE


def is_known_host(host: str | None, names: frozenset[str]) -> bool:
    """Whether a request was meant for this house, by its Host header.

    A page of a stranger can have its own name lead to this machine, and would then be allowed to read the
    answers. It cannot do so with an address in figures, nor with a name that we were told of.
    """
    if host is None:
        return True  # HTTP/1.0: no browser sends that
    name = _host_name(host)
    if name is None:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in LOOPBACK_NAMES or name.endswith(".localhost") or name in names
    return True


def host_names(config: "Config") -> frozenset[str]:
    """The names by which the API may be asked for."""
    app = urlsplit(config.digest.app_url or "").hostname
    return frozenset(name.lower() for name in (config.http.host, app, *config.http.hosts) if name)


def token_of(authorization: str | None) -> bytes | None:
    """The bearer token of an Authorization header; None where it shows none.

    Raises:
        Refusal: it is longer than any token is.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != SCHEME:
        return None
    if len(token) > LONGEST_TOKEN:
        raise _unauthorized("the token is longer than any that is made here", "invalid_token")
    return token.strip().encode("utf-8", "surrogateescape")


class Visit(Struct, frozen=True, kw_only=True):
    """What is known of a request before its body."""

    host: str | None
    address: str
    authorization: str | None


class LocalDoor:
    """The control socket: whoever can open it may do everything."""

    def admit(self, visit: Visit, scope: Scope, limit: Limit | None) -> Caller | None:
        """Let in whoever asks."""
        return LOCAL

    def would_admit(self, visit: Visit, scope: Scope) -> bool:
        """Whether whoever was let in would be again: always."""
        return True


class Door:
    """The TCP port: by which names it is asked for, with which tokens, and how often."""

    def __init__(self, config: "Callable[[], Config]", clock: "Clock") -> None:
        self._config = config
        self._clock = clock
        self._attempts = Attempts(config().http.failures_per_minute)
        self._paces = Paces()
        self._read: Config | None = None
        self._keyring = Keyring(())
        self._is_meant: Callable[[str | None], bool] = lambda _: False

    def admit(self, visit: Visit, scope: Scope, limit: Limit | None) -> Caller | None:
        """Who asks, where it is answered at all; None where no valid token was needed or shown.

        Raises:
            Refusal: it is not answered.
        """
        self._take_config()
        if not self._is_meant(visit.host):
            raise _misdirected(visit.host or "")
        token = token_of(visit.authorization)
        caller, shut_s = (None, 0) if token is None else self._known(token, visit.address)
        entry = decide_entry(scope, caller, shows_token=token is not None, is_shut_out=shut_s > 0)
        if entry is not Entry.ADMITTED:
            raise self._refusal(entry, caller, scope, shut_s)
        if caller is not None and limit is not None:
            self._keep_pace(caller, limit)
        return caller

    def would_admit(self, visit: Visit, scope: Scope) -> bool:
        """Whether whoever was let in would be again, by the names and tokens that are in force now."""
        self._take_config()
        token = token_of(visit.authorization)
        caller = None if token is None else self._keyring.caller_of(token)
        entry = decide_entry(scope, caller, shows_token=token is not None, is_shut_out=False)
        return entry is Entry.ADMITTED and self._is_meant(visit.host)

    def _keep_pace(self, caller: Caller, limit: Limit) -> None:
        http = self._config().http
        most = http.emergency_per_minute if limit is Limit.EMERGENCY else http.operating_per_minute
        wait_s = self._paces.take(caller.name, limit, most, self._clock.monotonic())
        if wait_s:
            raise _too_often(f"{most} {limit.value} calls a minute are the most", wait_s, caller.name)

    def _take_config(self) -> None:
        """A reload changes the tokens and names at once."""
        config = self._config()
        if config is self._read:
            return
        if self._read is None or config.http.failures_per_minute != self._read.http.failures_per_minute:
            self._attempts = Attempts(config.http.failures_per_minute)
        self._read, self._keyring = config, keyring_of(config.http)
        names = host_names(config)
        # Taking a name apart is half of all that is done at the door, and there are few of them.
        self._is_meant = lru_cache(HOSTS_REMEMBERED)(lambda host: is_known_host(host, names))

    def _known(self, token: bytes, address: str) -> tuple[Caller | None, int]:
        """Whose token it is, and for how many seconds nobody new is let in from there."""
        caller = self._keyring.caller_of(token)
        now_s = self._clock.monotonic()
        if caller is not None and self._attempts.is_welcome(address, caller.name):
            return caller, 0
        if shut_s := self._attempts.wait_s(address, now_s):
            return None, shut_s
        if caller is not None:
            self._attempts.welcome(address, caller.name)
        else:
            is_last = self._attempts.fail(address, now_s)
            log.warning("api.unauthorized", extra={"fields": {"address": address, "shut_out": is_last}})
        return caller, 0

    def _refusal(self, entry: Entry, caller: Caller | None, scope: Scope, shut_s: int) -> Refusal:
        if entry is Entry.SHUT_OUT:
            return _too_often("too many wrong tokens came from this address", shut_s)
        if caller is not None:
            log.warning("api.forbidden", extra={"fields": {"caller": caller.name, "scope": scope.value}})
            return _insufficient(scope, caller)
        if entry is Entry.WRONG_TOKEN and self._keyring:
            return _unauthorized("this token is not known here", "invalid_token", UNKNOWN)
        return _unauthorized(NO_TOKEN_SHOWN if self._keyring else HOW_TO_GET_ONE, None)


def _host_name(host: str) -> str | None:
    """The name or address of a Host header, without its port; None where it is neither."""
    try:
        parts = urlsplit(f"//{host}")
        name, _port = parts.hostname, parts.port
    except ValueError:
        return None
    is_plain = parts.netloc == host and "@" not in host
    return name if is_plain else None


def _unauthorized(detail: str, error: str | None, asked_by: str | None = None) -> Refusal:
    """As RFC 6750 section 3 has it: no error code where nothing was shown."""
    challenge = f'Bearer realm="{REALM}"' + (f', error="{error}"' if error else "")
    return Refusal(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge}, asked_by)


def _insufficient(scope: Scope, caller: Caller) -> Refusal:
    challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope.value}"'
    detail = f"this token may not {scope.value}; use one of the scope {scope.value}"
    return Refusal(HTTPStatus.FORBIDDEN, detail, {"WWW-Authenticate": challenge}, caller.name)


def _too_often(detail: str, wait_s: int, asked_by: str | None = None) -> Refusal:
    text = f"{detail}; again in {wait_s} s"
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, text, {"Retry-After": str(wait_s)}, asked_by)


def _misdirected(host: str) -> Refusal:
    text = f"{quoted(host)} is no name of this house; http.hosts in the configuration adds one"
    return Refusal(HTTPStatus.MISDIRECTED_REQUEST, text)

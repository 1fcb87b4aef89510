"""A limit on the whole of an exchange: each call has a time-out, and a drip would pass them all."""

import ipaddress
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

TOTAL_S = 10.0
# Of one connect or one read; the last of them may outlast the total by its own length and no more.
STEP_S = 5.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Bound:
    """Cuts a connection when its time is up, wherever it hangs. Leave the `with` block and it is closed."""

    def __init__(self, total_s: float = TOTAL_S) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(total_s, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._socket is not None:
            self._socket.close()

    def hold(self, connection: socket.socket) -> None:
        """Judge this connection from now on; the one before has been wrapped in it, or is done with."""
        self._socket = connection
        if self.is_over:
            self._cut()

    def _cut(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):
                # The plain one, also where TLS lies above: its own would meddle with a read that goes on.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def connected(host: str, port: int, bound: Bound, *, public_only: bool) -> socket.socket:
    """Connect to the first address of the host that takes us, within the bound.

    Raises:
        OSError: none does.
    """
    problem = OSError("no address")
    for family, kind, protocol, _name, target in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if bound.is_over:
            break
        if public_only and not _is_public(str(target[0])):
            problem = PermissionError("not a public address")
            continue
        made = socket.socket(family, kind, protocol)
        bound.hold(made)
        try:
            made.settimeout(STEP_S)
            made.connect(target)
            return made
        except OSError as error:
            made.close()
            problem = error
    raise problem


def _is_public(text: str) -> bool:
    """Whether an address is one of the public internet, however it is wrapped."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        behind = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        teredo = address.teredo[1] if address.teredo else None
        address = behind or address.ipv4_mapped or address.sixtofour or teredo or address
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)

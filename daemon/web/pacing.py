"""How often is too often: wrong tokens from one address, and calls of one caller."""

import ipaddress
import math
from collections import OrderedDict, deque
from enum import StrEnum

WINDOW_S = 60.0
# Whoever has ten thousand addresses, or sends ten thousand tokens, takes no more memory than this.
MOST_ADDRESSES = 1024
MOST_WELCOME = 1024
IPV6_PREFIX = 64  # what one customer has: counted by single address, nobody would ever be stopped


class Limit(StrEnum):
    """What is counted together, for each caller: how many a minute the configuration says."""

    OPERATING = "operating"
    EMERGENCY = "emergency"  # nobody is in so much of a hurry that more than a few would help


class Window:
    """The last moments at which something happened, no more of them than are allowed."""

    __slots__ = ("_moments", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._moments: deque[float] = deque(maxlen=most)

    def wait_s(self, now_s: float) -> int:
        """In how many seconds it may happen again; 0 where it may happen now."""
        if len(self._moments) < self._most:
            return 0
        return max(0, math.ceil(self._moments[0] + WINDOW_S - now_s))

    def note(self, now_s: float) -> None:
        """It has happened."""
        self._moments.append(now_s)


class Attempts:
    """Which addresses have sent wrong tokens, and which callers have been let in from where.

    Who is new is let in no more from an address that has sent too many wrong ones within a minute, not even
    with a right one: else it could go on guessing. Who was let in from there before stays welcome: behind a
    proxy everybody has the same address, and one broken script must not lock the others out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: OrderedDict[str, Window] = OrderedDict()
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> int:
        """For how many seconds an address is shut out; 0 where it is not."""
        window = self._failures.get(_network(address))
        return 0 if window is None else window.wait_s(now_s)

    def fail(self, address: str, now_s: float) -> bool:
        """Count a wrong token; whether it was the one too many."""
        network = _network(address)
        window = self._failures.setdefault(network, Window(self._most))
        self._failures.move_to_end(network)
        window.note(now_s)
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return window.wait_s(now_s) > 0

    def welcome(self, address: str, name: str) -> None:
        """A caller has shown a right token from there."""
        self._welcome[_network(address), name] = None
        self._welcome.move_to_end((_network(address), name))
        if len(self._welcome) > MOST_WELCOME:
            self._welcome.popitem(last=False)

    def is_welcome(self, address: str, name: str) -> bool:
        """Whether that caller has been let in from there before."""
        return (_network(address), name) in self._welcome


class Paces:
    """How many calls each caller has made of late, for each limit."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, Limit, int], Window] = {}

    def take(self, name: str, limit: Limit, per_minute: int, now_s: float) -> int:
        """Count a call; or, where it is one too many, in how many seconds it may be made again."""
        window = self._windows.setdefault((name, limit, per_minute), Window(per_minute))
        wait_s = window.wait_s(now_s)
        if wait_s == 0:
            window.note(now_s)
        return wait_s


def _network(address: str) -> str:
    """An address as it is counted."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], IPV6_PREFIX), strict=False))
    except ValueError:
        return address

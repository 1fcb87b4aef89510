"""What systemd is told: ready, how it goes, alive, reloading, stopping.

The protocol is sd_notify(3): datagrams of `KEY=value` lines to the socket that NOTIFY_SOCKET names.
Without that variable nothing is sent, so the daemon runs the same by hand.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from daemon.clock import Clock, Timer

# systemd drops a datagram above 4096 bytes whole; this many characters stay below it in any script.
LONGEST_VALUE = 900
# A changed status is told within this time, also where no watchdog asks for more.
LONGEST_PERIOD = timedelta(seconds=5)


class Systemd:
    """The line to systemd; every method does nothing where nobody listens, and none ever raises.

    Its socket is opened once, so that a process which has run out of descriptors can still say it is alive.
    """

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog = _watchdog(environ, os.getpid() if pid is None else pid)
        self._socket: socket.socket | None = None
        if self._address is not None:
            with suppress(OSError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the socket; what is said afterwards reaches nobody."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def watchdog_interval(self) -> timedelta | None:
        """How often to say `watchdog`: half of what systemd grants; None where it does not ask for it."""
        return None if self._watchdog is None else self._watchdog / 2

    def notify(self, **fields: str) -> bool:
        """Send the fields as one datagram, without ever waiting; say whether it was taken.

        False means that nobody listens, or that systemd's queue is full: the next beat may say it again.
        """
        if self._socket is None or self._address is None:
            return False
        lines = (f"{key}={_one_line(value)}\n" for key, value in fields.items())
        try:
            self._socket.sendto("".join(lines).encode("utf-8", "replace"), self._address)
        except OSError:
            # Whoever supervises us may be gone or busy: that must never hurt the work itself.
            return False
        return True

    def ready(self, status: str) -> bool:
        """Start-up, or a reload, is finished."""
        return self.notify(READY="1", STATUS=status)

    def status(self, text: str) -> bool:
        """The one line that `systemctl status` shows."""
        return self.notify(STATUS=text)

    def watchdog(self) -> bool:
        """The loop turns: call it from the loop that is being judged, never from a thread."""
        return self.notify(WATCHDOG="1")

    def reloading(self, monotonic_s: float) -> bool:
        """A reload begins; `monotonic_s` is CLOCK_MONOTONIC now, which later systemds want to know."""
        return self.notify(RELOADING="1", MONOTONIC_USEC=str(int(monotonic_s * 1_000_000)))

    def stopping(self, status: str) -> bool:
        """The daemon is on its way out."""
        return self.notify(STOPPING="1", STATUS=status)


class SystemdBeat:
    """Tells systemd, from the loop it judges, that the loop turns, and how things are when that changed."""

    name = "systemd-beat"

    def __init__(self, systemd: Systemd, clock: Clock, status: Callable[[], str]) -> None:
        self.woken = asyncio.Event()
        self._systemd = systemd
        self._clock = clock
        self._status = status
        self._told: str | None = None
        self._timer: Timer | None = None

    async def step(self) -> datetime:
        """Send what is due; say when to call again."""
        asked = self._systemd.watchdog_interval
        if asked is not None:
            self._systemd.watchdog()
        status = self._status()
        if status != self._told and self._systemd.status(status):
            self._told = status
        return self._again_in(LONGEST_PERIOD if asked is None else min(asked, LONGEST_PERIOD))

    def _again_in(self, period: timedelta) -> datetime:
        # The loop waits by the wall clock. Were that put back an hour, the next beat would be an hour
        # late and systemd would kill a healthy daemon: so monotonic time wakes this part as well.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(period.total_seconds(), self.woken.set)
        return self._clock.now() + period


def _address(name: str) -> str | None:
    """The socket's address as the kernel wants it: a path, or an abstract name behind a NUL."""
    if name.startswith("@") and len(name) > 1:
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog(environ: Mapping[str, str], pid: int) -> timedelta | None:
    """What WATCHDOG_USEC grants, where it is meant for this process and not for one that started it."""
    meant_for, granted = environ.get("WATCHDOG_PID", ""), environ.get("WATCHDOG_USEC", "")
    if meant_for not in ("", str(pid)) or not granted.isascii() or not granted.isdigit():
        return None
    # Above a century it is the same as none, and no timedelta would overflow.
    microseconds = int(granted[:20])
    return timedelta(microseconds=microseconds) if 0 < microseconds < 10**16 else None


def _one_line(value: str) -> str:
    """The value without line breaks, which would begin a field of their own, and short enough to arrive."""
    return " ".join(value.splitlines())[:LONGEST_VALUE]

"""Hands events to whoever listens: numbered, encoded once for all, and repeated to who comes back soon."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Any
from weakref import WeakSet

from state.codec import to_json

KEPT = 1000  # events that are repeated to who comes back
# What waits for one who does not take it; beyond that he is told to load everything anew, and let go.
MOST_WAITING = 500
MOST_BYTES = 256 * 1024
BEAT = b": beat\n\n"
RESET = "reset"


class Listener:
    """One who listens: what waits for him, up to a bound."""

    def __init__(self, first: Iterable[bytes] = ()) -> None:
        self.is_over = False
        self._waiting = list(first)
        self._bytes = sum(map(len, self._waiting))
        self._woken = asyncio.Event()

    def put(self, piece: bytes) -> bool:
        """Have it wait for him; False where too much does already."""
        if len(self._waiting) >= MOST_WAITING or self._bytes + len(piece) > MOST_BYTES:
            return False
        self._waiting.append(piece)
        self._bytes += len(piece)
        self._woken.set()
        return True

    def end(self, last: bytes = b"") -> None:
        """Let him go; with `last`, that is all he still hears."""
        if last:
            self._waiting = [last]
        self.is_over = True
        self._woken.set()

    async def take(self) -> bytes:
        """All that waits, as soon as there is something; nothing once it is over."""
        while not self._waiting and not self.is_over:
            self._woken.clear()
            await self._woken.wait()
        taken = b"".join(self._waiting)
        self._waiting, self._bytes = [], 0
        return taken


class Hub:
    """The ring of the newest events, and those who listen. `boot` tells this process from every other."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._number = 0  # of the newest event
        self._ring: deque[bytes] = deque(maxlen=KEPT)
        # Held by their streams alone: one that nobody ever reads from is gone with its request.
        self._listeners: WeakSet[Listener] = WeakSet()
        self._is_over = False

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def newest(self) -> str:
        """The id of the newest event."""
        return f"{self._boot}-{self._number}"

    def publish(self, kind: str, data: Any) -> None:
        """Give it to everybody; who has not kept up is let go."""
        self._number += 1
        piece = event(self.newest, kind, data)
        self._ring.append(piece)
        self._hand_out(piece)

    def beat(self) -> None:
        """Show everybody that the line still stands."""
        self._hand_out(BEAT)

    def forget(self) -> None:
        """Keep nothing: from here on nobody watches, so what was kept is not all that happened."""
        self._ring.clear()
        self._number += 1

    def pieces(self, greeting: Any, last_id: str | None = None) -> AsyncGenerator[bytes, None]:
        """All from now on, for one more who listens, until he goes or it is over.

        First comes what he has missed since the event `last_id`, or one `reset` where that is not known
        any more; without an id a `status` that says `greeting`.
        """
        listener = Listener(self._first(greeting, last_id))
        if self._is_over:
            listener.end()
        # From here on, and not from the first piece on: what happens in between would be lost.
        self._listeners.add(listener)
        return self._heard(listener)

    def end(self) -> None:
        """Let everybody go, now and later."""
        self._is_over = True
        for listener in self._listeners:
            listener.end()

    async def _heard(self, listener: Listener) -> AsyncGenerator[bytes, None]:
        try:
            while piece := await listener.take():
                yield piece
        finally:
            self._listeners.discard(listener)

    def _first(self, greeting: Any, last_id: str | None) -> list[bytes]:
        if last_id is None:
            return [event(self.newest, "status", greeting)]
        missed = self._missed(last_id)
        return [event(self.newest, RESET, {})] if missed is None else missed

    def _missed(self, last_id: str) -> list[bytes] | None:
        """What came after an event; None where nobody can tell."""
        boot, _, text = last_id.rpartition("-")
        if boot != self._boot or not (text.isascii() and text.isdigit()) or len(text) > 18:
            return None
        count = self._number - int(text)
        if not 0 <= count <= len(self._ring):
            return None
        missed = list(self._ring)[len(self._ring) - count :]
        return missed if sum(map(len, missed)) <= MOST_BYTES else None

    def _hand_out(self, piece: bytes) -> None:
        for listener in list(self._listeners):
            if not listener.is_over and not listener.put(piece):
                listener.end(event(self.newest, RESET, {}))


def event(name: str, kind: str, data: Any) -> bytes:
    """One event as it goes over the line: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (name.encode(), kind.encode(), to_json(data))

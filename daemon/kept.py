"""What handlers keep open between their tasks: made when first asked for, closed with the daemon."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

log = logging.getLogger(__name__)

CLOSE_S = 5.0


class Closable(Protocol):
    """Something that has to be let go of."""

    async def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Kept:
    """One of each name. What is being made is made once, however many ask for it meanwhile."""

    def __init__(self) -> None:
        self._made: dict[str, asyncio.Future[Any]] = {}
        self._is_closed = False

    async def get(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        """The thing of that name.

        Raises:
            RuntimeError: all is being closed.
            Exception: whatever `make` raises; the next one who asks has it tried again.
        """
        if self._is_closed:
            raise RuntimeError("the daemon is closing")
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(make())
        made = self._made[name]
        try:
            return cast(T, await asyncio.shield(made))
        finally:
            if _has_failed(made) and self._made.get(name) is made:
                del self._made[name]

    async def close(self) -> None:
        """Close all of it, the newest first; one that fails or hangs keeps none of the others open."""
        self._is_closed = True
        for name, made in reversed(list(self._made.items())):
            if not made.done():
                made.cancel()
            if not made.done() or _has_failed(made):
                continue
            try:
                async with asyncio.timeout(CLOSE_S):
                    await made.result().close()
            except Exception as error:
                # What a stranger's close raises must not keep the rest from being closed.
                fields = {"name": name, "error": type(error).__name__}
                log.warning("kept.unclosed", extra={"fields": fields})
        self._made.clear()


def _has_failed(made: asyncio.Future[Any]) -> bool:
    return made.done() and (made.cancelled() or made.exception() is not None)

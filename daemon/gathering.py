"""Whatever is handed in while a call runs goes out together as the next one: a call pays for many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Desk(Generic[T, R]):
    """Takes things one by one and has them done together, `most` at a time; a lone one waits for nobody.

    `call` answers for each thing it is given, in their order, with a result or the error it came to; an
    error it raises is that of all of them.
    """

    def __init__(self, call: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], most: int) -> None:
        self._call = call
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._serving: asyncio.Task[None] | None = None

    async def hand_in(self, one: T) -> R:
        """Have one done: its result, or its error raised. It is done also when nobody waits any more."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        return await answer

    async def end(self) -> None:
        """Wait for what is being done."""
        if self._serving is not None:
            await asyncio.wait({self._serving})

    async def _serve(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                results = await self._called([one for one, _ in batch])
                for (_, answer), result in zip(batch, results, strict=True):
                    _give(answer, result)
        finally:
            self._serving = None

    async def _called(self, batch: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return await self._call(batch)
        except Exception as error:  # whatever it is: those who handed in would wait for ever
            return [error] * len(batch)


def _give(answer: "asyncio.Future[R]", result: R | Exception) -> None:
    if answer.done():
        return  # whoever waited has been cancelled
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)

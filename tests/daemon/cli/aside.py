"""A server beside a test that is no coroutine: in a thread, on a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")
OPENING_S = 20.0


@contextmanager
def aside(opening: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Open it in a thread, and close it at the end of the block."""
    opened: Future[T] = Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            async with opening as made:
                opened.set_result(made)
                await ended.wait()
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="aside")
    thread.start()
    try:
        yield opened.result(OPENING_S)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()

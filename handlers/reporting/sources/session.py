"""One thread that owns one connection: work that blocks is done there, in time or not at all."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from daemon.notify.base import Failure
from handlers.reporting.base import SourceError

C = TypeVar("C")
T = TypeVar("T")

MOST_SESSIONS = 4  # of one source; a thread that hangs keeps its place, so no more than these can hang
# Interrupting a connection that is just between two statements is lost: it is done again so often.
INTERRUPTIONS, INTERRUPTION_S = 10, 0.2

_Job = tuple[Callable[[C], Any], "asyncio.Future[Any]"]


class Sessions(Generic[C]):
    """Opens sessions, a few at a time."""

    def __init__(
        self, connect: Callable[[], AbstractContextManager[C]], interrupt: Callable[[C], None]
    ) -> None:
        self._connect = connect
        self._interrupt = interrupt
        self._places = asyncio.Semaphore(MOST_SESSIONS)
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def session(self, timeout_s: float) -> AsyncIterator["Session[C]"]:
        """A session for one batch of questions; each of them may take `timeout_s`.

        Raises:
            SourceError: all places are taken for too long, or the source is closed.
        """
        if self._is_closed:
            raise SourceError("the source is closed", failure=Failure.PERMANENT)
        try:
            async with asyncio.timeout(timeout_s):
                await self._places.acquire()
        except TimeoutError:
            raise SourceError(
                f"all {MOST_SESSIONS} places for questions were taken for {timeout_s:g} s; questions hang, "
                "or take long: look at the source's files or database"
            ) from None
        made = Session(self._connect, self._interrupt, timeout_s, self._places.release)
        try:
            yield made
        finally:
            made.end()

    def close(self) -> None:
        """Take no more; sessions that are open come to their end."""
        self._is_closed = True


class Session(Generic[C]):
    """A thread, and the connection it opens, uses and closes.

    A thread that does not answer is left behind. It closes its connection and gives its place back when
    it comes to itself; being a daemon thread, it holds up no exit.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[C]],
        interrupt: Callable[[C], None],
        timeout_s: float,
        on_end: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect = connect
        self._interrupt = interrupt
        self._timeout_s = timeout_s
        self._on_end = on_end
        self._connection: C | None = None
        self._jobs: SimpleQueue[_Job[C] | None] = SimpleQueue()
        self._is_given_up = False
        threading.Thread(target=self._serve, name="report-source", daemon=True).start()

    async def ask(self, label: str, work: Callable[[C], T]) -> T:
        """Do the work on the connection, in the session's thread; `label` names it in an error.

        Raises:
            SourceError: it took too long and was interrupted; nothing more can be asked in this session.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((work, done))
        try:
            ended, _ = await asyncio.wait({done}, timeout=self._timeout_s)
        except asyncio.CancelledError:
            await self._stop(done)
            raise
        if not ended:
            await self._stop(done)
            raise SourceError(
                f"{label}: took longer than {self._timeout_s:g} s and was stopped; make the query faster, or "
                "raise source.timeout"
            )
        return done.result()

    def end(self) -> None:
        """Let the thread close its connection, after what it is at."""
        self._jobs.put(None)

    async def _stop(self, done: "asyncio.Future[Any]") -> None:
        self._is_given_up = True
        for _ in range(INTERRUPTIONS):
            if (connection := self._connection) is not None:
                self._interrupt(connection)
            ended, _ = await asyncio.wait({done}, timeout=INTERRUPTION_S)
            if ended:
                done.exception()  # looked at: it is what was asked for
                return

    def _serve(self) -> None:
        try:
            self._work_off()
        finally:
            self._tell(self._on_end)

    def _work_off(self) -> None:
        """Open the connection with the first job, and answer one after another until the end."""
        with contextlib.ExitStack() as stack:
            while (job := self._jobs.get()) is not None:
                work, done = job
                if self._is_given_up:
                    continue
                try:
                    if self._connection is None:
                        self._connection = stack.enter_context(self._connect())
                    answer = work(self._connection)
                except BaseException as error:  # whatever it is belongs to the one who asked
                    self._tell(_fail, done, error)
                else:
                    self._tell(_answer, done, answer)
            self._connection = None

    def _tell(self, what: Callable[..., None], *given: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what, *given)


def _answer(done: "asyncio.Future[Any]", answer: Any) -> None:
    if not done.done():
        done.set_result(answer)


def _fail(done: "asyncio.Future[Any]", error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)

"""Facts from a PostgreSQL database, in one transaction that only reads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from daemon.config.reporting import SourceSection
from daemon.notify.base import Failure, Step
from handlers.reporting.base import Facts, Misfit, SourceError
from handlers.reporting.sources import Surroundings
from handlers.reporting.sources.asking import FETCHED, Ask, Asking, ask_all, check_all, refusal
from handlers.reporting.sources.gathered import Gathered
from handlers.reporting.sources.questions import PARAMETERS, Question, questions, replaced

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

CONNECT_S = 2.0
GRACE_S = 1.0  # after the server's own limit: then the connection is cut
CLOSE_S = 2.0
MOST_CONNECTIONS = 4

# With its type named, a parameter means the same wherever it stands in a query.
_TYPES = {"date": "date", "company": "text", "companies": "text[]"}
# Classes of SQLSTATE that pass: connection, transaction rollback, resources, lock, intervention, system.
_PASSING = ("08", "40", "53", "55", "57", "58")


class Postgres:
    """Asks a server; each batch on a connection of its own, so that a start never needs the server."""

    Options: ClassVar[type[Any]] = SourceSection

    def __init__(self, section: SourceSection, around: Surroundings) -> None:
        if section.url is None:
            raise Misfit(
                ("source", "url"),
                'a postgres source needs it; give the address, as "env:REPORTS_DATABASE_URL"',
            )
        if not section.url.reveal().startswith(("postgresql://", "postgres://")):
            raise Misfit(("source", "url"), "the address of a postgres source begins with postgresql://")
        self._url = section.url
        self._questions = questions(section.facts, section.tables)
        self._clock = around.clock
        self._timeout_s = section.timeout.total_seconds()
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)
        self._is_closed = False

    async def facts(self, day: date, companies: Sequence[str]) -> Mapping[str, Facts]:
        async with self._connected() as connection:
            return (await ask_all(self._questions, self._within(connection), day, companies)).facts()

    async def check(self) -> Sequence[Step]:
        began_s = self._clock.monotonic()
        try:
            async with self._connected() as connection:
                took_s = self._clock.monotonic() - began_s
                reached = Step(name="connect", is_ok=True, detail="connected, reading only", took_s=took_s)
                return [reached, *await check_all(self._questions, self._within(connection), self._clock)]
        except SourceError as error:
            took_s = self._clock.monotonic() - began_s
            return [Step(name="connect", is_ok=False, detail=str(error), took_s=took_s)]

    async def close(self) -> None:
        self._is_closed = True

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator["asyncpg.Connection[Any]"]:
        if self._is_closed:
            raise SourceError("the source is closed", failure=Failure.PERMANENT)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._places.acquire()
        except TimeoutError:
            raise SourceError(
                f"all {MOST_CONNECTIONS} connections were taken for {self._timeout_s:g} s; "
                "look at the database"
            ) from None
        try:
            connection = await self._connect()
            try:
                yield connection
            finally:
                await _let_go(connection)
        finally:
            self._places.release()

    async def _connect(self) -> "asyncpg.Connection[Any]":
        import asyncpg

        limit_ms = str(max(1, round(self._timeout_s * 1000)))
        try:
            connection = await asyncpg.connect(
                self._url.reveal(),
                timeout=CONNECT_S,
                command_timeout=self._timeout_s + GRACE_S,
                server_settings={
                    "application_name": "nightdesk-facts",
                    "default_transaction_read_only": "on",
                    "statement_timeout": limit_ms,
                    "lock_timeout": "2000",
                    "idle_in_transaction_session_timeout": "10000",
                    "TimeZone": "UTC",
                },
            )
        except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            failure = _failure(error)
            said = _said(error)
            reason = f"source.url: the database cannot be reached: {said}; start it, or correct the address"
        else:
            return connection
        raise SourceError(reason, failure=failure)

    def _within(self, connection: "asyncpg.Connection[Any]") -> Ask:
        async def ask(question: Question, asking: Asking, gathered: Gathered) -> None:
            await self._in_time(connection, question, _answer(connection, question, asking, gathered))

        return ask

    async def _in_time(
        self, connection: "asyncpg.Connection[Any]", question: Question, work: Coroutine[Any, Any, T]
    ) -> T:
        """Wait for the work and no longer: asyncpg waits for the server even to be cancelled."""
        import asyncpg

        task = asyncio.ensure_future(work)
        try:
            ended, _ = await asyncio.wait({task}, timeout=self._timeout_s + GRACE_S)
        except asyncio.CancelledError:
            await _cut(connection, task)
            raise
        if not ended:
            await _cut(connection, task)
            raise refusal(question, self._too_long(), failure=Failure.TRANSIENT)
        try:
            return task.result()
        except (asyncpg.QueryCanceledError, TimeoutError):
            raise refusal(question, self._too_long(), failure=Failure.TRANSIENT) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise refusal(
                question,
                f"{_said(error)}; correct the query, or look at the database",
                failure=_failure(error),
            ) from None

    def _too_long(self) -> str:
        return (
            f"took longer than {self._timeout_s:g} s and was stopped; make the query faster, or raise "
            "source.timeout"
        )


async def _answer(
    connection: "asyncpg.Connection[Any]", question: Question, asking: Asking, gathered: Gathered
) -> None:
    names = [name for name in PARAMETERS if name in question.parameters]
    query = replaced(question.text, lambda name: f"(${names.index(name) + 1}::{_TYPES[name]})")
    given = asking.parameters(question)
    # A prepared statement is a single one: nothing can be put behind it.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        prepared = await connection.prepare(query)
        columns = [attribute.name for attribute in prepared.get_attributes()]
        answer = gathered.begin(question, columns, asking.company)
        cursor = await prepared.cursor(*(given[name] for name in names))
        while rows := await cursor.fetch(FETCHED):
            answer.add(rows)
        answer.end()


async def _let_go(connection: "asyncpg.Connection[Any]") -> None:
    if not connection.is_closed():
        closing = asyncio.ensure_future(connection.close(timeout=CLOSE_S))
        await _cut(connection, closing, CLOSE_S)


async def _cut(
    connection: "asyncpg.Connection[Any]", task: "asyncio.Future[Any]", after_s: float = 0.0
) -> None:
    """End the task: by itself within `after_s`, else by taking its connection away."""
    try:
        await asyncio.wait({task}, timeout=after_s)
    finally:
        if not task.done():
            connection.terminate()
            task.cancel()
    await asyncio.wait({task}, timeout=GRACE_S)
    if task.done() and not task.cancelled():
        task.exception()  # looked at: what it says is that it was ended


def _failure(error: Exception) -> Failure:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return Failure.PERMANENT if isinstance(error, ValueError) else Failure.TRANSIENT
    return Failure.TRANSIENT if state.startswith(_PASSING) else Failure.PERMANENT


def _said(error: Exception) -> str:
    """What the server said, on one line; not what the library says, which may repeat the address."""
    if getattr(error, "sqlstate", None) is None:
        return type(error).__name__
    return " ".join(str(error).split())[:400]

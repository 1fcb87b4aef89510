"""The ledger in PostgreSQL, in a schema of its own; the server need not be there for a start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from state.codec import to_json
from state.ledger.errors import LedgerDown, LedgerError, LedgerFull, LedgerReadOnly
from state.ledger.migrating import Step, Taken, steps_for, steps_to_take
from state.ledger.script import Query, Row, Script, T, Work
from state.ledger.scripted import ScriptedLedger

SCHEMA = "nightdesk"
CONNECTIONS = 4
CONNECT_S, ACQUIRE_S, CLOSE_S = 2.0, 2.0, 2.0
COMMAND_S = 5.0
LONG_S = 60.0
# Held while the tables are brought forward, so that of two daemons one does it; any number will do.
_MIGRATING = 5_471_020_261
_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migration (
    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, taken_at timestamptz NOT NULL
)"""
# By the SQLSTATE's class or the whole of it (PostgreSQL's manual, appendix A).
_FULL = ("53100", "53200")
_READ_ONLY = ("25006",)
_UNDONE = ("40001", "40P01")  # the server itself took the transaction back
_DOWN = ("08", "53", "57", "55P03", *_UNDONE)


class PostgresLedger(ScriptedLedger):
    """The ledger of sites that have a server, or more than one machine."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Any = None
        self._is_migrated = False
        self._making = asyncio.Lock()
        self._migrating = asyncio.Lock()
        self._changes = 0

    @property
    def changes(self) -> int:
        return self._changes

    async def open(self, now: datetime) -> None:
        """Do nothing yet: a start never needs the server."""

    async def close(self) -> None:
        if self._pool is None:
            return
        pool, self._pool, self._is_migrated = self._pool, None, False
        try:
            async with asyncio.timeout(CLOSE_S):
                await pool.close()
        except (TimeoutError, OSError):
            pool.terminate()

    async def migrate(self, now: datetime, *, check: bool = False) -> list[str]:
        async with _named_errors(), self._connection() as connection:
            if check:
                return [step.name for step in await _pending(connection)]
            async with connection.transaction():
                names = [step.name for step in await _migrate(connection, now)]
        self._is_migrated = True
        return names

    async def _write(self, work: Work[T], *, is_long: bool = False, again: bool = True) -> T:
        try:
            return await self._done(work, is_long=is_long, again=again)
        finally:
            self._changes += 1  # also where it failed: it may have been kept

    async def _read(self, work: Work[T]) -> T:
        return await self._done(work, is_long=False, again=True)

    async def _done(self, work: Work[T], *, is_long: bool, again: bool) -> T:
        try:
            return await self._once(work, is_long)
        except LedgerDown as error:
            # A connection that died while it was idle, or a transaction that the server took back.
            if not _is_worth_another_try(error.__cause__, again):
                raise
        return await self._once(work, is_long)

    async def _once(self, work: Work[T], is_long: bool) -> T:
        try:
            async with _named_errors():
                await self._migrated()
                async with self._connection() as connection, connection.transaction():
                    if is_long:
                        await connection.execute(f"SET LOCAL statement_timeout = '{int(LONG_S * 1000)}'")
                    return await run(connection, work(), LONG_S if is_long else COMMAND_S)
        except LedgerReadOnly:
            # The one that takes writes may be another server by now, under the same name.
            await self._pool.expire_connections()
            raise

    async def _migrated(self) -> None:
        """Bring the tables up to date with the first call that reaches the server."""
        async with self._migrating:
            if not self._is_migrated:
                async with self._connection() as connection, connection.transaction():
                    await _migrate(connection, None)
                self._is_migrated = True

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with self._making:
            if self._pool is None:
                self._pool = await _make_pool(self._url)
        pool = self._pool
        try:
            connection = await pool.acquire(timeout=ACQUIRE_S)
        except ValueError:
            # Its text, and what raised it, may repeat the address with the password.
            raise LedgerError("ledger.url is no address that PostgreSQL's client can read") from None
        try:
            yield connection
        finally:
            await pool.release(connection, timeout=ACQUIRE_S)


async def _make_pool(url: str) -> Any:
    import asyncpg

    # No connection is kept at the least: the pool would try again and again while the server is down,
    # with a traceback in the log each time.
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=CONNECTIONS,
        timeout=CONNECT_S,
        command_timeout=COMMAND_S,
        max_inactive_connection_lifetime=60,
        server_settings={
            "statement_timeout": "5000",
            "lock_timeout": "2000",
            "idle_in_transaction_session_timeout": "10000",
            # A plan that was made while a table was empty reads all of it, and would be kept: after a large
            # import until somebody gathers statistics, which is minutes of time-outs.
            "plan_cache_mode": "force_custom_plan",
            "jit": "off",  # compiling takes longer than any of these statements
            "application_name": "nightdesk",
            "search_path": SCHEMA,
        },
    )


async def run(connection: Any, script: Script[T], timeout_s: float) -> T:
    """Run a script to its end in the connection's transaction."""
    try:
        query = next(script)
        while True:
            query = script.send(await _answer(connection, query, timeout_s))
    except StopIteration as end:
        result: T = end.value
        return result


async def _answer(connection: Any, query: Query, timeout_s: float) -> list[Row]:
    signature = tuple((table.name, table.columns) for table in query.given)
    sql = _with_given(query.sql, len(query.params), signature, query.keep)
    texts = [to_json(table.rows).decode() for table in query.given]
    answer: list[Row] = await connection.fetch(sql, *query.params, *texts, timeout=timeout_s)
    return answer


@cache
def _with_given(
    sql: str, params: int, signature: tuple[tuple[str, tuple[tuple[str, str], ...]], ...], keep: str
) -> str:
    """A statement with the given rows before it, each a table read out of one JSON text."""
    tables = [
        f"{name} AS MATERIALIZED (SELECT * FROM json_to_recordset(${number}::json)"
        f" AS one({', '.join(f'{column} {kind}' for column, kind in columns)}))"
        for number, (name, columns) in enumerate(signature, params + 1)
    ]
    before = f"WITH {', '.join(tables)} " if tables else ""
    return before + sql.lstrip() + keep


async def _migrate(connection: Any, now: datetime | None) -> list[Step]:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATING)
    steps = await _pending(connection)
    if not steps:
        return []
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    await connection.execute(_MIGRATIONS)
    for step in steps:
        await connection.execute(step.sql, timeout=LONG_S)
        await connection.execute(
            "INSERT INTO migration VALUES ($1, $2, $3, coalesce($4, now()))",
            step.number, step.name, step.checksum, now,
        )  # fmt: skip
    return steps


async def _pending(connection: Any) -> list[Step]:
    taken: dict[int, Taken] = {}
    if await connection.fetchval("SELECT to_regclass($1)::text", f"{SCHEMA}.migration") is not None:
        for row in await connection.fetch("SELECT number, name, checksum FROM migration"):
            taken[row["number"]] = Taken(row["name"], row["checksum"])
    return steps_to_take(steps_for("postgres"), taken)


@asynccontextmanager
async def _named_errors() -> AsyncIterator[None]:
    """Raise what the server or the way to it answered by our own names, none of which shows the address."""
    import asyncpg

    try:
        yield
    except (TimeoutError, OSError) as error:
        raise LedgerDown(f"the ledger's PostgreSQL does not answer ({type(error).__name__})") from error
    except asyncpg.PostgresError as error:
        raise _as_ledger_error(error) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise LedgerDown(
            f"the connection to the ledger's PostgreSQL broke ({type(error).__name__})"
        ) from error


def _as_ledger_error(error: Any) -> LedgerError:
    state = error.sqlstate or ""
    said = f"the ledger's PostgreSQL answered {state} {type(error).__name__}"
    if state in _FULL:
        return LedgerFull(f"{said}: no space is left there; free some, it goes on by itself")
    if state in _READ_ONLY:
        return LedgerReadOnly(f"{said}: it takes no writes now, as a standby does")
    if state.startswith(_DOWN):
        return LedgerDown(said, retry_after=timedelta(seconds=2))
    return LedgerError(f"{said}: {_hint(state) or error.message}")


def _hint(state: str) -> str:
    if state.startswith("28"):
        return "look at the user and the password in ledger.url"
    if state.startswith("3D"):
        return "the database named in ledger.url is not there; create it"
    if state == "42501":
        return f"its user may not do that; let it create the schema {SCHEMA}, or own it"
    return ""


def _is_worth_another_try(cause: BaseException | None, again: bool) -> bool:
    import asyncpg

    if getattr(cause, "sqlstate", None) in _UNDONE:
        return True
    return again and isinstance(cause, asyncpg.ConnectionDoesNotExistError | asyncpg.InterfaceError)

"""Facts from a SQLite database, opened for reading only."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from daemon.config.reporting import SourceSection
from daemon.notify.base import Failure, Step
from handlers.reporting.base import Facts, Misfit, SourceError
from handlers.reporting.sources import Surroundings
from handlers.reporting.sources.asking import FETCHED, Aside, Asking, NothingThere, refusal
from handlers.reporting.sources.gathered import Gathered
from handlers.reporting.sources.questions import Question, questions
from handlers.reporting.sources.session import Sessions
from state.codec import to_json

LOCK_S = 2.0  # how long another program's write is waited for
LONGEST_VALUE = 16 * 1024 * 1024  # bytes of one value; more is refused by SQLite itself
LONGEST_QUERY = 100_000

# What a question needs; ATTACH, PRAGMA, and everything that writes is refused.
_ALLOWED = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})
# Another program is writing, or the disk fails: later it may work.
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM})


class Sqlite:
    """Asks a database file.

    `$date` is text, `2026-11-21`; `$companies` is a JSON list, for
    `IN (SELECT value FROM json_each($companies))`.
    """

    Options: ClassVar[type[Any]] = SourceSection

    def __init__(self, section: SourceSection, around: Surroundings) -> None:
        if section.path is None:
            raise Misfit(
                ("source", "path"),
                'a sqlite source needs it; name the database file, as in "path": "data/shop.db"',
            )
        self._name = section.path
        self._path = (around.folder / section.path).resolve()
        asked = questions(section.facts, section.tables)
        sessions = Sessions(self._connect, sqlite3.Connection.interrupt)
        self._aside = Aside(asked, sessions, self._answer, around.clock, section.timeout.total_seconds())

    async def facts(self, day: date, companies: Sequence[str]) -> Mapping[str, Facts]:
        return await self._aside.facts(day, companies)

    async def check(self) -> Sequence[Step]:
        return await self._aside.check()

    async def close(self) -> None:
        self._aside.close()

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        if wrong := _unusable(self._path):
            raise NothingThere(f'the database "{self._name}" {wrong}.')
        with contextlib.ExitStack() as stack:
            try:
                connection = self._opened(stack)
            except (sqlite3.Error, OSError) as error:
                reason, failure = _explained(error, self._name)
                raise SourceError(f"source.path: {reason}", failure=failure) from None
            yield connection
            connection.set_authorizer(None)

    def _opened(self, stack: contextlib.ExitStack) -> sqlite3.Connection:
        uri = f"{self._path.as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=LOCK_S, isolation_level=None)
        stack.enter_context(contextlib.closing(connection))
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LONGEST_QUERY)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        # Table-valued functions are made when first used, which the authorizer would take for a write.
        connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')")
        connection.execute("BEGIN")  # all questions of a batch see the same state
        connection.set_authorizer(_authorized)
        return connection

    def _answer(
        self, connection: sqlite3.Connection, question: Question, asking: Asking, gathered: Gathered
    ) -> None:
        try:
            with contextlib.closing(
                connection.execute(question.text, _parameters(question, asking))
            ) as cursor:
                columns = [str(column[0]) for column in cursor.description or ()]
                gathered.take(question, columns, _rows(cursor), asking.company)
        except (sqlite3.Error, sqlite3.Warning) as error:
            reason, failure = _explained(error, self._name)
            raise refusal(question, reason, failure=failure) from None


def _unusable(path: Path) -> str | None:
    """What is wrong with the file at first sight."""
    try:
        if not path.is_file():
            return "is not there"
        return "is empty" if path.stat().st_size == 0 else None
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"


def _authorized(action: int, first: str | None, second: str | None, *_rest: str | None) -> int:
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _parameters(question: Question, asking: Asking) -> dict[str, Any]:
    given = asking.parameters(question)
    if "date" in given:
        given["date"] = asking.day.isoformat()
    if "companies" in given:
        given["companies"] = to_json(given["companies"]).decode()
    return given


def _rows(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(FETCHED):
        yield from rows


def _explained(error: Exception, name: str) -> tuple[str, Failure]:
    """The reason, and whether asking again can help."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest its variety
    if code in _PASSING:
        return f'the database "{name}" cannot be read now: {error}', Failure.TRANSIENT
    if code == sqlite3.SQLITE_AUTH:
        return f"{error}: a question only reads tables; write a SELECT", Failure.PERMANENT
    return f'{error} (in "{name}"); correct the query or the database', Failure.PERMANENT

"""Facts from CSV, JSON and Parquet files, asked for in SQL by DuckDB, which sees the named folders alone.

What DuckDB 1.5 keeps to, tried by the tests: no file outside `source.folders`, by whatever name or link; no
network, no extension, no change of these settings. It would still write inside the folders: a question
must be a single SELECT, and the few functions that write are refused.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from glob import has_magic
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from daemon.config.reporting import SourceSection
from daemon.notify.base import Failure, Step
from handlers.reporting.base import Facts, Misfit
from handlers.reporting.sources import Surroundings
from handlers.reporting.sources.asking import FETCHED, Aside, Asking, NothingThere, refusal
from handlers.reporting.sources.duck_sql import fault, file_names, rooted
from handlers.reporting.sources.gathered import Gathered
from handlers.reporting.sources.questions import Question, questions, replaced
from handlers.reporting.sources.session import Sessions
from state.codec import to_json

if TYPE_CHECKING:
    import duckdb

MEMORY = "512MB"  # DuckDB's own; it ends a query that would take more
THREADS = 1  # beside a daemon that shall answer meanwhile
LONGEST_REASON = 400  # characters of what DuckDB says
MOST_FILES_LOOKED_AT = 1_000

# A list of Python's takes DuckDB 0.1 ms for each of its texts; as JSON ten thousand take 10 ms.
_LIST = """(from_json($companies, '["VARCHAR"]'))"""

_NOT_FOUND = "No files found that match the pattern"
_SETTINGS: Mapping[str, str | int] = {
    "threads": THREADS,
    "memory_limit": MEMORY,
    "temp_directory": "",  # nothing is written, not even what does not fit
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # or a query could read the daemon's own variables
    "python_scan_all_frames": "false",
}


class Files:
    """Asks DuckDB; every batch on a fresh one in memory, so that nothing of another is left in it."""

    Options: ClassVar[type[Any]] = SourceSection

    def __init__(self, section: SourceSection, around: Surroundings) -> None:
        if find_spec("duckdb") is None:
            raise Misfit(
                ("source", "type"),
                '"files" needs DuckDB, which is not installed; install "nightdesk[duckdb]"',
            )
        self._root = around.folder.resolve()
        self._folders = tuple(_folder(self._root, name) for name in section.folders)
        asked = questions(section.facts, section.tables)
        for question in asked:
            if wrong := fault(question.text):
                raise Misfit(question.place, wrong)
        self._queries = {question.name: _query(question, self._root) for question in asked}
        sessions = Sessions(self._connect, _interrupt)
        self._aside = Aside(asked, sessions, self._answer, around.clock, section.timeout.total_seconds())

    async def facts(self, day: date, companies: Sequence[str]) -> Mapping[str, Facts]:
        return await self._aside.facts(day, companies)

    async def check(self) -> Sequence[Step]:
        return await self._aside.check()

    async def close(self) -> None:
        self._aside.close()

    @contextlib.contextmanager
    def _connect(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        import duckdb

        with contextlib.closing(duckdb.connect(":memory:", config=dict(_SETTINGS))) as connection:
            folders = ", ".join("'" + str(folder).replace("'", "''") + "'" for folder in self._folders)
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET allowed_directories = [{folders}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection

    def _answer(
        self,
        connection: "duckdb.DuckDBPyConnection",
        question: Question,
        asking: Asking,
        gathered: Gathered,
    ) -> None:
        import duckdb

        query = self._queries[question.name]
        try:
            _check_statement(connection, question, query)
            connection.execute(query, _parameters(question, asking))
            columns = [str(column[0]) for column in connection.description or ()]
            gathered.take(question, columns, _rows(connection), asking.company)
        except duckdb.Error as error:
            self._explain(question, error)

    def _explain(self, question: Question, error: "duckdb.Error") -> None:
        """Raise what DuckDB's error means.

        Raises:
            NothingThere: a file is missing or empty.
            SourceError: anything else.
        """
        import duckdb

        said = _readable(str(error), self._root)
        if isinstance(error, duckdb.IOException) and _NOT_FOUND in said:
            raise NothingThere(f"there is no file {said.partition(_NOT_FOUND)[2].strip()}.") from None
        if empty := self._empty_file(question):
            raise NothingThere(f'the file "{empty}" is empty.') from None
        if isinstance(error, duckdb.PermissionException):
            raise refusal(
                question, f"{said}; a question reads the files in source.folders and nothing else"
            ) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise refusal(question, f"it takes more than {MEMORY} of memory; select less in it") from None
        failure = Failure.TRANSIENT if isinstance(error, duckdb.IOException) else Failure.PERMANENT
        raise refusal(question, f"{said}; correct the query or the file", failure=failure) from None

    def _empty_file(self, question: Question) -> str | None:
        """The name of a file in the question that holds nothing: its columns are then the first to miss."""
        for name in file_names(question.text):
            if not (Path(name).is_absolute() or "://" in name or name.startswith("~")):
                for path in _matching(self._root, name):
                    with contextlib.suppress(OSError):
                        if path.stat().st_size == 0:
                            return str(path.relative_to(self._root))
        return None


def _folder(root: Path, name: str) -> Path:
    folder = (root / name).resolve()
    if not folder.is_dir():
        raise Misfit(("source", "folders"), f'"{name}" is no folder in {root}; make it, or name another')
    return folder


def _query(question: Question, root: Path) -> str:
    """The question as DuckDB is given it."""
    spoken = replaced(question.text, lambda name: _LIST if name == "companies" else f"${name}")
    return rooted(spoken, root)


def _parameters(question: Question, asking: Asking) -> dict[str, Any]:
    given = asking.parameters(question)
    if "companies" in given:
        given["companies"] = to_json(given["companies"]).decode()
    return given


def _interrupt(connection: "duckdb.DuckDBPyConnection") -> None:
    connection.interrupt()


def _check_statement(connection: "duckdb.DuckDBPyConnection", question: Question, query: str) -> None:
    import duckdb

    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise refusal(question, f"it holds {len(statements)} statements; write one SELECT")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise refusal(question, "it is no query that only reads; write a SELECT")


def _rows(connection: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while rows := connection.fetchmany(FETCHED):
        yield from rows


def _matching(root: Path, name: str) -> Iterator[Path]:
    if not has_magic(name):
        yield root / name
        return
    with contextlib.suppress(ValueError, NotImplementedError, OSError):
        for number, path in enumerate(root.glob(name)):
            if number >= MOST_FILES_LOOKED_AT:
                return
            yield path


def _readable(said: str, root: Path) -> str:
    """What DuckDB says, on one line: the file first where it is named, no advice on options it took."""
    said = said.partition("\n\nLINE ")[0].replace(f"{root}/", "")
    file = re.search(r"^\s*file = (.+)$", said, re.MULTILINE)
    lines = [line.strip() for line in said.partition("\n  * ")[0].partition("\n* ")[0].splitlines()]
    text = "; ".join(line for line in lines if line and not line.startswith("file = "))
    text = text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON].rstrip() + "…"
    return f"{file[1].strip()}: {text}" if file else text

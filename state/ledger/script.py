"""A ledger call as a script: it asks, is answered, asks again; who runs it knows the database, it does not.

So the meaning is written once for both databases, and each runs the whole of a script in one transaction.
A script leans on nothing but the answers, for it may be run anew where the first run was undone.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from msgspec import convert
from msgspec.structs import fields

from state.codec import from_json, time_text
from state.records import Record

T = TypeVar("T")
R = TypeVar("R", bound=Record)
Row = Any  # by column: row["status"]


class Given(NamedTuple):
    """Rows handed to a statement, which reads them as a table of this name."""

    name: str
    columns: tuple[tuple[str, str], ...]  # name and PostgreSQL's type
    rows: Sequence[Mapping[str, Any]]  # plain values, as `plain` makes them


# Wait for rows that another transaction holds, or pass over them.
WAITING = " FOR UPDATE"
PASSING_OVER = " FOR UPDATE SKIP LOCKED"


class Query(NamedTuple):
    """One statement: $1, $2, … are the parameters."""

    sql: str
    params: tuple[Any, ...] = ()
    given: tuple[Given, ...] = ()
    keep: str = ""  # hold the rows it finds for this transaction, where others run beside it


Script = Generator[Query, Sequence[Row], T]
# Makes the script anew for each run.
Work = Callable[[], Script[T]]


_PLAIN = frozenset({str, int, float, bool})  # exactly these: most values of a row


def plain(value: Any) -> Any:
    """A value as it stands in the JSON of given rows; times sort as text."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    return value


def given(name: str, records: Iterable[Record], *, of: type[Record], without: Sequence[str] = ()) -> Given:
    """Records as given rows, with their fields as columns."""
    columns = tuple(one for one in columns_of(of) if one[0] not in without)
    names = tuple(column for column, _ in columns)
    values = attrgetter(*names)
    rows = [dict(zip(names, map(plain, values(record)), strict=True)) for record in records]
    return Given(name, columns, rows)


@cache
def columns_of(record: type[Record]) -> tuple[tuple[str, str], ...]:
    """The fields of a record with PostgreSQL's types."""
    hints = get_type_hints(record)
    return tuple((field.name, _type(hints[field.name])) for field in fields(record))


def _type(hint: Any) -> str:
    for part in (hint, *get_args(hint)):
        origin = getattr(part, "__origin__", part)
        if origin in _TYPES:
            return _TYPES[origin]
    return "text"


_TYPES: dict[Any, str] = {
    datetime: "timestamptz",
    date: "date",
    bool: "boolean",
    int: "integer",
    float: "double precision",
    tuple: "json",
    Mapping: "json",
}


def as_record(record: type[R], row: Row) -> R:
    """A row as a record.

    Raises:
        ValidationError: it is not such a record.
    """
    return convert(
        {shown: read(row[column]) for column, shown, read in _readers(record)}, record, strict=False
    )


@cache
def _readers(record: type[Record]) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    shown = {field.name: field.encode_name for field in fields(record)}
    return tuple(
        (column, shown[column], _from_text if type_name == "json" else _as_it_is)
        for column, type_name in columns_of(record)
    )


def _as_it_is(value: Any) -> Any:
    return value


def _from_text(value: Any) -> Any:
    return from_json(value) if isinstance(value, str) else value

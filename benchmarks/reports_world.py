"""A town of companies, each with a day of figures: the roster's file and the database they are asked of."""

import csv
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from handlers.reporting.base import Facts, Table

ROSTER, DATABASE = "companies.csv", "figures.db"
ROUTES = ("AAA – BBB", "AAA – CCC", "BBB – CCC", "BBB – DDD", "CCC – DDD")
FIGURES = (
    *("flights", "flights_week_before", "cancelled", "cancelled_week_before"),
    *("mean_delay", "mean_delay_week_before"),
)
TITLE, COLUMNS = "Worst routes", ("route", "flights", "cancelled", "mean_delay")
AT_ONCE = 10_000
_OF_BATCH = "company IN (SELECT value FROM json_each($companies))"
FACTS = f"SELECT company, {', '.join(FIGURES)} FROM day WHERE {_OF_BATCH}"
ROUTES_ASKED = (
    f"SELECT company, {', '.join(COLUMNS)} FROM route WHERE {_OF_BATCH}"
    " ORDER BY company, mean_delay DESC, route"
)


def id_of(number: int) -> str:
    """The id of one of them."""
    return f"co-{number:06}"


def name_of(number: int) -> str:
    """Its name."""
    return f"Company {number:,}"


def figures_of(number: int) -> tuple[float, ...]:
    """Its figures of the day, in the order of `FIGURES`."""
    flights = 100 + number % 400
    return (flights, flights + number % 7 - 3, number % 5, number % 3, number % 600 / 10, number % 500 / 10)


def routes_of(number: int) -> list[tuple[str, int, int, float]]:
    """The rows of its table."""
    rows = [(name, 10 + number % 30, number % 3, (number + i) % 900 / 10) for i, name in enumerate(ROUTES)]
    return sorted(rows, key=lambda row: (-row[3], row[0]))


def facts_of(number: int, day: date) -> Facts:
    """What the database answers for it."""
    return Facts(
        company_id=id_of(number),
        date=day,
        values=dict(zip(FIGURES, figures_of(number), strict=True)),
        tables={TITLE: Table(columns=COLUMNS, rows=tuple(routes_of(number)))},
    )


def source() -> dict[str, Any]:
    """The section of the config that asks the database."""
    return {"type": "sqlite", "path": DATABASE, "facts": FACTS, "tables": {TITLE: ROUTES_ASKED}}


def make(folder: str, count: int) -> None:
    """Write both files; called in a process of its own."""
    with (Path(folder) / ROSTER).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name", "timezone", "channel"))
        writer.writerows((id_of(one), name_of(one), "UTC", "file") for one in range(count))
    connection = sqlite3.connect(Path(folder) / DATABASE)
    connection.execute(f"CREATE TABLE day (company PRIMARY KEY, {', '.join(FIGURES)}) WITHOUT ROWID")
    connection.execute(f"CREATE TABLE route (company, {', '.join(COLUMNS)})")
    _fill(connection, "day", ((id_of(one), *figures_of(one)) for one in range(count)))
    _fill(connection, "route", ((id_of(one), *row) for one in range(count) for row in routes_of(one)))
    connection.execute("CREATE INDEX route_of_company ON route (company)")
    connection.close()


def _fill(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    for some in _batches(iter(rows)):
        with connection:
            places = ", ".join("?" * len(some[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", some)


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while some := list(islice(rows, AT_ONCE)):
        yield some

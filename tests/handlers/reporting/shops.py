"""The same sales of three shops behind every kind of source, to ask each for the same facts."""

import asyncio
import csv
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg
from aiohttp import web

from daemon.clock import SystemClock
from daemon.config.reporting import SourceSection
from daemon.secret import Secret
from handlers.reporting.base import Source
from handlers.reporting.sources import Surroundings, open_source

DAY = date(2026, 11, 21)
PASSWORD = "not-a-secret"  # what the tests' database is given for one
COLUMNS = ("company", "day", "goods", "orders", "note")
Row = tuple[str, date, str, int, str]
SALES: Sequence[Row] = (
    ("acme", DAY, "apples", 3, "x"),
    ("acme", DAY, "pears", 4, "x"),
    ("acme", DAY - timedelta(days=7), "apples", 5, "x"),
    ("zoo", DAY, "hay", 9, "x"),
    ("gone", DAY - timedelta(days=7), "dust", 1, "x"),
)
SHOPS = ("acme", "zoo", "gone", "never")


@dataclass(frozen=True, kw_only=True)
class Shop:
    """One kind of source over some sales, and how its questions are put."""

    open: Callable[..., Source]
    questions: Mapping[str, str]
    secret: str | None = None  # must be in no message


Stand = Callable[
    [Path, Sequence[Row], str], AbstractAsyncContextManager[Shop]
]  # the text: a database's address


def source(folder: Path, *, allow_private: bool = True, **section: Any) -> Source:
    """Make a source from its section of the config."""
    around = Surroundings(clock=SystemClock(), folder=folder, allow_private=allow_private)
    return open_source(SourceSection(**section), around)


def sql(table: str, those: str, more: str = "") -> dict[str, str]:
    """The questions in SQL: `table` to read from, `those` the condition for the companies of a batch."""
    by_day = f"FROM {table} WHERE day = $date AND"
    facts = f"SELECT company, SUM(orders) AS orders, MIN(note) AS note {by_day}"
    goods = f"SELECT company, goods, orders {by_day} {those} ORDER BY company, orders DESC"
    return {
        "facts": f"{facts} {those} GROUP BY company",
        "one": f"{facts} company = $company GROUP BY company",
        "goods": goods,
        "twice": f"SELECT company, orders AS orders {by_day} {those}",
        "notes": f"SELECT company, note {by_day} {those}",
        "nobody's": f"SELECT SUM(orders) AS orders {by_day} {those}",
        "numbered": f"SELECT 7 AS company, orders {by_day} {those}",
        "wrong": f"SELECT company, nothing_of_this {by_day} {those}",
        "write": f"DELETE FROM {table}",
        "write2": f"INSERT INTO {table} (company) VALUES ('x') RETURNING company",
        "slow": more,
    }


@asynccontextmanager
async def files(folder: Path, rows: Sequence[Row], url: str) -> AsyncIterator[Shop]:
    with (folder / "sales.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    asked = sql(
        "read_csv('sales.csv', max_line_size = 11000000, buffer_size = 24000000)",
        "company IN (SELECT unnest($companies))",
    )
    asked["slow"] = "SELECT 'acme' AS company, count(*) AS n FROM range(10000000) a, range(10000000) b"
    yield Shop(open=lambda **more: source(folder, type="files", **more), questions=asked)


@asynccontextmanager
async def sqlite(folder: Path, rows: Sequence[Row], url: str) -> AsyncIterator[Shop]:
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE sales (company TEXT, day TEXT, goods TEXT, orders INT, note TEXT)")
        told = [(company, day.isoformat(), *rest) for company, day, *rest in rows]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", told)
        connection.commit()
    asked = sql("sales", "company IN (SELECT value FROM json_each($companies))")
    asked["slow"] = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT 'acme' AS company, MAX(i) AS n FROM n"
    )
    yield Shop(open=lambda **more: source(folder, type="sqlite", path="shop.db", **more), questions=asked)


@asynccontextmanager
async def postgres(folder: Path, rows: Sequence[Row], url: str) -> AsyncIterator[Shop]:
    table = f"sales_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(url)
    await connection.execute(
        f"CREATE TABLE {table} (company text, day date, goods text, orders int, note text)"
    )
    await connection.copy_records_to_table(table, records=rows)
    await connection.close()
    asked = sql(table, "company = ANY($companies)", "SELECT 'acme' AS company, pg_sleep(60)::text AS n")
    opened = lambda **more: source(folder, type="postgres", url=Secret(url), **more)  # noqa: E731
    yield Shop(open=opened, questions=asked, secret=PASSWORD)


@asynccontextmanager
async def http(folder: Path, rows: Sequence[Row], url: str) -> AsyncIterator[Shop]:
    token = "t0ken-of-the-shop"

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {token}":
            return web.json_response({"error": token}, status=401)
        if request.match_info["what"] == "slow":
            await asyncio.Event().wait()
        if request.match_info["what"] == "wrong":
            return web.json_response({"error": token}, status=400)
        asked = await request.json() if request.method == "POST" else request.query
        named = asked["companies"] if "companies" in asked else asked["company"]
        those = named.split(",") if isinstance(named, str) else named
        return web.json_response(
            _told(request.match_info["what"], date.fromisoformat(asked["date"]), those, rows)
        )

    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/api/{what}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    batch = {
        name: f"GET /{name}?date=$date&companies=$companies" for name in ("facts", "goods", "twice", "notes")
    }
    more = {name: f"POST /{name}" for name in ("nobody's", "numbered", "wrong", "slow")}
    asked = {**batch, **more, "one": "GET one?date=$date&company=$company"}

    def opened(**more: Any) -> Source:
        url = Secret(f"http://127.0.0.1:{port}/api")
        return source(folder, type="http", url=url, token=Secret(token), **more)

    try:
        yield Shop(open=opened, questions=asked, secret=token)
    finally:
        await runner.cleanup()


STANDS: Mapping[str, Stand] = MappingProxyType(
    {"files": files, "http": http, "postgres": postgres, "sqlite": sqlite}
)


def _told(what: str, day: date, those: Sequence[str], rows: Sequence[Row]) -> Any:
    """What the shop's own program answers."""
    today = [row for row in rows if row[1] == day and row[0] in those]
    if what == "goods":
        return [
            {"company": row[0], "goods": row[2], "orders": row[3]}
            for row in sorted(today, key=lambda row: -row[3])
        ]
    if what == "nobody's":
        return [{"orders": row[3]} for row in today]
    if what == "numbered":
        return [{"company": 7, "orders": row[3]} for row in today]
    if what == "notes":
        return {"rows": [{"company": row[0], "note": row[4]} for row in today]}
    if what == "twice":
        return [{"company": row[0], "orders": row[3]} for row in today]
    sums = [
        {
            "company": company,
            "orders": sum(row[3] for row in today if row[0] == company),
            "note": min(row[4] for row in today if row[0] == company),
        }
        for company in dict.fromkeys(row[0] for row in today)
    ]
    return (sums[0] if sums else []) if what == "one" else sums

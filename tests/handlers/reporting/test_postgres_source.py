"""Facts from PostgreSQL: read only, and never longer than allowed, whatever the server does."""

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from daemon.notify.base import Failure
from daemon.secret import Secret
from handlers.reporting.base import Facts, Source, SourceError
from tests.handlers.reporting.shops import source
from tests.postgres import Postgres, running
from tests.postgres import postgres as postgres

DAY = date(2026, 11, 21)


def opened(url: str, facts: str, **more: Any) -> Source:
    return source(Path(), type="postgres", url=Secret(url), facts=facts, **more)


async def asked(url: str, facts: str, **more: Any) -> Facts:
    """The facts of acme by this question."""
    made = opened(url, facts, **more)
    try:
        return (await made.facts(DAY, ["acme"]))["acme"]
    finally:
        await made.close()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x (a int)",
        "SELECT 'acme' AS company; CREATE TABLE x (a int)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "WITH x AS (DELETE FROM pg_class RETURNING 1) SELECT 'acme' AS company FROM x",
        "SELECT 'acme' AS company, set_config('transaction_read_only', 'off', false)",
        "SELECT 'acme' AS company, nextval('nothing')",
        "COMMIT",
        "COPY (SELECT 1) TO '/tmp/nightdesk-never'",
        "SET transaction_read_only = off",
    ],
)
async def test_what_does_not_only_read_is_refused(postgres: Postgres, sql: str) -> None:
    with pytest.raises(SourceError, match=r"^source\.facts: ") as caught:
        await asked(postgres.url(), sql)
    assert caught.value.failure is Failure.PERMANENT
    assert not Path("/tmp/nightdesk-never").exists()


async def test_parameters_have_their_types_and_strings_are_left_alone(postgres: Postgres) -> None:
    sql = (
        "SELECT c AS company, $date - 7 AS before, '$date' AS text, $tag$ $company $tag$ AS tagged, "
        "12.50::numeric AS price, 'NaN'::numeric AS nan, now() IS NOT NULL AS known -- $nothing\n"
        "FROM unnest($companies) AS c /* $nothing */"
    )
    assert (await asked(postgres.url(), sql)).values == {
        "before": "2026-11-14",
        "text": "$date",
        "tagged": " $company ",
        "price": 12.5,
        "nan": None,
        "known": True,
    }


async def test_a_server_that_is_not_there_is_an_error_without_the_password() -> None:
    with pytest.raises(SourceError, match=r"^source\.url: the database cannot be reached") as caught:
        await asked("postgresql://me:pa55word@127.0.0.1:1/x", "SELECT 1")
    assert "pa55word" not in str(caught.value)
    assert caught.value.failure is Failure.TRANSIENT


async def test_an_address_that_is_none_is_an_error_without_the_password() -> None:
    with pytest.raises(SourceError, match=r"^source\.url: ") as caught:
        await asked("postgresql://me:pa55word@127.0.0.1:port/x", "SELECT 1")
    assert "pa55word" not in f"{caught.value!r}"


async def test_a_database_that_there_is_not_is_named(postgres: Postgres) -> None:
    with pytest.raises(SourceError, match='database "nowhere" does not exist') as caught:
        await asked(postgres.url("nowhere"), "SELECT 1")
    assert caught.value.failure is Failure.PERMANENT


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Postgres]:
    """A server that no other test uses."""
    with running(tmp_path / "data") as server:
        yield server


async def test_a_server_held_still_in_the_middle_holds_nobody_up(own_server: Postgres) -> None:
    made = opened(own_server.url(), "SELECT 'acme' AS company, pg_sleep(2)::text AS n", timeout="1s")
    asking = asyncio.ensure_future(made.facts(DAY, ["acme"]))
    await asyncio.wait({asking}, timeout=0.5)
    await asyncio.to_thread(own_server.hold)
    async with asyncio.timeout(10):
        with pytest.raises(SourceError):
            await asking
        with pytest.raises(SourceError, match="cannot be reached"):
            await made.facts(DAY, ["acme"])
    await asyncio.to_thread(own_server.go_on)
    assert (await asked(own_server.url(), "SELECT 'acme' AS company, 1 AS n")).values == {"n": 1}
    await made.close()


async def test_a_check_says_how_far_it_came(postgres: Postgres) -> None:
    made = opened("postgresql://me@127.0.0.1:1/x", "SELECT 1")
    (step,) = await made.check()
    assert (step.name, step.is_ok) == ("connect", False)
    made = opened(postgres.url(), "SELECT 'x' AS company, 1 AS n")
    steps = await made.check()
    assert [(step.name, step.is_ok) for step in steps] == [("connect", True), ("source.facts", True)]


@pytest.mark.parametrize("url", [None, Secret("https://a.example")], ids=["none", "web"])
def test_an_address_of_another_kind_is_refused_at_once(url: Secret | None) -> None:
    with pytest.raises(ValueError, match=r"^reports\.source\.url"):
        source(Path(), type="postgres", facts="SELECT 1", url=url)

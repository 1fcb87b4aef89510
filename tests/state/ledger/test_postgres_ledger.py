"""A PostgreSQL that is held still, killed, full, read-only or away: told in time, and it goes on after."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from state.ledger import postgres as postgres_module
from state.ledger.errors import LedgerDown, LedgerError, LedgerFull, LedgerReadOnly
from state.ledger.postgres import PostgresLedger
from state.ledger.records import Status
from tests.contracts.ledgers import DAY, LEASE, NOW, TODAY, key, outcome, owed, sent
from tests.postgres import Postgres, free_port, running
from tests.state.ledger.cutting import cut_after

SOON_S = 5.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a fifth of the time that is right for real servers."""
    for name in ("CONNECT_S", "ACQUIRE_S", "CLOSE_S", "COMMAND_S"):
        monkeypatch.setattr(postgres_module, name, 0.6)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that may be ill-treated without harm to other tests."""
    with running(tmp_path_factory.mktemp("ill") / "data") as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    return server.new_database()


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresLedger]:
    ledger = PostgresLedger(url)
    await ledger.open(NOW)
    try:
        yield ledger
    finally:
        await ledger.close()


@contextlib.contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON_S


async def test_a_start_needs_no_server_and_what_comes_later_is_used() -> None:
    async with opened(f"postgresql://tester:not-a-secret@127.0.0.1:{free_port()}/x") as ledger:
        with soon(), pytest.raises(LedgerDown) as caught:
            await ledger.probe(NOW)
    assert "not-a-secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


async def test_a_server_that_is_held_still_is_told_in_time_and_used_again(server: Postgres, url: str) -> None:
    async with opened(url) as ledger:
        await ledger.plan([owed("a")], NOW)
        server.hold()
        try:
            with soon(), pytest.raises(LedgerDown):
                await ledger.claim("w", NOW, LEASE, 1)
            with soon():
                answers = await asyncio.gather(*(ledger.probe(NOW) for _ in range(8)), return_exceptions=True)
            assert {type(answer) for answer in answers} == {LedgerDown}
        finally:
            server.go_on()
        await ledger.probe(NOW)
        assert len(await ledger.claim("w", NOW + DAY, LEASE, 1)) == 1


async def test_a_ledger_is_closed_while_its_server_is_held_still(server: Postgres, url: str) -> None:
    ledger = PostgresLedger(url)
    await ledger.probe(NOW)
    server.hold()
    try:
        with soon():
            await ledger.close()
    finally:
        server.go_on()


async def test_a_server_that_is_killed_is_told_in_time_and_used_once_it_is_back(
    server: Postgres, url: str
) -> None:
    async with opened(url) as ledger:
        await ledger.plan([owed("a"), owed("b")], NOW)
        (a,) = await sent(ledger, "w", limit=1)
        await asyncio.to_thread(server.kill)
        try:
            with soon(), pytest.raises(LedgerDown):
                await ledger.record_outcomes("w", [outcome(a)])
        finally:
            await asyncio.to_thread(server.start)
        assert await ledger.record_outcomes("w", [outcome(a)]) == frozenset()
        assert await ledger.counts(TODAY, TODAY) == {TODAY: {Status.DELIVERED: 1, Status.PLANNED: 1}}


async def test_a_restart_between_two_calls_is_not_noticed(server: Postgres, url: str) -> None:
    async with opened(url) as ledger:
        await ledger.probe(NOW)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await ledger.probe(NOW)


async def test_a_server_that_takes_no_writes_says_so_until_it_does(server: Postgres, url: str) -> None:
    database = url.rpartition("/")[2]
    async with opened(url) as ledger:
        await ledger.plan([owed("a")], NOW)
        await ledger.close()
        await asyncio.to_thread(
            server.run, f"ALTER DATABASE {database} SET default_transaction_read_only = on"
        )
        with pytest.raises(LedgerReadOnly, match="25006"):
            await ledger.claim("w", NOW, LEASE, 1)
        await asyncio.to_thread(server.run, f"ALTER DATABASE {database} RESET default_transaction_read_only")
        assert len(await ledger.claim("w", NOW, LEASE, 1)) == 1


async def test_a_wrong_database_or_address_is_named_without_its_secrets(server: Postgres) -> None:
    nowhere = server.url("nowhere")
    for address, said in ((nowhere, "create it"), ("postgresql://u:hush@[::1/x?port=zz", "ledger.url")):
        async with opened(address) as ledger:
            with pytest.raises(LedgerError, match=said) as caught:
                await ledger.probe(NOW)
        assert "hush" not in repr(caught.value.__cause__) + str(caught.value)


async def test_two_daemons_that_meet_an_empty_database_make_its_tables_once(url: str) -> None:
    async with opened(url) as one, opened(url) as other:
        assert await one.migrate(NOW, check=True) == ["0001_first.sql"]
        await asyncio.gather(one.probe(NOW), other.probe(NOW))
        assert await other.migrate(NOW, check=True) == []
        assert await other.migrate(NOW) == []


async def test_a_commit_whose_answer_is_lost_is_made_once(url: str) -> None:
    async with cut_after(url, b"COMMIT") as (through, cuts), opened(through) as ledger:
        await ledger.plan([owed("a")], NOW)
        (one,) = await sent(ledger, "w")
        cuts.left = 1
        assert await ledger.record_outcomes("w", [outcome(one)]) == frozenset()
        assert cuts.left == 0
        cuts.left = 1
        with pytest.raises(LedgerDown):
            await ledger.claim("w", NOW, LEASE, 1)
        found = await ledger.obligation(key("a"))
        assert found is not None
        assert (found.status, found.first_attempt_ok) == (Status.DELIVERED, True)


def test_a_full_disk_is_told_as_one_and_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    with running(tmp_path / "data", on_disk_of="90m") as server:
        asyncio.run(fill_and_free(server))


async def fill_and_free(server: Postgres) -> None:
    async with opened(await asyncio.to_thread(server.new_database)) as ledger:
        await ledger.plan([owed("a")], NOW)
        server.fill_disk()
        with pytest.raises(LedgerFull, match="free some"):
            for day in range(50):
                on = TODAY + timedelta(days=day)
                await ledger.plan([owed(f"c{n}", on, reason="x" * 2000) for n in range(500)], NOW)
        server.free_disk()
        assert await ledger.plan([owed("b")], NOW) == 1
        assert len(await ledger.claim("w", NOW, LEASE, 1, company_ids=["a"])) == 1

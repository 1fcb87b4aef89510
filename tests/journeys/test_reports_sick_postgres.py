"""A PostgreSQL that falls ill in the middle of a run: told of within a minute, and soon all is done once."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import Switchboard, switchboard
from tests.journeys.mail_stand_in import mail_server
from tests.journeys.newsstand import HURRIED, Newsstand, dates, program, shops
from tests.postgres import Postgres, running

# What a call may take, so that none takes long to be given up.
IMPATIENT = (
    "from state.ledger import postgres",
    "postgres.CONNECT_S = postgres.ACQUIRE_S = postgres.CLOSE_S = postgres.COMMAND_S = 1.0",
)
SLOW_S = 0.3  # what an answer of the mail server takes: there is a middle of the run
LAG_S = 3.0  # of each answer of a database that is too slow
TOLD_S, RESUMED_S = 60.0, 30.0  # what is promised
DONE_S = 120.0
SMALL = "100m"


@dataclass
class Way:
    """The way to the server, which takes a while when it is told to."""

    server: Postgres
    board: Switchboard
    lag_s: float = 0.0
    port: int = 0
    _door: asyncio.Server = field(init=False)

    def answer_after(self, lag_s: float) -> None:
        """Take so long for whatever comes from now on, either way."""
        self.lag_s = lag_s

    def open(self) -> None:
        asyncio.run_coroutine_threadsafe(self._open(), self.board.loop).result(5)

    def address(self, url: str) -> str:
        """An address on the server, by this way."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}").geturl()

    async def _open(self) -> None:
        self._door = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        self.port = self._door.sockets[0].getsockname()[1]

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            there, towards = await asyncio.open_connection("127.0.0.1", self.server.port)
            try:
                await asyncio.gather(self._copy(reader, towards), self._copy(there, writer))
            finally:
                towards.close()
        writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.lag_s)
            writer.write(data)
        writer.close()

    def close(self) -> None:
        self.board.loop.call_soon_threadsafe(self._door.close)


def take_no_writes(way: Way, database: str) -> None:
    way.server.run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    # What is connected already would go on writing.
    way.server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")


def take_writes(way: Way, database: str) -> None:
    way.server.run(f"ALTER DATABASE {database} RESET default_transaction_read_only")


Act = Callable[[Way, str], None]
ILLS: dict[str, tuple[Act, Act]] = {
    "held still": (lambda way, _: way.server.hold(), lambda way, _: way.server.go_on()),
    "killed": (lambda way, _: way.server.kill(), lambda way, _: way.server.start()),
    "slow": (lambda way, _: way.answer_after(LAG_S), lambda way, _: way.answer_after(0.0)),
    "full": (lambda way, _: way.server.fill_disk(), lambda way, _: way.server.free_disk()),
    "read-only": (take_no_writes, take_writes),
}


@contextmanager
def a_way(folder: Path, ill: str, board: Switchboard) -> Iterator[Way]:
    """A server that may be ill-treated, and a way to it."""
    with running(folder / "postgres", on_disk_of=SMALL if ill == "full" else None) as server:
        way = Way(server, board)
        way.open()
        try:
            yield way
        finally:
            way.close()


@pytest.mark.parametrize("ill", ILLS)
def test_it_is_told_and_what_was_begun_is_done_once_when_it_is_well_again(
    ill: str, desk: Desk, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    fall_ill, get_well = ILLS[ill]
    desk.within = program(*IMPATIENT, *HURRIED)
    with switchboard() as board, a_way(tmp_path, ill, board) as way:
        stand = Newsstand(desk, mail_server(board), shops(24), dates(4), way.server)
        stand.mail.answers_after_s = SLOW_S
        stand.url = way.server.new_database()
        database = stand.url.rpartition("/")[2]
        stand.settle()
        desk.environ["LEDGER"] = way.address(stand.url)
        desk.start()
        stand.ask()
        stand.wait_for_mail(DONE_S)
        fall_ill(way, database)
        fell_s = time.monotonic()
        desk.wait_for("an alert", lambda: is_told(desk), patience_s=TOLD_S)
        told_s = time.monotonic() - fell_s
        sent = len(stand.mail.line.copies)
        get_well(way, database)
        well_s = time.monotonic()
        desk.wait_for("a mail", lambda: len(stand.mail.line.copies) > sent, patience_s=RESUMED_S)
        line = f"{ill}: told of after {told_s:.1f} s, at work after {time.monotonic() - well_s:.1f} s"
        desk.wait_for("all reports", lambda: stand.is_done, patience_s=DONE_S, pause_s=0.5)
        told = stand.reckon()
        desk.wait_for("the end of the alert", lambda: not is_told(desk))
        assert told["raw copies"] == told["messages that show"], "no answer of the mail server was lost"
    record_property("ill", line)
    print(f"\n{line}")  # noqa: T201 - for `pytest -s`


def is_told(desk: Desk) -> bool:
    """Whether an alert is open that says what is the matter."""
    return any(
        it["resolved_at"] is None for name in ("report.waiting", "database.down") for it in desk.alerts(name)
    )

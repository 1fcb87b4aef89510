"""A house that makes reports: a real ledger, a clock that stands still, channels that do as told."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from daemon.clock import VirtualClock
from daemon.config import load_config
from daemon.context import Context, Services
from daemon.engine.handler import Outcome
from daemon.kept import Kept
from daemon.meters import Meters
from daemon.notify.base import ChannelError, Failure, Message, Receipt
from daemon.notify.notifier import Notifier
from daemon.watch.alerts import Alerts
from handlers.reporting.run import Wish
from handlers.reporting.tally import Tally
from handlers.reporting.writer import writer_of
from state.codec import to_json
from state.database import Database
from state.digests import Digests
from state.home import Home
from state.items import Items
from state.ledger.base import Ledger
from state.ledger.records import Company, Obligation, Status
from state.ledger.sqlite import SqliteLedger
from state.records import Task, TaskState
from state.recovery import open_home
from state.store import Store
from tests.contracts.ledgers import Making

NOW = datetime(2026, 11, 21, 5, 0, 1, tzinfo=UTC)
TODAY = date(2026, 11, 21)
FACTS = "SELECT company, orders, revenue FROM day WHERE date = $date AND company IN "
SQL = FACTS + "(SELECT value FROM json_each($companies))"

Failing = ChannelError | Exception | None


class Inbox:
    """A channel and its reader, who sees copies of one id as one where it dedupes; it fails as told."""

    Options: ClassVar[Any] = None

    def __init__(self, *failing: Failing, dedupes: bool = True, is_delivery: bool = True) -> None:
        self.failing = list(failing)
        self.dedupes = dedupes
        self.is_delivery = is_delivery
        self.arrived: list[Message] = []  # every copy
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def send(self, message: Message) -> Receipt:
        """Take it, or fail; a failure of kind UNKNOWN comes after it has arrived."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            if self.hold is not None:
                await self.hold.wait()
            return self._taken(message)
        finally:
            self.at_once -= 1

    def _taken(self, message: Message) -> Receipt:
        failing = self.failing.pop(0) if self.failing else None
        if failing is None or not isinstance(failing, ChannelError) or failing.failure is Failure.UNKNOWN:
            self.arrived.append(message)
        if failing is not None:
            raise failing
        return Receipt(proof="250 taken")

    async def check(self) -> Sequence[Any]:
        return ()

    @property
    def seen(self) -> list[str]:
        """What its reader sees: ids, in the order they came."""
        ids = [message.id for message in self.arrived]
        return list(dict.fromkeys(ids)) if self.dedupes else ids


class Newsroom:
    """One installation, and how a test speaks to it."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.home = Home(folder / "home", folder / "home" / "logs")
        self.home.make_folders()
        self.clock = VirtualClock(NOW)
        self.channels: dict[str, Any] = {"team": Inbox()}
        self.config: dict[str, Any] = {"reports": {}, "network": {"allowPrivate": True}, **config}
        self.enqueued: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = []
        self.lives = 0
        self.make_ledger: Making = lambda: SqliteLedger(self.home.folder / "ledger.db", self.home.backups)
        self.house: Services
        self.store: Store
        self.ledger: Ledger

    @property
    def team(self) -> Inbox:
        inbox: Inbox = self.channels["team"]
        return inbox

    async def open(self) -> None:
        """Start on what the disk holds."""
        self.lives += 1
        self.meters = Meters()
        path = self.folder / "orchestrator_config.json"
        path.write_bytes(to_json(self.config))
        self.store = Store(self.home, Database(self.home.database, open_home(self.home, NOW).generation))
        await self.store.load()
        self.ledger = self.make_ledger()
        await self.ledger.open(self.clock.now())
        self.house = self.services(self.ledger)

    def services(self, ledger: Ledger) -> Services:
        """What handlers are given."""
        return Services(
            clock=self.clock,
            store=self.store,
            items=Items(self.store),
            digests=Digests(self.store),
            notify=Notifier(self.channels, self.store, self.clock, self.meters),
            alerts=Alerts(self.store, self.clock, timedelta(hours=48)),
            schedules=None,  # type: ignore[arg-type]
            enqueue=self._enqueue,
            kept=Kept(),
            config=load_config(self.folder / "orchestrator_config.json", {}),
            home=self.home,
            owner=f"life-{self.lives}",
            ledger=ledger,
            folder=self.folder,
            meters=self.meters,
        )

    async def _enqueue(self, handler: str, args: Any = None, **fields: Any) -> Any:
        self.enqueued.append((handler, args, fields))

    async def close(self) -> None:
        """End; what is kept open is closed as the daemon does it."""
        await self.house.kept.close()
        await self.ledger.close()
        await self.store.close()

    async def restart(self) -> None:
        """Another process on the same disk, with another name."""
        await self.close()
        await self.open()

    async def roster(self, *companies: Company) -> None:
        """Have these companies."""
        await self.ledger.import_companies(
            [companies], import_id="test", now=NOW, on=TODAY - timedelta(days=30), source="test"
        )

    async def owe(self, *names: str, on: date = TODAY, **fields: Any) -> None:
        """Owe each of them a report of a day, due at 05:00 UTC and in time until 07:00."""
        due_at = datetime(on.year, on.month, on.day, 5, tzinfo=UTC)
        owed = [
            Obligation(
                company_id=name, date=on, due_at=due_at, deadline_at=due_at + timedelta(hours=2), **fields
            )
            for name in names
        ]
        await self.ledger.plan(owed, NOW)

    async def serve(self, *names: str, **fields: Any) -> None:
        """Have these companies on the channel `team`, and owe them a report."""
        await self.roster(*(company(name, **{"channel": "team", **fields}) for name in names))
        await self.owe(*names)

    def sell(self, *rows: tuple[str, int, float]) -> None:
        """Have a database with a day's facts, and ask it."""
        with sqlite3.connect(self.folder / "shop.db") as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS day (company, date, orders, revenue)")
            made = [(name, TODAY.isoformat(), orders, revenue) for name, orders, revenue in rows]
            connection.executemany("INSERT INTO day VALUES (?, ?, ?, ?)", made)
        connection.close()
        self.config["reports"]["source"] = {"type": "sqlite", "path": "shop.db", "facts": SQL}

    def context(self, handler: str = "write-reports", **args: Any) -> Context:
        """One run of one task."""
        task = Task(
            id="task-1", handler=handler, args=args, attempt=1, max_attempts=5,
            state=TaskState.EXECUTING, scheduled_at=self.clock.now(), started_at=self.clock.now(),
        )  # fmt: skip
        return Context(task=task, house=self.house, options=None)

    async def work(self, wish: Wish | None = None, ledger: Ledger | None = None) -> Tally:
        """One run of the writer, on this ledger or the real one."""
        house = self.house if ledger is None else replace(self.house, ledger=ledger, kept=Kept())
        writer = await writer_of(house, ledger or self.ledger)
        try:
            return await writer.work(wish or Wish(), self.context().log)
        finally:
            if ledger is not None:
                await house.kept.close()

    async def of(self, name: str, on: date = TODAY) -> Obligation:
        """What stands in the ledger."""
        rows = await self.ledger.obligations(on)
        return next(one for one in rows if one.company_id == name)

    async def statuses(self, on: date = TODAY) -> dict[str, Status]:
        return {one.company_id: one.status for one in await self.ledger.obligations(on, limit=100_000)}

    def alerts(self) -> list[tuple[str, str]]:
        """The open alerts, each with its company."""
        return [(it.name, it.labels.get("company", "")) for it in self.house.alerts.open]


def company(name: str, **fields: Any) -> Company:
    return Company(**{"id": name, "name": name.title(), "timezone": "UTC", **fields})


@asynccontextmanager
async def newsroom(folder: Path, **config: Any) -> AsyncIterator[Newsroom]:
    """An open newsroom."""
    room = Newsroom(folder, **config)
    await room.open()
    try:
        yield room
    finally:
        await room.close()


def summary_of(outcome: Outcome | None) -> dict[str, Any]:
    """What a task's history would keep of it."""
    return dict(getattr(outcome, "summary", {}))

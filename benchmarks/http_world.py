"""A home whose ledger holds a hundred thousand reports of today, and the daemon that serves it on a port."""

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks import process
from benchmarks.apart import MeasureFailed
from daemon.cli.client import Client, DaemonDown, DaemonSilent
from state.home import Home
from state.ledger.records import Company, Obligation
from state.ledger.sqlite import SqliteLedger

TOKEN = "a-token-for-benchmarks"
AT_ONCE = 2000
CALM_SHARE, CALM_S, PATIENCE_S = 0.1, 1.0, 120.0
DELIVERED = """
UPDATE obligation SET status = 'delivered', ready_at = NULL, attempts = 1, first_attempt_ok = 1, epoch = 1,
    rung = 'template', channel = 'mail', proof = '250 2.0.0 queued as 4711', produced_at = due_at,
    sent_at = due_at, delivered_at = due_at, stable_id = 'report.' || company_id || '.' || date"""


def make(folder: str, count: int) -> str:
    """Make the home, and give back the date its reports are of; called in a process of its own."""
    return asyncio.run(_make(Home(Path(folder), Path(folder) / "logs"), count)).isoformat()


async def _make(home: Home, count: int) -> date:
    home.make_folders()
    now = datetime.now(UTC)
    on = now.date()
    ledger = SqliteLedger(home.ledger, home.backups)
    await ledger.open(now)
    names = [f"co-{number:06}" for number in range(count)]
    roster = [Company(id=it, name=it, timezone="UTC", channel="log") for it in names]
    batches = [roster[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)]
    await ledger.import_companies(batches, import_id="bench", now=now, on=on, source="bench")
    due = datetime(on.year, on.month, on.day, tzinfo=UTC)
    for start in range(0, count, AT_ONCE):
        owed = [
            Obligation(company_id=it, date=on, due_at=due, deadline_at=due + timedelta(hours=7))
            for it in names[start : start + AT_ONCE]
        ]
        await ledger.plan(owed, now)
    with contextlib.closing(sqlite3.connect(home.ledger)) as connection, connection:
        connection.execute(DELIVERED)
    await ledger.close()
    return on


@contextlib.contextmanager
def served(folder: Path, count: int) -> Iterator[tuple[int, int]]:
    """The daemon over the home in `folder`, once it has nothing more to do: its process id and its port."""
    config = folder / "orchestrator_config.json"
    config.write_text(json.dumps({"reports": {}, "http": {"port": 0, "token": "env:NIGHTDESK_TOKEN"}}))
    command = process.nightdesk("--config", str(config), "--home", str(folder / "home"), "run")
    with process.started(command, folder, {"NIGHTDESK_TOKEN": TOKEN}) as (program, _):
        home = Home(folder / "home", folder / "home" / "logs")
        port = _port(Client(home))
        _await_calm(program.pid, Client(home), count)
        yield program.pid, port


def _port(client: Client) -> int:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(DaemonDown, DaemonSilent):
            if port := client.get("/api/status")["httpPort"]:
                return int(port)
        time.sleep(0.1)
    raise MeasureFailed("the daemon opened no port")


def _await_calm(pid: int, client: Client, count: int) -> None:
    """Return once it has planned what is ahead, and takes less than a tenth of a core."""
    ahead = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        _, planned = client.page("/api/reports", {"date": ahead, "limit": 1})
        began, before = time.perf_counter(), process.cpu_so_far(pid)
        time.sleep(CALM_S)
        share = (process.cpu_so_far(pid) - before) / (time.perf_counter() - began)
        if planned == count and share < CALM_SHARE:
            return
    raise MeasureFailed(f"the daemon was still at work after {PATIENCE_S:.0f} s")

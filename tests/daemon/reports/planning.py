"""A planner with a real ledger, stepped by hand on a clock that stands still."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.clock import VirtualClock
from daemon.config.reporting import ReportsSection
from daemon.reports.planner import Planner
from daemon.watch.alerts import Alerts
from state.ledger.base import Ledger
from state.ledger.records import Status
from tests.house import House

NOW = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)  # before the deadlines of the day, in London
TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe",
    "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Chatham", "Africa/Casablanca", "Asia/Gaza",
    "Pacific/Pago_Pago",
]  # fmt: skip


class Desk:
    """A planner with all it leans on; `restart` makes it anew, as a start of the daemon does."""

    def __init__(self, house: House, folder: Path, ledger: Ledger) -> None:
        self.house = house
        self.ledger = ledger
        self.clock = VirtualClock(NOW)
        self.config = replace(house.config, folder=folder, reports=ReportsSection())
        self.restart()

    def restart(self) -> None:
        store = self.house.app.store
        self.alerts = Alerts(store, self.clock, timedelta(days=2))
        self.planner = Planner(self.ledger, store, self.alerts, self.clock, lambda: self.config)

    @property
    def file(self) -> Path:
        return self.config.folder / "companies.json"

    def write(self, *rows: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(rows))

    async def at(self, at: datetime) -> datetime:
        """Step the planner at a time; when it wants to be stepped again."""
        await self.clock.step(at - self.clock.now())
        return await self.planner.step()

    async def owed(self, *, to: str | None = None) -> list[tuple[str, date, Status, str | None]]:
        days = [TODAY + DAY * n for n in range(-40, 40)]
        found = [one for day in days for one in await self.ledger.obligations(day)]
        return [(it.company_id, it.date, it.status, it.reason) for it in found if to in (None, it.company_id)]

    @property
    def open_alerts(self) -> list[str]:
        return [it.name for it in self.alerts.open]


def row(company_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": company_id, "timezone": "UTC", "channel": "log", **fields}

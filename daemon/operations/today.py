"""What is to be seen of today at one glance: coverage, who is in danger, the queue, the ways out."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from daemon.config.reporting import ProviderSection
from daemon.reports.coverage import Coverage
from daemon.reports.queues import queues_of
from daemon.reports.recent import Recent
from state.codec import NotJson, from_json, parse_time, time_text
from state.ledger.base import Ledger
from state.ledger.errors import LedgerError
from state.ledger.records import Obligation, Status
from state.records import Alert

if TYPE_CHECKING:
    from daemon.app import App
    from daemon.operations.channels import ChannelOperations

MOST_SHOWN = 50
NEAR = timedelta(hours=1)  # what is open so short before its deadline is at risk
BACK = timedelta(days=2)  # how far back one looks for what is late; older dates are superseded
FRESH_S = 1.0
PATIENCE_S = 3.0  # for the ledger: the rest is to be seen all the same
LOST = (Status.FAILED, Status.UNKNOWN)
# What the handlers that ask language models leave behind: a note for each, and an alert while one is down.
BREAKER_NOTE, PROVIDER_ALERT = "llm.breaker.", "llm.provider-down"


class TodayOperations:
    """One question, answered anew at most once a second however many pages ask it."""

    def __init__(self, app: "App", channels: "ChannelOperations") -> None:
        self._app = app
        self._channels = channels
        self._recent: Recent[dict[str, Any]] = Recent(app.clock, self._looked, self._version, lasts_s=FRESH_S)

    async def glance(self) -> dict[str, Any]:
        """Everything that today's page needs; without reports, or where the ledger is away, less of it."""
        return await self._recent.get()

    def _version(self) -> object:
        app = self._app
        return app.store.generation, app.plan, None if app.ledger is None else app.ledger.changes

    async def _looked(self) -> dict[str, Any]:
        app = self._app
        now = app.clock.now()
        lanes = queues_of(app.store.tasks.values(), now)["lanes"]
        return {
            **await self._reports(now),
            "queue": {"lanes": {lane: _lane(found) for lane, found in lanes.items()}},
            "channels": [_channel(row) for row in await self._channels.listing()],
            "providers": [
                _provider(it, app.store.note(BREAKER_NOTE + it.name), app.alerts.open, now)
                for it in app.config.llm.providers
            ],
        }

    async def _reports(self, now: datetime) -> dict[str, Any]:
        ledger, counted = self._app.ledger, self._app.reports.coverage
        if ledger is None or counted is None:
            return _nothing_of(self._app.today(), None)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await _standing(ledger, counted, now)
        except TimeoutError:
            return _nothing_of(self._app.today(), f"the ledger does not answer within {PATIENCE_S:.0f} s")
        except LedgerError as error:
            return _nothing_of(self._app.today(), str(error))


async def _standing(ledger: Ledger, counted: Recent[Coverage], now: datetime) -> dict[str, Any]:
    coverage = await counted.get()
    near = await ledger.nearing(now, now, now + NEAR, limit=MOST_SHOWN)
    loads = await ledger.loads(now, now + NEAR) if near else []
    lacking = await _lacking(ledger, coverage.date, now) if _lacks(coverage) else []
    return {
        "date": coverage.date.isoformat(),
        "coverage": coverage.as_row(),
        "atRisk": [_row(it) for it in near],
        "atRiskTotal": sum(it.due for it in loads if it.deadline_at > now),
        "missing": lacking,
        "missingTotal": _lacks(coverage),
        "ledgerError": None,
    }


def _lacks(coverage: Coverage) -> int:
    return coverage.missing + coverage.failed + coverage.unknown


async def _lacking(ledger: Ledger, on: date, now: datetime) -> list[dict[str, Any]]:
    """The first of those without their report: late, lost, or never planned."""
    late = [it for it in await ledger.nearing(now, now - BACK, now, limit=MOST_SHOWN) if it.date == on]
    lost = await ledger.obligations(on, statuses=LOST, limit=MOST_SHOWN)
    absent = await ledger.missing(on, limit=MOST_SHOWN)
    rows = [*map(_row, late), *map(_row, lost), *(_absent(it, on) for it in absent)]
    return rows[:MOST_SHOWN]


def _row(one: Obligation) -> dict[str, Any]:
    return {
        "companyId": one.company_id,
        "date": one.date.isoformat(),
        "deadlineAt": time_text(one.deadline_at),
        "status": one.status.value,
        "error": one.error,
    }


def _absent(company_id: str, on: date) -> dict[str, Any]:
    error = "on the roster, but nothing was planned"
    plain = {"companyId": company_id, "date": on.isoformat(), "deadlineAt": None}
    return {**plain, "status": "missing", "error": error}


def _nothing_of(on: date, error: str | None) -> dict[str, Any]:
    return {
        "date": on.isoformat(),
        "coverage": None,
        "atRisk": [],
        "atRiskTotal": 0,
        "missing": [],
        "missingTotal": 0,
        "ledgerError": error,
    }


def _lane(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"waiting": found["depth"], "running": found["running"], "oldestAgeS": found["oldestAgeS"]}


def _channel(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "type": row["type"],
        "status": row["state"],
        "since": row["since"],
        "lastError": row["error"],
    }


def _provider(
    provider: ProviderSection, note: str | None, alerts: Iterable[Alert], now: datetime
) -> dict[str, Any]:
    """A provider of language models: `resting` while it is left alone."""
    until = _rests_until(note)
    is_resting = until is not None and until > now
    of_it = (it for it in alerts if it.name == PROVIDER_ALERT and it.labels.get("provider") == provider.name)
    alert = next(of_it, None)
    return {
        "name": provider.name,
        "status": "resting" if is_resting else "ok",
        "until": until if is_resting else None,
        "lastError": None if alert is None else str(alert.details.get("reason", alert.summary)),
    }


def _rests_until(note: str | None) -> datetime | None:
    try:
        until = from_json(note)["until"] if note else None
        return None if until is None else parse_time(until)
    except (NotJson, KeyError, TypeError, ValueError):
        return None

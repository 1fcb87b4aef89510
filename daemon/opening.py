"""What an app is made of, opened from the configuration: its plan, its channels, its ledger."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from daemon.check import SECTIONS, Prepared
from daemon.clock import Clock
from daemon.config import Config
from daemon.engine.plan import Plan
from daemon.notify import Tools, open_channel
from daemon.notify.base import Channel
from daemon.notify.http import HttpClient
from state.home import Home
from state.ledger.base import Ledger
from state.ledger.choice import make_ledger
from state.ledger.keeping import take_ledger_backup
from state.records import Lane


def backup_of(ledger: Ledger | None, home: Home) -> Callable[[datetime], Path] | None:
    """How a backup of the ledger is taken, where it is a file of this home."""
    if ledger is None or ledger.name != "sqlite":
        return None
    return lambda now: take_ledger_backup(home.ledger, home.backups, now)


def ledger_of(config: Config, home: Home) -> Ledger | None:
    """The ledger that is configured, not open yet; None where no reports are made."""
    if config.reports is None:
        return None
    url = config.ledger.url
    return make_ledger(url if isinstance(url, str) else url.reveal(), home)


def make_plan(prepared: Prepared) -> Plan:
    """The part of the configuration that the engine runs on."""
    return Plan(
        handlers=prepared.handlers,
        schedules={spec.name: spec for spec in prepared.schedules},
        sections={name: getattr(prepared.config, name) for name in SECTIONS},
    )


def places(config: Config) -> dict[Lane, int]:
    """How many tasks of each lane may run at once; the alerts' lane is served first."""
    return {
        Lane.ALERTS: config.queue.alert_concurrency,
        Lane.NORMAL: config.queue.concurrency,
        Lane.CATCH_UP: config.queue.catch_up_concurrency,
    }


def open_channels(
    prepared: Prepared, clock: Clock, logs: Path | None = None
) -> tuple[HttpClient, dict[str, Channel]]:
    """Open what was configured; connections are made when something is sent."""
    allow_private = prepared.config.network.allow_private
    http = HttpClient(allow_private=allow_private)
    tools = Tools(http=http, clock=clock, allow_private=allow_private, logs=logs)
    entries = prepared.channels
    return http, {name: open_channel(entry.type, entry.options, tools) for name, entry in entries.items()}

"""What a handler is given: its task, and the parts of the house it may use."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.clock import Clock
from daemon.meters import Meters
from state.records import Task

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.engine.queue import Accepted
    from daemon.engine.scheduler import Scheduler
    from daemon.kept import Kept
    from daemon.notify.notifier import Notifier
    from daemon.watch.alerts import Alerts
    from state.digests import Digests
    from state.home import Home
    from state.items import Items
    from state.ledger.base import Ledger
    from state.store import Store

log = logging.getLogger("handlers")

Enqueue = Callable[..., Awaitable["Accepted"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the house that every handler may use."""

    clock: Clock
    store: "Store"
    items: "Items"
    digests: "Digests"
    notify: "Notifier"
    alerts: "Alerts"
    schedules: "Scheduler"
    enqueue: Enqueue
    kept: "Kept"
    config: "Config"
    home: "Home"
    owner: str  # names this process where it holds a lease; another one after each start
    ledger: "Ledger | None" = None  # None where no reports are configured
    meters: Meters = field(default_factory=Meters)
    folder: Path = Path()  # the config's own: relative paths of handlers and commands start there


class TaskLog(logging.LoggerAdapter[logging.Logger]):
    """Names the task and its handler on every line a handler logs, beside the fields it gives."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        given = kwargs.get("extra") or {}
        kwargs["extra"] = {"fields": {**(self.extra or {}), **given.get("fields", {})}}
        return msg, kwargs


@dataclass(slots=True, kw_only=True)
class Context:
    """One run of one task."""

    task: Task
    house: Services
    options: Any  # the handler's own section of the config, see `handler(section=…)`

    @property
    def log(self) -> TaskLog:
        """The log, for events of this run: `ctx.log.info("digest.written", extra={"fields": {…}})`."""
        return TaskLog(log, {"handler": self.task.handler, "task": self.task.id})

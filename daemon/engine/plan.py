"""What the configuration makes of the handlers: replaced as a whole when it is reloaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from daemon.engine.handler import Handler
from daemon.engine.spec import ScheduleSpec
from state.records import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which handlers there are, when they run, and what each is told."""

    handlers: Mapping[str, Handler]
    schedules: Mapping[str, ScheduleSpec] = field(default_factory=dict)
    sections: Mapping[str, Any] = field(default_factory=dict)  # parts of the config, by name

    def time_limit(self, task: Task) -> timedelta:
        """How long an attempt at this task may take: as its schedule says, else as its handler does."""
        if task.schedule is not None and (spec := self.schedules.get(task.schedule)) is not None:
            return spec.timeout
        return self.handlers[task.handler].timeout

    def options_of(self, handler: Handler) -> Any:
        """The part of the config that a handler asked for."""
        return None if handler.section is None else self.sections[handler.section]

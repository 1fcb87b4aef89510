"""Keeps count of how each job fares, and raises the alarm when one fails or keeps failing."""

import logging
from collections.abc import Sequence
from typing import Any

from daemon.engine.verdict import DONE, Ending
from daemon.engine.worker import Ended
from daemon.logs import Allowance
from daemon.meters import Meters
from daemon.watch.alerts import Alerts
from state.records import HandlerRecord, Severity, Task, TaskState, replace
from state.store import Change, Store

log = logging.getLogger(__name__)

# Open as long as the process lives that the handler is stuck in.
STUCK = "handler.stuck"


class Failures:
    """The worker's watcher: one record a job, kept for good, and its alerts.

    The counts here are ahead of the disk by the commit under way; each end is counted once, however
    often its commit has to be tried.
    """

    def __init__(self, store: Store, alerts: Alerts, limit: int, meters: Meters | None = None) -> None:
        self._alerts = alerts
        self.limit = limit
        self._meters = meters or Meters()
        self._records = dict(store.handlers)
        self._allowance = Allowance(log.handle)

    def note(self, ended: Ended) -> None:
        """Take an end into account, and leave in it what there is to be alarmed about."""
        end, task = ended.end, ended.task
        is_failure = end.is_failure
        self._log(ended)
        if end.ending is DONE or is_failure:
            name = job_of(ended.ran)
            self._records[name] = _counted(name, self._records.get(name), task, is_failure=is_failure)
        if is_failure or task.state is TaskState.DISCARDED:
            if task.state is TaskState.RETRYABLE:
                self._meters.retries.add(job_of(ended.ran))
            self._raise_alarm(ended)
        elif end.ending is DONE:
            self._end_alarm(ended)

    def write(self, change: Change, ended: Sequence[Ended]) -> None:
        """Add the jobs' records and the alarms, both as they are by now."""
        for name in {job_of(it.ran) for it in ended}:
            if (record := self._records.get(name)) is not None:
                change.put(record)
        for it in ended:
            for alarm in it.alarms:
                change.put(self._alerts.newest(alarm))

    def _log(self, ended: Ended) -> None:
        level = _level(ended)
        if not log.isEnabledFor(level):
            return
        event = f"task.{ended.task.state._value_}"
        at = ended.task.finished_at or ended.ran.started_at or ended.ran.scheduled_at
        if self._allowance.ask(event, int(at.timestamp())):
            log.log(level, event, extra={"fields": _fields(ended)})

    def _raise_alarm(self, ended: Ended) -> None:
        task, name = ended.task, job_of(ended.ran)
        labels = {"handler": name}
        streak = self._records[name].failure_streak if name in self._records else 0
        details = {"task": task.id, "attempt": task.attempt, "error": task.error, "failure_streak": streak}
        advice = f"nightdesk history --handler {name}"
        if streak >= self.limit:
            summary = f"{name} has failed {_times(streak)}: {task.error}"
            ended.alarms.append(
                self._alerts.firing(
                    "handler.failing",
                    severity=Severity.CRITICAL,
                    summary=summary,
                    labels=labels,
                    details=details,
                    advice=advice,
                )
            )
        elif task.state is TaskState.DISCARDED:
            summary = f"{name} failed for good after {_attempts(task)}: {task.error}"
            ended.alarms.append(
                self._alerts.firing(
                    "task.failed",
                    severity=Severity.ERROR,
                    summary=summary,
                    labels=labels,
                    details=details,
                    advice=advice,
                )
            )
        if ended.end.ending is Ending.ABANDONED:
            summary = f"{name} {task.error}; it was left behind and still uses memory"
            ended.alarms.append(
                self._alerts.firing(
                    STUCK,
                    severity=Severity.ERROR,
                    summary=summary,
                    labels=labels,
                    details=details,
                    advice="systemctl restart nightdesk",
                )
            )

    def _end_alarm(self, ended: Ended) -> None:
        if not self._alerts.any_open:
            return
        labels = {"handler": job_of(ended.ran)}
        for name in ("handler.failing", "task.failed"):
            if (alert := self._alerts.resolving(name, labels)) is not None:
                ended.alarms.append(alert)


def job_of(task: Task) -> str:
    """Whose failure it is: the schedule's, else the handler's. Two commands are two jobs of one handler."""
    return task.schedule or task.handler


def _counted(name: str, known: HandlerRecord | None, task: Task, *, is_failure: bool) -> HandlerRecord:
    """The job's record after one more end."""
    at = task.finished_at
    assert at is not None, "an attempt that was done or failed has an end"
    if known is None:
        known = HandlerRecord(handler=name, last_state=task.state, last_finished_at=at)
    return replace(
        known,
        last_state=task.state,
        last_finished_at=at,
        last_success_at=known.last_success_at if is_failure else at,
        last_error=task.error if is_failure else known.last_error,
        failure_streak=known.failure_streak + 1 if is_failure else 0,
        runs=known.runs + 1,
        failures=known.failures + is_failure,
    )


def _level(ended: Ended) -> int:
    if not ended.end.is_failure:
        return logging.INFO
    return logging.WARNING if ended.task.state is TaskState.RETRYABLE else logging.ERROR


def _fields(ended: Ended) -> dict[str, Any]:
    ran, task = ended.ran, ended.task
    fields = {"handler": ran.handler, "task": ran.id, "attempt": ran.attempt, "trigger": ran.trigger.value}
    if ran.slot is not None:
        fields["slot"] = ran.slot
    if ran.started_at is not None and task.finished_at is not None:
        fields["took_s"] = round((task.finished_at - ran.started_at).total_seconds(), 3)
    if ended.end.reason is not None:
        fields["reason"] = ended.end.reason
    if task.state is TaskState.RETRYABLE:
        fields["again_at"] = task.scheduled_at
    return fields


def _times(streak: int) -> str:
    return "once" if streak == 1 else f"{streak} times in a row"


def _attempts(task: Task) -> str:
    return "1 attempt" if task.attempt == 1 else f"{task.attempt} attempts"

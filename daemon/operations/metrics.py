"""What the metrics say: everything that was counted, and what stands in memory and ledger at this instant."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from daemon import __version__
from daemon.meters import Family, Kind, Labels, Spread
from daemon.operations.readiness import Readiness
from daemon.reports.components import HEARTBEAT_NOTE
from daemon.reports.links import Finding
from daemon.reports.sums import Sums, at_once, summing
from state.codec import parse_time
from state.digests import LAST_SENT_NOTE
from state.ledger.records import Status
from state.records import HandlerRecord, Lane, Severity

if TYPE_CHECKING:
    from daemon.app import App

PROVIDER_DOWN = "llm.provider-down"
NEVER = 0.0

Reading = Family | Spread
Values = Mapping[Labels, float]


class MetricOperations:
    """Reads all metrics, within three seconds. A ledger that does not answer costs its own series alone."""

    def __init__(self, app: "App", readiness: Readiness) -> None:
        self._app = app
        self._readiness = readiness
        self._sums = None if app.ledger is None else summing(app.ledger, app.clock)

    async def readings(self) -> list[Reading]:
        """Every metric as it stands."""
        app = self._app
        app.meters.expect(
            channels=app.notify.channels,
            providers=[it.name for it in app.config.llm.providers],
            schedules=app.plan.schedules,
        )
        lacks, ledger = await asyncio.gather(self._readiness.lacks(), self._of_ledger())
        return [
            *self._of_process(is_ready=not lacks),
            *self._of_schedules(),
            *self._of_queue(),
            *self._of_alerts(),
            *self._of_surroundings(),
            *ledger,
            *app.meters.read(),
        ]

    def _of_process(self, *, is_ready: bool) -> list[Reading]:
        app = self._app
        return [
            _gauge(
                "nightdesk_build_info",
                "The version that runs; always 1.",
                {(__version__,): 1.0},
                "version",
            ),
            _gauge(
                "nightdesk_ready", "1 while work is taken, and somebody would hear of it.", _one(is_ready)
            ),
            _gauge(
                "nightdesk_heartbeat_timestamp_seconds",
                "When the last heartbeat task ended, by schedule, queue and worker; 0 where none ever did.",
                _one(_noted(app.store.note(HEARTBEAT_NOTE))),
            ),
            _gauge(
                "nightdesk_loop_lag_seconds",
                "The worst lag of the event loop in the last minute.",
                _one(app.pulse.worst_lag_s),
            ),
            _gauge(
                "nightdesk_digest_sent_timestamp_seconds",
                "When a digest was last proved to have arrived; 0 where none ever was.",
                _one(_noted(app.store.note(LAST_SENT_NOTE))),
            ),
        ]

    def _of_schedules(self) -> list[Reading]:
        app = self._app
        jobs = {name: app.store.handlers.get(name) for name in app.plan.schedules}
        states = {name: app.store.schedules.get(name) for name in app.plan.schedules}
        now = app.clock.now()
        runs = {name: _stamp(it.last_finished_at if it else None) for name, it in jobs.items()}
        successes = {name: _stamp(it.last_success_at if it else None) for name, it in jobs.items()}
        fires = {name: it.next_fire_at.timestamp() for name, it in states.items() if it and it.next_fire_at}
        pauses = {
            name: float(it.paused_until > now if it and it.paused_until else False)
            for name, it in states.items()
        }
        streaks = {name: float(it.failure_streak if it else 0) for name, it in jobs.items()}
        return [
            _by_schedule("last_run_timestamp_seconds", "When a run last ended; 0 where none ever did.", runs),
            _by_schedule(
                "last_success_timestamp_seconds",
                "When a run last ended well; 0 where none ever did.",
                successes,
            ),
            _by_schedule("next_fire_timestamp_seconds", "When it is to fire next.", fires),
            _by_schedule("paused", "1 while its slots are left out by somebody's word.", pauses),
            _by_schedule("failure_streak", "Failed attempts since the last that ended well.", streaks),
            self._attempts(),
        ]

    def _attempts(self) -> Reading:
        """The attempts of what is configured now: a record is kept for good, also of what is gone."""
        plan, known = self._app.plan, self._app.store.handlers
        names = {*plan.schedules, *plan.handlers} & known.keys()
        return Family(
            name="nightdesk_task_attempts_total",
            kind=Kind.COUNTER,
            about="Attempts that ended, by schedule, or by handler where none is behind it; over restarts.",
            labels=("handler", "outcome"),
            values={key: n for name in sorted(names) for key, n in _outcomes(known[name]).items()},
        )

    def _of_queue(self) -> list[Reading]:
        queue, now = self._app.queue, self._app.clock.now()
        running = Counter(task.lane for task in self._app.worker.running)
        return [
            _gauge(
                "nightdesk_queue_depth",
                "Tasks that are ready to start.",
                {(lane.value,): float(queue.depth(lane)) for lane in Lane},
                "lane",
            ),
            _gauge(
                "nightdesk_queue_oldest_age_seconds",
                "How long the task that is next should have begun; 0 where none waits.",
                {(lane.value,): _age(queue.waiting_since(lane), now) for lane in Lane},
                "lane",
            ),
            _gauge(
                "nightdesk_tasks_running",
                "Tasks that run.",
                {(lane.value,): float(running[lane]) for lane in Lane},
                "lane",
            ),
        ]

    def _of_alerts(self) -> list[Reading]:
        app = self._app
        counts = Counter(it.severity for it in app.alerts.open)
        owed = app.dispatch.owed()
        oldest = min((it.since for it in owed), default=None)
        down = {it.labels.get("provider") for it in app.alerts.open if it.name == PROVIDER_DOWN}
        return [
            _gauge(
                "nightdesk_alerts_open",
                "Alerts that are not over.",
                {(severity.value,): float(counts[severity]) for severity in Severity},
                "severity",
            ),
            _gauge(
                "nightdesk_outbox_depth",
                "Messages about alerts not proved to have arrived yet.",
                _one(len(owed)),
            ),
            _gauge(
                "nightdesk_outbox_oldest_age_seconds",
                "How long ago the oldest thing happened that nobody is proved to know of; 0 where none.",
                _one(_age(oldest, app.clock.now())),
            ),
            _gauge(
                "nightdesk_channel_down",
                "1 while a channel refuses messages or does not answer.",
                {(name,): float(it.is_down) for name, it in app.notify.health().items()},
                "channel",
            ),
            _gauge(
                "nightdesk_llm_provider_down",
                "1 while a provider of language models is given up on.",
                {(it.name,): float(it.name in down) for it in app.config.llm.providers},
                "provider",
            ),
        ]

    def _of_surroundings(self) -> list[Reading]:
        links = self._app.reports.links
        free, size = _disk(self._app)
        return [
            *_of_link("ledger", "the ledger's database", links.database.finding),
            *_of_link("redis", "Redis", links.redis.finding),
            _gauge("nightdesk_disk_free_bytes", "What is free on the disk of the home.", free),
            _gauge("nightdesk_disk_size_bytes", "How large the disk of the home is.", size),
        ]

    async def _of_ledger(self) -> list[Reading]:
        sums = None if self._sums is None else await at_once(self._sums)
        has_failed = self._sums is not None and sums is None
        ratio = None if sums is None else sums.ratio
        statuses: Values = {} if sums is None else _by_status(sums)
        return [
            _gauge(
                "nightdesk_coverage_ratio",
                "The delivered among those owed a report, of the newest date that is due.",
                {} if ratio is None else _one(ratio),
            ),
            _gauge(
                "nightdesk_obligations",
                "Reports owed for the newest date that is due, by where they stand.",
                statuses,
                "status",
            ),
            _gauge(
                "nightdesk_reports_unplanned",
                "Companies expected for the newest date that is due, and not planned.",
                {} if sums is None else _one(sums.absent),
            ),
            _gauge(
                "nightdesk_reports_overdue",
                "Reports of any date that are open past their deadline.",
                {} if sums is None else _one(sums.overdue),
            ),
            _gauge(
                "nightdesk_scrape_errors",
                "1 where this reading lacks the series of a part that did not answer.",
                {("ledger",): float(has_failed)},
                "part",
            ),
        ]


def _of_link(name: str, what: str, finding: Finding) -> Sequence[Reading]:
    """Nothing of what is not configured, or has not been asked yet."""
    is_up = {} if finding.is_up is None else _one(finding.is_up)
    took = {} if finding.latency_ms is None else _one(finding.latency_ms / 1000)
    return (
        _gauge(f"nightdesk_{name}_up", f"1 while {what} takes a small write.", is_up),
        _gauge(f"nightdesk_{name}_latency_seconds", "How long that write took last.", took),
    )


def _disk(app: "App") -> tuple[Values, Values]:
    try:
        usage = shutil.disk_usage(app.home.folder)
    except OSError:
        return {}, {}
    return _one(usage.free), _one(usage.total)


def _by_status(sums: Sums) -> Values:
    return {(status.value,): float(sums.statuses.get(status, 0)) for status in Status}


def _outcomes(record: HandlerRecord) -> Values:
    done, failed = float(record.runs - record.failures), float(record.failures)
    return {(record.handler, "done"): done, (record.handler, "failed"): failed}


def _gauge(name: str, about: str, values: Values, *labels: str) -> Family:
    return Family(name=name, kind=Kind.GAUGE, about=about, labels=labels, values=values)


def _by_schedule(name: str, about: str, values: Mapping[str, float]) -> Family:
    by_label: Values = {(schedule,): value for schedule, value in values.items()}
    return _gauge(f"nightdesk_schedule_{name}", about, by_label, "schedule")


def _one(value: float) -> Values:
    """The value of a metric without labels."""
    return {(): float(value)}


def _stamp(at: datetime | None) -> float:
    return NEVER if at is None else at.timestamp()


def _noted(text: str | None) -> float:
    return NEVER if not text else parse_time(text).timestamp()


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())

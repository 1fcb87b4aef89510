"""What the browser is shown: a daemon with three months behind it, a job and a report that fail."""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon.app import App
from daemon.check import prepare
from daemon.clock import SystemClock
from daemon.sample import FACTS, WORST_ROUTES, load_flights, sample_companies, sample_leads
from state.codec import time_text
from state.home import locked
from state.ledger.records import Status
from state.records import Task, TaskState, Trigger
from state.store import Change
from tests.journeys.desk import Desk, open_desk

DAYS = 89
CALM_DAYS = 7
COMPANIES = 16
FAILING_COMPANY = "HA"
FAILING_JOB = "offsite-copy"
GOOD_JOB = "tidy-up"
BLOCKED = "outbox"
TOKEN, READ_TOKEN = "an-operating-token-0123456789abcdef", "a-reading-token-0123456789abcdef"
# At which hour it runs, and how many seconds it takes.
USUAL = {
    "nightly-batch": (23, 40.0),
    FAILING_JOB: (2, 210.0),
    GOOD_JOB: (3, 6.0),
    "daily-reports": (5, 95.0),
    "send-digest": (6, 1.4),
    "daily-health": (8, 0.9),
}
FATES = {
    Status.DELIVERED: 950,
    Status.DELIVERED_DEGRADED: 25,
    Status.DELIVERED_LATE: 15,
    Status.UNKNOWN: 3,
    Status.FAILED: 7,
}
PAST_REPORT = """
INSERT INTO obligation (date, company_id, status, due_at, deadline_at, attempts, epoch, rung, stable_id,
    produced_at, delivered_at, channel, first_attempt_ok)
VALUES (?, ?, ?, ?, ?, 1, 1, 'template', ?, ?, ?, 'file', ?)"""
# What would run, load or turn the line round if it were ever more than text.
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "safe \u202etxt.exe\u202c and \u200fעברית",
)


@dataclass(frozen=True)
class Stage:
    """A daemon that runs, and where its page is."""

    desk: Desk
    address: str
    today: date

    @property
    def obstacle(self) -> Path:
        """While this file lies where a channel wants its folder, one company's report fails."""
        return self.desk.home.logs / BLOCKED


@contextmanager
def open_stage(folder: Path, zone: str) -> Iterator[Stage]:
    """Lay everything out and have the daemon run, in a zone where it is noon; it ends with the block."""
    with open_desk(folder) as desk:
        today = datetime.now(ZoneInfo(zone)).date()
        desk.environ.update(DESK_TOKEN=TOKEN, READ_TOKEN=READ_TOKEN, NEXT_TOKEN=TOKEN[::-1])
        lay_out(desk, zone, today)
        desk.start()
        desk.does("trigger", "nightly-batch", "--wait")
        desk.run("trigger", FAILING_JOB, "--wait")
        desk.wait_for("a planned morning", lambda: _coverage(desk)["expected"] == COMPANIES)
        desk.run("reports", "ensure", "--date", today.isoformat())
        desk.wait_for("the morning's reports", lambda: _coverage(desk)["delivered"] == COMPANIES - 1)
        port = desk.does("status", "--json").json["httpPort"]
        stage = Stage(desk, f"http://127.0.0.1:{port}", today)
        yield stage
        desk.stop()


def _coverage(desk: Desk) -> Mapping[str, int]:
    found: Mapping[str, int] = desk.client.get("/api/coverage")
    return found


def lay_out(desk: Desk, zone: str, today: date) -> None:
    """Write the configuration, the roster, the flights, the leads, and three months of history."""
    companies = [{**it, "timezone": zone} for it in sample_companies()]
    for company in companies:
        company["channel"] = "file"
        if company["id"] == FAILING_COMPANY:
            company |= {"channel": BLOCKED, "deadline": "13:00"}
    (desk.folder / "companies.json").write_text(json.dumps(companies))
    load_flights(desk.folder / "flights.db", today)
    desk.write_config(**configuration(zone))
    leads = [
        {
            "id": f"hostile-{index}",
            "title": title,
            "score": 0.99 - index / 100,
            "selftext": title,
            "url": "javascript:1",
        }
        for index, title in enumerate(HOSTILE)
    ]
    leads += sample_leads(datetime.now(UTC))
    desk.home.make_folders()
    (desk.home.logs / BLOCKED).touch()
    # In a thread of its own: the browser's driver has a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(
            lambda: asyncio.run(_remember(desk, zone, today, [it["id"] for it in companies]))
        ).result()
    desk.does("items", "add", str(desk.write_leads(*leads)))


def configuration(zone: str) -> dict[str, object]:
    """What runs, who may ask, and where the figures come from."""
    failing = "echo 'backup.example.net: connection refused' >&2; exit 1"
    return {
        "timezone": zone,
        "nightlyBatchSchedule": "0 23 * * *",
        "dailyReportSchedule": "0 5 * * *",
        "morningNotificationSchedule": "0 6 * * *",
        "digestNotificationChannel": "log",
        "scoring": {
            "topics": {"cron": 1, "report": 1, "alert": 1, "scheduler": 1, "backup": 0.8, "digest": 0.8}
        },
        "http": {
            "port": 0,
            "tokens": [
                {"name": "ada", "scope": "operate", "token": "env:DESK_TOKEN"},
                {"name": "guest", "scope": "read", "token": "env:READ_TOKEN"},
            ],
        },
        "reports": {
            "companies": "companies.json",
            "deadline": "23:30",
            "source": {
                "type": "sqlite",
                "path": "flights.db",
                "facts": FACTS.strip(),
                "tables": {"Worst routes": WORST_ROUTES.strip()},
            },
        },
        "channels": {BLOCKED: {"type": "file", "folder": BLOCKED}},
        "schedules": {
            FAILING_JOB: {"command": ["sh", "-c", failing], "cron": "30 2 * * *", "maxAttempts": 1},
            GOOD_JOB: {"command": ["echo", "tidy"], "cron": "15 3 * * *"},
        },
    }


async def _remember(desk: Desk, zone: str, today: date, companies: list[str]) -> None:
    """Give the home a past, while no daemon holds it."""
    dice = random.Random(7)
    with locked(desk.home):
        async with App.opened(prepare(desk.config, desk.surroundings()), desk.home, SystemClock()) as app:
            change = Change()
            for run in past_runs(zone, today, dice):
                change.record_run(run)
            await app.store.commit_change(change)
            await asyncio.to_thread(remember_reports, desk.home.folder / "ledger.db", today, companies, dice)


def past_runs(zone: str, today: date, dice: random.Random) -> Iterator[Task]:
    """A run a day of each schedule up to this morning, as long as its kind takes; some failed."""
    last = datetime.combine(today, time(11), tzinfo=ZoneInfo(zone))
    for ago in range(DAYS, -1, -1):
        for name, (hour, seconds) in USUAL.items():
            started = datetime.combine(today - timedelta(days=ago), time(hour), tzinfo=ZoneInfo(zone))
            if started > last:
                continue
            started = started.astimezone(UTC)
            failed = ago < 3 if name == FAILING_JOB else ago > 3 and dice.random() < 0.02
            yield Task(
                id=f"{name}-{ago}",
                handler=name,
                schedule=name,
                state=TaskState.DISCARDED if failed else TaskState.COMPLETED,
                trigger=Trigger.CRON,
                attempt=1,
                scheduled_at=started,
                started_at=started,
                finished_at=started + timedelta(seconds=seconds * dice.uniform(0.7, 1.5)),
                error="backup.example.net: connection refused" if failed else None,
            )


def remember_reports(ledger: Path, today: date, companies: list[str], dice: random.Random) -> None:
    """A report a day for every company; most delivered, a few late, plain, failed or unknown."""
    rows = []
    for ago in range(DAYS, 0, -1):
        day = today - timedelta(days=ago)
        due = datetime.combine(day, time(5), tzinfo=UTC)
        deadline = time_text(due + timedelta(hours=2))
        for company in companies:
            # Of late all is well: what is young and went wrong would raise alerts of its own.
            fates = FATES if ago > CALM_DAYS else {Status.DELIVERED: 1}
            [status] = dice.choices(list(fates), list(fates.values()))
            at = time_text(due + timedelta(seconds=dice.uniform(5, 90)))
            ended = at if status.is_delivered else None
            named = (day.isoformat(), company, status.value, time_text(due), deadline)
            rows.append((*named, f"report.{company}.{day}", at, ended, status is Status.DELIVERED))
    with closing(sqlite3.connect(ledger, timeout=10)) as database, database:
        database.executemany(PAST_REPORT, rows)

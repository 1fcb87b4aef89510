"""The three months that lie behind the daemon of the browser tests: runs, reports, digests, a heartbeat."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon.app import App
from daemon.check import Prepared
from daemon.clock import SystemClock
from daemon.sample import sample_leads
from state.codec import time_text, to_json
from state.home import Home, locked
from state.ledger.records import Status
from state.records import ScheduleRecord, Task, TaskState, Trigger
from state.store import Change

DAYS = 89
DIGEST_DAYS = 30
CALM_DAYS = 7
LATEST_SENT = 1  # days ago: the newest digest of the past was sent this morning
COPY_FAILED = "backup.example.net: connection refused"
# At which hour it runs, and how many seconds it takes.
USUAL = {
    "nightly-batch": (23, 40.0),
    "offsite-copy": (2, 210.0),
    "tidy-up": (3, 6.0),
    "media-sync": (4, 24.0),
    "daily-reports": (5, 95.0),
    "backup-reports": (6, 0.3),
    "send-digest": (6, 1.4),
    "daily-health": (8, 0.9),
}
FAILING_OF_LATE = "offsite-copy"
FATES = {
    Status.DELIVERED: 950,
    Status.DELIVERED_DEGRADED: 25,
    Status.DELIVERED_LATE: 15,
    Status.UNKNOWN: 3,
    Status.FAILED: 7,
}
# What nobody is alerted of any more, but somebody may still put right.
UNSETTLED_AGO = 8
UNSETTLED = {"AA": Status.FAILED, "B6": Status.UNKNOWN, "DL": Status.UNKNOWN, "WN": Status.DELIVERED_DEGRADED}
ERRORS = {
    Status.FAILED: "mail.example.net: 550 5.1.1 no such mailbox",
    Status.UNKNOWN: "mail.example.net: the line broke before the answer came",
}
PAST_REPORT = """
INSERT INTO obligation (date, company_id, status, due_at, deadline_at, attempts, epoch, rung, stable_id,
    produced_at, delivered_at, channel, error, first_attempt_ok)
VALUES (?, ?, ?, ?, ?, 1, 1, 'template', ?, ?, ?, 'file', ?, ?)"""
PAST_LEAD = """
INSERT INTO item (seq, id, added_at, body, score, selected, reasons) VALUES (?, ?, ?, ?, ?, ?, ?)"""
PAST_BATCH = """
INSERT INTO batch (id, task_id, date, generated_at, after_seq, until_seq, docs_processed, queue_total,
    marked_for_draft, delivery_id, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


@dataclass(frozen=True, kw_only=True)
class Past:
    """Where, until which day, and for whom there is a past."""

    zone: str
    today: date
    companies: tuple[str, ...]

    def at(self, ago: int, hour: int) -> datetime:
        """An hour of the clock there, some days ago."""
        day = datetime.combine(self.today - timedelta(days=ago), time(hour), tzinfo=ZoneInfo(self.zone))
        return day.astimezone(UTC)


async def remember(past: Past, prepared: Prepared, home: Home) -> None:
    """Give a home its past, while no daemon holds it."""
    dice = random.Random(7)
    with locked(home):
        async with App.opened(prepared, home, SystemClock()) as app:
            change = Change(heartbeat(past, app.clock.now()))
            for run in past_runs(past, dice):
                change.record_run(run)
            await app.store.commit_change(change)
            await app.store.run(lambda connection: remember_digests(connection, past, dice))
            await app.digests.note_last_sent()
            await asyncio.to_thread(remember_reports, home.folder / "ledger.db", past, dice)


def heartbeat(past: Past, now: datetime) -> ScheduleRecord:
    """That the heartbeat fired when it last had to; of its runs nothing is kept."""
    fired = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    return ScheduleRecord(
        name="heartbeat",
        cron="*/5 * * * *",
        timezone=past.zone,
        last_slot=fired.astimezone(ZoneInfo(past.zone)).replace(tzinfo=None).isoformat(),
        last_fired_at=fired,
        next_fire_at=fired + timedelta(minutes=5),
    )


def past_runs(past: Past, dice: random.Random) -> Iterator[Task]:
    """A run a day of each schedule up to this morning, as long as its kind takes; some failed."""
    for ago in range(DAYS, -1, -1):
        for name, (hour, seconds) in USUAL.items():
            started = past.at(ago, hour)
            if started > past.at(0, 11):
                continue
            failed = ago < 3 if name == FAILING_OF_LATE else ago > 3 and dice.random() < 0.02
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
                error=COPY_FAILED if failed else None,
            )


def remember_digests(connection: sqlite3.Connection, past: Past, dice: random.Random) -> None:
    """A digest a night, each of a few of the sample's leads, all but the last night's sent."""
    seq = 0
    for ago in range(DIGEST_DAYS, 0, -1):
        day, made = past.today - timedelta(days=ago), past.at(ago, 23) + timedelta(minutes=1)
        leads = dice.sample(sample_leads(made), dice.randint(21, 58))
        after = seq
        for lead in leads:
            seq += 1
            parts = dict(relevance=dice.uniform(0.1, 0.4), engagement=dice.uniform(0, 0.2), freshness=0.18)
            body = {**lead, "id": f"{day}-{lead['id']}"}
            score = sum(parts.values()) + 0.2
            row = (to_json(body).decode(), score, score > 0.75, to_json(parts).decode())
            connection.execute(PAST_LEAD, (seq, body["id"], time_text(made), *row))
        counted = connection.execute("SELECT sum(selected) FROM item WHERE seq > ?", (after,)).fetchone()[0]
        batch = (f"batch-{day}", f"nightly-batch-{ago}", day.isoformat(), time_text(made))
        sent = time_text(past.at(ago - LATEST_SENT, 6) + timedelta(seconds=1))
        figures = (after, seq, len(leads), len(leads), counted, f"digest-{day}@log", sent)
        connection.execute(PAST_BATCH, (*batch, *figures))


def remember_reports(ledger: Path, past: Past, dice: random.Random) -> None:
    """A report a day for every company; most delivered, a few late, plain, failed or unknown."""
    rows = []
    for ago in range(DAYS, 0, -1):
        day, due = past.today - timedelta(days=ago), past.at(ago, 5)
        # Of late all is well: what is young and went wrong would raise alerts of its own.
        fates = FATES if ago > CALM_DAYS else {Status.DELIVERED: 1}
        for company in past.companies:
            [status] = dice.choices(list(fates), list(fates.values()))
            if ago == UNSETTLED_AGO:
                status = UNSETTLED.get(company, Status.DELIVERED)
            at = time_text(due + timedelta(seconds=dice.uniform(5, 90)))
            named = (day.isoformat(), company, status.value, time_text(due))
            went = (time_text(due + timedelta(hours=2)), f"report.{company}.{day}", at)
            came = (at if status.is_delivered else None, ERRORS.get(status), status is Status.DELIVERED)
            rows.append((*named, *went, *came))
    with closing(sqlite3.connect(ledger, timeout=10)) as database, database:
        database.executemany(PAST_REPORT, rows)

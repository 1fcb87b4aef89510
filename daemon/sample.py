"""What the demo lives on: the sample leads and flights, moved in time to tonight, and its configuration."""

import csv
import gzip
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.data import data_file
from state.codec import from_json, to_pretty_json
from state.disk import write_atomically
from state.home import Home

CONFIG = "orchestrator_config.json"
ROSTER = "companies.json"
FLIGHTS = "flights.db"
# What fails: a job each time, and one company's report until somebody clears the way.
FAILING_JOB = "offsite-copy"
FAILING_COMPANY = "B6"
BLOCKED = "outbox"
# The newest of the sample leads is this old when the night begins.
NEWEST_LEAD = timedelta(hours=1)
# The sample's day whose flights are shown as today's; those of a week before stand beside them.
SAMPLE_DAY = date(2013, 1, 15)
WEEK = timedelta(days=7)

FACTS = """
WITH day AS (
  SELECT carrier, date, count(*) AS flights, sum(dep_delay IS NULL) AS cancelled,
    round(avg(dep_delay), 1) AS mean_departure_delay
  FROM flights WHERE date IN ($date, date($date, '-7 days')) GROUP BY carrier, date
)
SELECT now.carrier AS company, now.flights, before.flights AS flights_week_before,
  now.cancelled, before.cancelled AS cancelled_week_before,
  now.mean_departure_delay, before.mean_departure_delay AS mean_departure_delay_week_before
FROM day AS now
LEFT JOIN day AS before ON before.carrier = now.carrier AND before.date = date($date, '-7 days')
WHERE now.date = $date AND now.carrier IN (SELECT value FROM json_each($companies))
"""
WORST_ROUTES = """
WITH route AS (
  SELECT carrier AS company, origin || ' – ' || dest AS route, count(*) AS flights,
    sum(dep_delay IS NULL) AS cancelled, round(avg(dep_delay), 1) AS mean_departure_delay
  FROM flights WHERE date = $date AND carrier IN (SELECT value FROM json_each($companies))
  GROUP BY carrier, origin, dest
), ranked AS (
  SELECT *, row_number() OVER (
    PARTITION BY company ORDER BY mean_departure_delay DESC NULLS LAST, route
  ) AS place
  FROM route
)
SELECT company, route, flights, cancelled, mean_departure_delay
FROM ranked WHERE place <= 5 ORDER BY company, place
"""


def lay_out(home: Home, today: date) -> Path:
    """Write configuration, roster and flights into the demo's home; the path of the configuration."""
    config = home.folder / CONFIG
    write_atomically(config, to_pretty_json(demo_config()))
    write_atomically(home.folder / ROSTER, to_pretty_json(sample_companies()))
    load_flights(home.folder / FLIGHTS, today)
    return config


def demo_config() -> dict[str, Any]:
    """The shipped defaults, topics and reports that suit the sample, and one job that is bound to fail."""
    failing = [sys.executable, "-c", "raise SystemExit('backup.example.net: connection refused')"]
    return {
        "timezone": "UTC",
        "nightlyBatchSchedule": "0 23 * * *",
        "dailyReportSchedule": "0 5 * * *",
        "morningNotificationSchedule": "0 6 * * *",
        "digestNotificationChannel": "log",
        "draftScoreThreshold": 0.75,
        "scoring": {
            "topics": {"cron": 1, "report": 1, "alert": 1, "scheduler": 1, "backup": 0.8, "digest": 0.8}
        },
        "reports": {
            "companies": ROSTER,
            "deadline": "07:00",
            "source": {
                "type": "sqlite",
                "path": FLIGHTS,
                "facts": FACTS.strip(),
                "tables": {"Worst routes": WORST_ROUTES.strip()},
            },
        },
        "channels": {BLOCKED: {"type": "file", "folder": BLOCKED}},
        "schedules": {
            FAILING_JOB: {"command": failing, "cron": "30 2 * * *", "timeout": "1m", "maxAttempts": 3}
        },
    }


def sample_companies() -> list[dict[str, Any]]:
    """The sample's carriers, on the demo's clock; one has a channel of its own, the one that fails."""
    companies: list[dict[str, Any]] = from_json(data_file("examples/flights/companies.json").read_bytes())
    own = {FAILING_COMPANY: {"channel": BLOCKED}}
    return [{**it, "timezone": "UTC", **own.get(it["id"], {})} for it in companies]


def load_flights(path: Path, today: date) -> None:
    """Load the sample's day and the one a week before into a SQLite file, as if they were today's."""
    shift = today - SAMPLE_DAY
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE flights (date TEXT, carrier TEXT, origin TEXT, dest TEXT, dep_delay INT)"
        )
        database.executemany("INSERT INTO flights VALUES (?, ?, ?, ?, ?)", _flights(shift))


def sample_leads(now: datetime) -> list[dict[str, Any]]:
    """The sample leads, moved in time so that the newest is an hour old."""
    lines = data_file("examples/leads.jsonl").read_text("utf-8").splitlines()
    leads: list[dict[str, Any]] = [from_json(line) for line in lines if line.strip()]
    newest = max(lead.get("created_utc", 0) for lead in leads)
    shift = (now - NEWEST_LEAD).timestamp() - newest
    return [{**it, "created_utc": it["created_utc"] + shift} if "created_utc" in it else it for it in leads]


def _flights(shift: timedelta) -> Iterator[tuple[str, str, str, str, int | None]]:
    days = {day.isoformat(): (day + shift).isoformat() for day in (SAMPLE_DAY, SAMPLE_DAY - WEEK)}
    with gzip.open(data_file("examples/flights/flights.csv.gz"), "rt", encoding="utf-8", newline="") as file:
        for it in csv.DictReader(file):
            if it["date"] in days:
                delay = None if it["dep_delay"] == "NA" else int(it["dep_delay"])
                yield days[it["date"]], it["carrier"], it["origin"], it["dest"], delay

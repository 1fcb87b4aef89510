"""The bare ceiling of reports: a loop that renders the template, writes one row and one file, and no more.

It is written as one would without a second thought: facts in memory, the house's own HTML template and
prose, one row a report, committed and synced by itself, one plain file that nobody syncs. What it leaves
out: asking a source, the text and the JSON, a lease, an intent before the send, a copy that is kept.
"""

import sqlite3
import time
from datetime import UTC, date, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape

from benchmarks.reports_world import facts_of, id_of, name_of
from handlers.llm.base import Brief
from handlers.llm.template import template_prose
from handlers.reporting.base import Report
from handlers.reporting.render import HTML, TEMPLATES, View

KEPT = "CREATE TABLE sent (company TEXT, date TEXT, at TEXT, PRIMARY KEY (date, company)) WITHOUT ROWID"


def write(folder: str, count: int, warm: int) -> float:
    """Reports a second, after the first `warm`; called in a process of its own."""
    loader = FileSystemLoader(TEMPLATES)
    template = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True).get_template(HTML)
    connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(KEPT)
    day = datetime.now(UTC).date()
    for number in range(warm):
        _one(Path(folder), connection, template, number, day)
    began = time.perf_counter()
    for number in range(warm, warm + count):
        _one(Path(folder), connection, template, number, day)
    rate = count / (time.perf_counter() - began)
    connection.close()
    return rate


def _one(folder: Path, connection: sqlite3.Connection, template: Template, number: int, day: date) -> None:
    at = datetime.now(UTC)
    facts = facts_of(number, day)
    brief = Brief(company_id=id_of(number), company_name=name_of(number), date=day, facts=facts)
    report = Report(
        company_id=brief.company_id,
        company_name=brief.company_name,
        date=day,
        facts=facts,
        prose=template_prose(brief),
        rung="template",
        stable_id=f"report.{brief.company_id}.{day}",
        generated_at=at,
    )
    (folder / f"{brief.company_id}.html").write_text(template.render(view=View(report)), "utf-8")
    connection.execute(
        "INSERT INTO sent VALUES (?, ?, ?)", (brief.company_id, day.isoformat(), at.isoformat())
    )

"""Thousands of failures in a minute: few messages, the first of them soon, and no failure left unnamed."""

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime

import pytest

from tests.journeys.desk import NEVER, Desk
from tests.journeys.line_stand_in import Copy, switchboard
from tests.journeys.load import Line
from tests.journeys.mail_stand_in import mail_server

STORM_S = 60.0
FAILURES = 2800
TOLD_S = 90.0  # from the first failure: all in it
FIRST_S = 30.0
MOST_MESSAGES = 3

COMPANIES = '''"""A report for each company, and a source that has gone away."""

from daemon.context import Context
from daemon.engine.handler import HandlerError, handler


async def fail(ctx: Context) -> None:
    """Fail for good."""
    raise HandlerError(f"no figures for {ctx.task.handler}", permanent=True)


globals().update({f"report_{n}": handler(f"report-{n:04}", max_attempts=1)(fail) for n in range(HOW_MANY)})
'''


@pytest.mark.waits
def test_2800_failures_in_a_minute_are_a_few_messages_that_name_every_one(
    desk: Desk, record_property: Callable[[str, object], None]
) -> None:
    with switchboard() as board:
        mail = mail_server(board)
        write_companies(desk, FAILURES)
        desk.write_config(
            timezone="UTC",
            handlers=["companies"],
            heartbeatSchedule=NEVER,
            network={"allowPrivate": True},
            channels={"post": mail.entry},
            alerts={"receivers": {"oncall": ["post"]}, "routes": [{"receiver": "oncall"}]},
        )
        desk.start()
        jobs = [f"report-{number:04}" for number in range(FAILURES)]
        began_s = time.monotonic()
        fail_all(desk, jobs, STORM_S)
        desk.wait_for(
            "all of them", lambda: named(mail.line.copies) >= set(jobs), patience_s=TOLD_S - STORM_S
        )
        took_s = time.monotonic() - began_s

        copies = mail.line.copies
        first_at = datetime.fromisoformat(desk.alerts("task.failed")[0]["first_at"])
        first_s = (copies[0].at - first_at).total_seconds()
        record_property("storm", f"first after {first_s:.1f} s, {len(copies)} mails, all in {took_s:.1f} s")
        assert first_s <= FIRST_S
        assert len(copies) <= MOST_MESSAGES
        assert len({copy.id for copy in copies}) == len(copies)
        assert len({copy.thread for copy in copies}) == 1, "one storm is one incident"
        check_records(desk, jobs)


def check_records(desk: Desk, jobs: Iterable[str]) -> None:
    """What is listed, what is in the journal and what the incident's page counts are all of them."""
    listed = desk.does("alerts", "list", "--json").json
    assert {it["labels"]["handler"] for it in listed} == set(jobs)
    desk.wait_for(
        "the proof of all",
        lambda: not desk.rows("SELECT 1 FROM telling WHERE told_at IS NULL"),
    )
    lines = map(json.loads, (desk.home.logs / "alerts.jsonl").read_text("utf-8").splitlines())
    assert {it["labels"]["handler"] for it in lines if it["event"] == "fired"} == set(jobs)
    page = desk.does("alerts", "show", listed[0]["id"], "--json").json
    assert page["incidents"][0]["total"] == FAILURES


def write_companies(desk: Desk, how_many: int) -> None:
    folder = desk.folder / "companies"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "reports.py").write_text(COMPANIES.replace("HOW_MANY", str(how_many)))


def fail_all(desk: Desk, jobs: list[str], within_s: float) -> None:
    """Have the jobs fail one after the other, evenly spread."""
    began_s = time.monotonic()
    wait = threading.Event().wait
    with closing(Line(desk.home)) as line:
        for number, job in enumerate(jobs):
            post(line, job)
            wait(max(0.0, began_s + within_s * (number + 1) / len(jobs) - time.monotonic()))


def post(line: Line, job: str) -> None:
    line.request("POST", "/api/tasks", json.dumps({"handler": job}), {"Content-Type": "application/json"})
    answer = line.getresponse()
    said = answer.read()
    assert answer.status == http.client.ACCEPTED, said


def named(copies: Iterable[Copy]) -> set[str]:
    """The jobs that the mails name."""
    return {job for copy in copies for job in re.findall(r"report-\d{4}", copy.text)}

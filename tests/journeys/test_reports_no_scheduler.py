"""A daemon whose scheduler hangs from the first moment: the sweep serves all that is owed, and it is told."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.journeys.desk import Desk, zone_at_noon
from tests.journeys.line_stand_in import switchboard
from tests.journeys.mail_stand_in import mail_server
from tests.journeys.newsstand import Newsstand, program, shops

HANGS = (
    "import asyncio",
    "from daemon.engine.scheduler import Scheduler",
    "async def step(self): await asyncio.Event().wait()",
    "Scheduler.step = step",
)
# A real machine may be busy for this long; here nobody is, and it is looked at more often.
SOON_MISSED = (
    "from daemon.watch import loops",
    "loops.OVERDUE_S, loops.LOOK = 3.0, timedelta(seconds=1)",
    "from daemon.reports import sweep",
    "sweep.SWEEP_EVERY = timedelta(seconds=1)",
)


def test_without_a_scheduler_everybody_is_served_and_the_dead_loop_is_named(desk: Desk) -> None:
    zone = zone_at_noon()
    today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
    desk.within = program(*HANGS, *SOON_MISSED)
    with switchboard() as board:
        stand = Newsstand(desk, mail_server(board), shops(20), [today], zone=zone)
        # Due since the night, and each minute a run that nobody will start.
        stand.settings |= {"dailyReportSchedule": "0 5 * * *"}
        stand.settings |= {"schedules": {"again": {"handler": "daily-reports", "cron": "@every 1s"}}}
        stand.reports["deadline"] = "23:00"
        stand.settle()
        desk.start()
        desk.wait_for("all reports", lambda: stand.is_done)
        stand.reckon()
        desk.wait_for("the alert", lambda: desk.alerts("loop.dead"))
    dead = [(json.loads(it["labels"]), it["severity"]) for it in desk.alerts("loop.dead")]
    assert dead == [({"loop": "scheduler"}, "critical")]
    ran = {(it["handler"], it["trigger"]) for it in desk.does("--json", "history").json}
    assert ran == {("write-reports", "catch-up")}, ran
    late = stand.ledger("SELECT company_id FROM obligation WHERE delivered_at > deadline_at")
    assert late == []

"""A daemon that is killed at any moment of an alert: nothing is left untold, and nothing is told for ever."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tests.journeys.desk import NEVER, Desk
from tests.journeys.line_stand_in import Line, switchboard
from tests.journeys.three_stand_in import SECRET, fail
from tests.journeys.web_stand_in import webhook

SEED = int(os.environ.get("ALERT_KILL_SEED") or random.randrange(1 << 30))
KILLS = int(os.environ.get("ALERT_KILLS", "15"))
LATEST_S = 1.2  # of a kill after a failure: by then it is told, or held by the stand-in
SLOW_S = 0.2  # what an answer takes
TOLD_S = 30.0


def test_whenever_it_is_killed_every_failure_that_was_recorded_is_told(
    desk: Desk, record_property: Callable[[str, object], None]
) -> None:
    record_property("seed", SEED)
    chance = random.Random(SEED)
    with switchboard() as board:
        hook = webhook(board, SECRET)
        hook.answers_after_s = SLOW_S
        desk.environ |= {"HOOK": hook.url, "SECRET": SECRET}
        write_config(desk)
        killed = []
        for number in range(KILLS):
            desk.start()
            fail(desk, job(number))
            time.sleep(chance.uniform(0, LATEST_S))
            desk.kill()
            killed.append(datetime.now(UTC))
        desk.start()
        desk.wait_for("the last task", lambda: len(desk.alerts("task.failed")) == KILLS, patience_s=TOLD_S)
        desk.wait_for("all of them", lambda: not untold(desk), patience_s=TOLD_S)
        check_copies(hook.line, killed)
        assert hook.refused == []


def job(number: int) -> str:
    return f"job-{number:02}"


def write_config(desk: Desk) -> None:
    """Each job has a person of its own, so that nobody's message waits for an earlier one."""
    fails = {"command": ["false"], "cron": NEVER, "maxAttempts": 1}
    jobs = [job(number) for number in range(KILLS)]
    routes: list[dict[str, Any]] = [{"match": {"handler": name}, "receiver": name} for name in jobs]
    desk.write_config(
        timezone="UTC",
        heartbeatSchedule=NEVER,
        network={"allowPrivate": True},
        schedules=dict.fromkeys(jobs, fails),
        channels={"hook": {"type": "webhook", "url": "env:HOOK", "secret": "env:SECRET"}},
        alerts={"groupWait": "0s", "receivers": {name: ["hook"] for name in jobs}, "routes": routes},
    )


def untold(desk: Desk) -> list[str]:
    """The failures of which it is not known that somebody was told."""
    told = "SELECT 1 FROM telling WHERE alert_id = alert.id AND told_at IS NOT NULL"
    rows = desk.rows(f"SELECT summary FROM alert WHERE name = 'task.failed' AND NOT EXISTS ({told})")
    return [row["summary"] for row in rows]


def check_copies(line: Line, killed: Sequence[datetime]) -> None:
    """Each failure came with one id, and again only where a kill had taken the answer before."""
    for number in range(KILLS):
        copies = [copy for copy in line.copies if f"{job(number)} failed for good" in copy.text]
        ids = Counter(copy.id for copy in copies)
        assert len(ids) == 1, f"seed {SEED}: {job(number)} was told as {ids}"
        for before, after in pairwise(copies):
            assert any(before.at < at < after.at for at in killed), f"seed {SEED}: {job(number)} twice"

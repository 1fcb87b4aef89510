"""Nothing is reached for a while, and the daemon is killed in it: afterwards all is told, with its times."""

import time
from datetime import datetime

import pytest

from tests.journeys.desk import Desk
from tests.journeys.line_stand_in import Copy, Way
from tests.journeys.three_stand_in import Three, fail, three_channels

JOBS = ("payroll", "invoices", "backup-copy")
APART_S = 8.0  # between two failures, more than a first message waits for company
OUTAGE_S = 40.0
RECOVERY_S = 60.0


@pytest.mark.waits
@pytest.mark.parametrize("way", [Way.REFUSED, Way.SILENT], ids=str)
def test_what_happened_while_nothing_was_reached_is_told_within_a_minute_of_the_recovery(
    desk: Desk, way: Way
) -> None:
    with three_channels() as channels:
        channels.write_config(desk, jobs=JOBS)
        desk.start()
        channels.become(way)
        began_s = time.monotonic()
        for number, job in enumerate(JOBS):
            fail(desk, job)
            desk.wait_for("the alert", lambda number=number: len(desk.alerts("task.failed")) > number)  # type: ignore[misc]
            if number == 1:
                desk.kill()
                desk.start()
            time.sleep(APART_S)
        time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - began_s)))
        assert channels.copies == []
        assert len(owed(desk)) == 1, "one message at a time to one person"

        channels.become(Way.OPEN)
        desk.wait_for("all three", lambda: told_of(channels) == set(JOBS), patience_s=RECOVERY_S)
        check_times(desk, channels)
        desk.wait_for("an empty outbox", lambda: not owed(desk))
        listed = desk.does("alerts", "list", "--json").json
        assert {it["told"]["state"] for it in listed if it["severity"] == "error"} == {"delivered"}
        assert channels.refused == []


def told_of(channels: Three) -> set[str]:
    return {job for job in JOBS if channels.about(f"{job} failed for good")}


def check_times(desk: Desk, channels: Three) -> None:
    """Each alert is told with the second in which it happened, not the one in which it was told."""
    for row in desk.alerts("task.failed"):
        at = datetime.fromisoformat(row["first_at"])
        job = row["summary"].split()[0]
        shown = [copy for copy in channels.about(f"{job} failed for good") if holds_time(copy, at)]
        assert shown, f"{job} happened at {at}, and no message says so: {channels.copies}"


def holds_time(copy: Copy, at: datetime) -> bool:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" in copy.text


def owed(desk: Desk) -> list[dict[str, object]]:
    """The messages not proved to have arrived, as the state that jq reads shows them."""
    return [it for it in desk.state()["outbox"] if "receiver" in it]

"""A configuration that is changed while the daemon runs: taken as a whole, or not at all."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.journeys.desk import NEVER, Desk, zone_at_noon

TICK = {"command": ["true"], "cron": "@every 1s"}


def write_config(desk: Desk, schedules: dict[str, Any], **settings: Any) -> None:
    desk.write_config(**{"timezone": "UTC", "heartbeatSchedule": NEVER, **settings, "schedules": schedules})


def test_a_bad_file_changes_nothing_and_says_so_and_a_good_one_is_taken(desk: Desk) -> None:
    write_config(desk, {"tick": TICK})
    desk.start()
    desk.wait_for("a first tick", lambda: runs(desk, "tick"))

    desk.config.write_text(
        '{"timezone": "UTC",\n "schedules": {"tock": {"command": ["true"], "cron": "61 * * * *"}}}'
    )
    desk.reload()
    (alert,) = desk.wait_for("the alert of it", lambda: open_alerts(desk, "config.refused"))
    (problem,) = alert["details"]["problems"]
    assert problem.startswith(f"{desk.config}:2: schedules.tock.cron: ")
    before = runs(desk, "tick")
    desk.wait_for("the old schedule to go on", lambda: runs(desk, "tick") >= before + 2)
    assert "tock" not in desk.state()["schedules"]

    write_config(desk, {"tock": TICK})
    desk.reload()
    desk.wait_for("the new schedule to fire", lambda: runs(desk, "tock") >= 2)
    desk.wait_for("the end of the alert", lambda: not open_alerts(desk, "config.refused"))
    desk.wait_for("the old schedule to be gone", lambda: "tick" not in desk.state()["schedules"])
    assert desk.state()["schedules"]["tock"]["lastFiredAt"] is not None
    gone = runs(desk, "tick")
    more = runs(desk, "tock")
    desk.wait_for("more of the new one", lambda: runs(desk, "tock") >= more + 2)
    assert runs(desk, "tick") == gone
    desk.stop()


def test_what_only_a_restart_takes_is_said(desk: Desk) -> None:
    write_config(desk, {"tick": TICK})
    desk.start()
    write_config(desk, {"tick": TICK}, queue={"concurrency": 3})
    desk.reload()
    (hint,) = desk.wait_for("the hint", lambda: logged(desk, "config.needs-restart"))
    assert hint["keys"] == ["queue"]
    desk.stop()


def test_a_file_that_is_gone_or_half_written_keeps_the_old_config(desk: Desk) -> None:
    write_config(desk, {"tick": TICK})
    whole = desk.config.read_text()
    desk.start()
    for spoil, told in (
        (desk.config.unlink, "no such file"),
        (lambda: desk.config.write_text(whole[:40]), ":"),
    ):
        desk.wait_for("no alert", lambda: not open_alerts(desk, "config.refused"))
        spoil()
        desk.reload()
        (alert,) = desk.wait_for("the alert of it", lambda: open_alerts(desk, "config.refused"))
        assert told in alert["details"]["problems"][0]
        before = runs(desk, "tick")
        desk.wait_for("the schedule to go on", lambda before=before: runs(desk, "tick") > before)  # type: ignore[misc]
        desk.config.write_text(whole)
        desk.reload()
    desk.wait_for("the end of the alert", lambda: not open_alerts(desk, "config.refused"))
    desk.stop()


def test_a_change_of_zone_or_line_makes_no_slot_of_the_past(desk: Desk) -> None:
    def daily(hour: int) -> dict[str, Any]:
        return {"daily": {"command": ["true"], "cron": f"0 {hour} * * *"}}

    here = zone_at_noon()
    write_config(desk, daily(13), timezone=here)
    desk.start()
    # In each of these 13:00 of today, or the new hour, has just gone by; and once it lies ahead again.
    changes = [
        (daily(13), shifted(here, 3)),
        (daily(13), shifted(here, -3)),
        (daily(9), here),
        (daily(15), here),
    ]
    for schedules, zone in changes:
        write_config(desk, schedules, timezone=zone)
        desk.reload()
        line = (schedules["daily"]["cron"], zone)
        shown = desk.wait_for("the change", lambda line=line: adopted(desk, *line))  # type: ignore[misc]
        upcoming = datetime.fromisoformat(shown["nextFireAt"])
        assert datetime.now(UTC) < upcoming <= datetime.now(UTC) + timedelta(days=1)
    desk.kill()
    desk.start()
    desk.stop()
    assert [tuple(row) for row in desk.rows("SELECT * FROM slot WHERE schedule = 'daily'")] == []
    assert runs(desk, "daily") == 0


def test_options_and_channels_are_taken_and_work_in_flight_is_not_disturbed(desk: Desk) -> None:
    naps = {"naps": {"command": ["sleep", "2"], "cron": NEVER, "maxAttempts": 1}}
    write_config(desk, naps, draftScoreThreshold=0.75)
    desk.start()
    task = desk.does("trigger", "naps", "--json").json
    desk.wait_for("the task at work", lambda: executing(desk))
    write_config(desk, {**naps, "tick": TICK}, draftScoreThreshold=0.05)
    desk.reload()
    desk.wait_for("the new schedule to fire", lambda: runs(desk, "tick"))
    done = desk.client.get(f"/api/tasks/{task['id']}", {"wait": 10}, wait_s=10)
    assert (done["state"], done["attempt"]) == ("completed", 1)
    desk.does("items", "add", str(desk.write_leads({"id": "a", "title": "A", "score": 0.1})))
    made = desk.does("trigger", "nightly-batch", "--wait", "--json").json
    assert made["summary"]["markedForDraft"] == 1
    desk.stop()


def runs(desk: Desk, schedule: str) -> int:
    return int(desk.rows("SELECT count(*) FROM run WHERE schedule = ?", schedule)[0][0])


def executing(desk: Desk) -> bool:
    return bool(desk.rows("SELECT 1 FROM task WHERE state = 'executing'"))


def open_alerts(desk: Desk, name: str) -> list[dict[str, Any]]:
    """As the state that jq reads shows them."""
    return [it for it in desk.state()["alerts"] if it["name"] == name and it["resolvedAt"] is None]


def adopted(desk: Desk, cron: str, timezone: str) -> dict[str, Any] | None:
    """The schedule as the state shows it, once it has this line and zone."""
    shown: dict[str, Any] = json.loads(desk.home.state_file.read_bytes())["schedules"]["daily"]
    return shown if (shown["cron"], shown["timezone"]) == (cron, timezone) else None


def shifted(zone: str, hours: int) -> str:
    """The zone so many hours ahead of another of `zone_at_noon`."""
    ahead = hours - (0 if zone == "UTC" else int(zone.removeprefix("Etc/GMT")))
    ahead = (ahead + 11) % 24 - 11  # the zones there are reach from 11 hours behind to 12 ahead
    return "UTC" if ahead == 0 else f"Etc/GMT{-ahead:+d}"


def logged(desk: Desk, event: str) -> list[dict[str, Any]]:
    lines = map(json.loads, desk.home.log_file.read_text("utf-8").splitlines())
    return [line for line in lines if line["event"] == event]

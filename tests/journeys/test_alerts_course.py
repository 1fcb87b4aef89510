"""The course of an alert over each kind of channel: it is critical and told, it is over and that is told."""

from pathlib import Path
from typing import Any

import pytest

from tests.journeys.desk import NEVER, Desk
from tests.journeys.line_stand_in import Copy, Line, switchboard
from tests.journeys.mail_stand_in import mail_server
from tests.journeys.three_stand_in import SECRET
from tests.journeys.web_stand_in import discord, pagerduty, slack, webhook

KEY = "0123456789abcdef0123456789abcdef"
KINDS = ("slack", "smtp", "webhook", "discord", "pagerduty")
TOGETHER = "20s"  # so that three failures in a row are one message
TOLD_S = 40.0
OVER_S = 90.0  # the second message to somebody comes a minute after the first


def job(kind: str) -> str:
    return f"payroll-{kind}"


@pytest.mark.waits
def test_three_failures_in_a_row_are_critical_and_their_end_is_told_in_the_same_thread(desk: Desk) -> None:
    with switchboard() as board:
        room, post, hook = slack(board), mail_server(board), webhook(board, SECRET)
        guild, pager = discord(board), pagerduty(board)
        desk.environ |= {"ROOM": room.url, "HOOK": hook.url, "SECRET": SECRET, "GUILD": guild.url, "KEY": KEY}
        channels = {
            "slack": {"type": "slack", "url": "env:ROOM"},
            "smtp": post.entry,
            "webhook": {"type": "webhook", "url": "env:HOOK", "secret": "env:SECRET"},
            "discord": {"type": "discord", "url": "env:GUILD"},
            "pagerduty": {"type": "pagerduty", "routingKey": "env:KEY", "url": pager.url},
        }
        lines = dict(zip(KINDS, (room.line, post.line, hook.line, guild.line, pager.line), strict=True))
        repaired = desk.folder / "repaired"
        write_config(desk, channels, repaired)
        desk.start()
        for _ in range(3):
            run_all(desk, "discarded")
        desk.wait_for("a message on each", lambda: are_told(lines, 1), patience_s=TOLD_S)
        for kind, line in lines.items():
            assert "CRITICAL" in line.copies[0].text or '"critical"' in line.copies[0].text
            assert f"{job(kind)} has failed 3 times in a row" in line.copies[0].text

        repaired.touch()
        run_all(desk, "completed")
        desk.wait_for("the end on each", lambda: are_told(lines, 2), patience_s=OVER_S)
        for kind, line in lines.items():
            check_end(kind, line)
        assert [web.refused for web in (room, hook, guild, pager)] == [[], [], [], []]
        assert not desk.rows("SELECT 1 FROM alert WHERE resolved_at IS NULL")


def write_config(desk: Desk, channels: dict[str, Any], repaired: Path) -> None:
    works = {"command": ["test", "-e", str(repaired)], "cron": NEVER, "maxAttempts": 1}
    desk.write_config(
        timezone="UTC",
        heartbeatSchedule=NEVER,
        network={"allowPrivate": True},
        schedules={job(kind): works for kind in KINDS},
        channels=channels,
        alerts={
            "groupWait": TOGETHER,
            "receivers": {f"person-{kind}": [kind] for kind in KINDS},
            "routes": [{"match": {"handler": job(kind)}, "receiver": f"person-{kind}"} for kind in KINDS],
        },
    )


def run_all(desk: Desk, state: str) -> None:
    """Have each job run once, and end so."""
    for kind in KINDS:
        task = desk.client.post(f"/api/schedules/{job(kind)}/trigger", {})
        ended = desk.client.get(f"/api/tasks/{task['id']}", {"wait": 10}, wait_s=10)
        assert ended["state"] == state, ended


def are_told(lines: dict[str, Line], times: int) -> bool:
    return all(len(line.copies) >= times for line in lines.values())


def check_end(kind: str, line: Line) -> None:
    """Two messages, no more: the alert, and its end in the same thread."""
    fired, over = line.copies
    assert fired.id != over.id or kind == "pagerduty"
    assert (fired.thread, is_end(kind, over)) == (over.thread, True), f"{kind}: {over.text}"
    assert (fired.thread is not None) == (kind in ("smtp", "webhook", "pagerduty"))


def is_end(kind: str, copy: Copy) -> bool:
    """Whether it says that it is over, in words or in those of a pager."""
    if kind == "pagerduty":
        return bool(copy.whole.json["event_action"] == "resolve")
    return f"Over: {job(kind)} has failed 3 times in a row" in copy.text

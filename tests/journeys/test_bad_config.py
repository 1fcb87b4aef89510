"""What cannot be started is refused in the operator's words, and leaves no trace."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from state.seal import unseal
from tests.journeys.desk import Desk

MISTAKES = """{
  "timezone": "Berlin",
  "nightlyBatchSchedle": "0 23 * * *",
  "morningNotificationSchedule": "0 25 * * *",
  "draftScoreThreshold": "0.75",
  "slowBatchAfter": "30",
  "digestNotificationChannel": "slak",
  "handlers": ["handlers", "no_such_jobs"],
  "schedules": {
    "dump": {"command": ["true"], "cron": "*/90 * * * *"},
    "tidy": {"handler": "tidy-up", "cron": "0 3 * * *"},
    "slow": {"command": ["true"], "cron": "@daily", "timeout": "soon"}
  },
  "channels": {"team": {"type": "slack", "url": "env:HOOK_THAT_IS_NOT_SET"}},
  "queue": {"concurrency": 0}
}
"""
TOLD = {
    2: ("timezone", "Europe/Berlin"),
    3: ("nightlyBatchSchedle", 'did you mean "nightlyBatchSchedule"?'),
    4: ("morningNotificationSchedule", "hour"),
    5: ("draftScoreThreshold", "without quotes"),
    6: ("slowBatchAfter", "unit"),
    7: ("digestNotificationChannel", 'did you mean "slack"?'),
    8: ("handlers[1]", "no_such_jobs"),
    10: ("schedules.dump.cron", "90"),
    12: ("schedules.slow.timeout", "soon"),
    14: ("channels.team.url", "HOOK_THAT_IS_NOT_SET"),
    15: ("queue.concurrency", "out of range"),
}
WELL = {"timezone": "UTC", "schedules": {"tick": {"command": ["true"], "cron": "@every 1s"}}}


def test_all_mistakes_are_told_at_once_and_nothing_is_started_or_written(desk: Desk) -> None:
    desk.config.write_text(MISTAKES)
    before = everything_below(desk.folder)
    ended = desk.run("run")
    assert (ended.code, ended.out) == (78, "")
    lines = ended.err.splitlines()
    assert [re.match(rf"{re.escape(str(desk.config))}:\d+: \S+: .", line) is not None for line in lines] == [
        True
    ] * len(lines)
    told = {int(line.split(":")[1]): line for line in lines}
    for number, (key, meant) in TOLD.items():
        assert f":{number}: {key}: " in told[number]
        assert meant in told[number]
    assert not desk.home.folder.exists()
    assert everything_below(desk.folder) == before


@pytest.mark.parametrize("text", ['{"timezone": "UTC",\n', "", "[]", '{"a": 1}\x00'])
def test_a_file_that_is_no_config_is_refused_by_its_line(desk: Desk, text: str) -> None:
    desk.config.write_text(text)
    ended = desk.run("run")
    assert ended.code == 78
    assert ended.err.startswith(f"{desk.config}:")
    assert "Traceback" not in ended.err
    assert not desk.home.folder.exists()


def test_a_second_daemon_is_refused_and_the_first_goes_on(desk: Desk) -> None:
    desk.write_config(**WELL)
    desk.start()
    ended = desk.run("run")
    assert (ended.code, ended.out) == (75, "")
    assert f"held by process {desk.pid}" in ended.err
    before = ticks(desk)
    desk.wait_for("the first daemon's next ticks", lambda: ticks(desk) >= before + 2)
    assert desk.client.get("/api/status")["pid"] == desk.pid
    desk.stop()


def test_state_of_which_nothing_can_be_read_is_refused_and_kept(desk: Desk) -> None:
    leave_a_home(desk)
    for path in (desk.home.database, desk.home.state_file, desk.home.previous_state_file):
        path.write_bytes(bytes(path.stat().st_size))
    before = sorted(contents(desk))
    for _ in range(2):
        ended = desk.run("run")
        assert (ended.code, "Traceback" in ended.err) == (65, False), ended.err
        assert "none of it can be read" in ended.err
        # Perhaps under names with their time; but every byte is there, and nothing in their place.
        assert sorted(contents(desk)) == before
        assert not desk.home.control_socket.exists()


def test_the_state_of_a_newer_version_is_refused_and_left_as_it_is(desk: Desk) -> None:
    leave_a_home(desk)
    unseal(desk.home.database)  # as every version does before it writes
    with closing(sqlite3.connect(desk.home.database)) as connection:
        connection.execute("PRAGMA user_version=9999")
    before = {name: path.read_bytes() for name, path in kept_files(desk).items()}
    ended = desk.run("run")
    assert ended.code == 65
    assert "written by a newer nightdesk (schema 9999" in ended.err
    # What SQLite puts beside a database to read it is no change of it.
    assert {name: kept_files(desk)[name].read_bytes() for name in before} == before


def test_a_home_that_cannot_be_written_is_refused_with_its_name(desk: Desk) -> None:
    desk.write_config(**WELL)
    desk.home.folder.write_text("a file where the folder should be")
    ended = desk.run("run")
    assert (ended.code, "Traceback" in ended.err) == (1, False)
    assert str(desk.home.folder) in ended.err


def leave_a_home(desk: Desk) -> None:
    """Have a daemon live here for a while, and take its backups away."""
    desk.write_config(**WELL)
    desk.start()
    desk.wait_for("a tick", lambda: ticks(desk) >= 1)
    desk.wait_for("two saves", lambda: desk.home.previous_state_file.exists())
    desk.wait_for("a backup", lambda: list(desk.home.backups.glob("*.db")))
    desk.stop()
    for path in desk.home.backups.iterdir():
        path.unlink()


def ticks(desk: Desk) -> int:
    return int(desk.rows("SELECT count(*) FROM run WHERE schedule = 'tick'")[0][0])


def kept_files(desk: Desk) -> dict[str, Path]:
    """What there is of the state, by name; who holds the home, and whether it lives, is none of it."""
    passing = {desk.home.lock_file.name, desk.home.beat.name}
    files = (path for path in desk.home.folder.iterdir() if path.is_file())
    return {path.name: path for path in files if path.name not in passing}


def contents(desk: Desk) -> list[bytes]:
    return [path.read_bytes() for path in kept_files(desk).values()]


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))

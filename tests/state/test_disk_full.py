"""A disk that fills up: clear refusals, the old state whole, work again once there is room."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FULL = "StoreFull: the disk is full: nothing was stored; free some space and try again"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program saw on a full disk of its own."""
    disk = tmp_path_factory.mktemp("disk")
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    ran = subprocess.run(
        ["unshare", *as_root, "--mount", sys.executable, str(ROOT / "tests/state/full_disk.py"), str(disk)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, (
        "a full disk could not be tried: that takes root, or a kernel that lets users make namespaces"
        f" (kernel.unprivileged_userns_clone)\n{ran.stderr}"
    )
    seen: dict[str, Any] = json.loads(ran.stdout)
    return seen


def test_what_there_is_no_room_for_is_refused_with_a_clear_word(told: dict[str, Any]) -> None:
    assert told["refusals"] == [FULL]


def test_memory_and_disk_agree_while_it_is_full(told: dict[str, Any]) -> None:
    assert told["memory_is_disk"]
    known = {"task-0-1", "task-0-2", "task-0-3", *told["accepted_while_full"]}
    assert set(told["seen_while_full"]) == known


def test_the_state_file_stays_whole_and_the_save_says_why(told: dict[str, Any]) -> None:
    assert told["save"].startswith("OSError: [Errno 28]")
    assert told["state_file_whole"]


def test_a_backup_that_does_not_fit_is_refused_and_leaves_nothing(told: dict[str, Any]) -> None:
    assert told["backup"].startswith(("StoreFull", "OSError: [Errno 28]"))
    assert told["left_over"] == []


def test_all_works_again_once_there_is_room_and_nothing_accepted_is_lost(told: dict[str, Any]) -> None:
    accepted = {"task-0-1", "task-0-2", "task-0-3", "after", *told["accepted_while_full"]}
    assert set(told["tasks"]) == set(told["shown_after"]) == accepted


def test_a_start_on_a_full_disk_takes_nothing_for_damaged(told: dict[str, Any]) -> None:
    assert told["problems_when_full"] == []
    assert told["held_by_us"]
    assert told["start"].startswith(("StoreFull: the disk is full", "OSError: [Errno 28]"))
    assert told["problems_after"] == []
    assert told["nothing_changed"]


def test_an_older_database_is_left_as_it_is_until_there_is_room(told: dict[str, Any]) -> None:
    assert told["older"].startswith("the disk is full: ")
    assert told["older"].endswith("is as it was; make room for a copy of it and start again")
    assert told["older_unchanged"]
    assert told["older_after"] == 1

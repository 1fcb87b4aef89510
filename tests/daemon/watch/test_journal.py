"""The journal of alerts: whole lines, month by month, whatever the disk and the clock do."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.watch.journal import EVENTS_WAITING, KEPT, REPEATS_A_SECOND, Journal
from state.records import Severity
from tests.state.sample import make_alert

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 21, 21, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write(path: Path, *events: tuple[str, datetime], **kind: int) -> None:
    journal = Journal(path, **kind)
    for event, at in events:
        journal.add(event, at, alert=event)
    journal.close()


def names(path: Path) -> list[str]:
    return sorted(it.name for it in path.parent.iterdir())


def test_each_event_is_one_line_with_its_time_and_its_fields(path: Path) -> None:
    journal = Journal(path)
    journal.add("fired", NOW, alert="a-1", severity=Severity.ERROR, labels={"handler": "x"}, firstAt=NOW)
    journal.add("delivered", NOW + SECOND, alert="a-1", channel="ops", latency_s=1.5)
    journal.close()
    assert lines(path) == [
        {
            "at": "2026-11-21T21:00:00.000000Z",
            "event": "fired",
            "alert": "a-1",
            "severity": "error",
            "labels": {"handler": "x"},
            "firstAt": "2026-11-21T21:00:00Z",
        },
        {
            "at": "2026-11-21T21:00:01.000000Z",
            "event": "delivered",
            "alert": "a-1",
            "channel": "ops",
            "latency_s": 1.5,
        },
    ]
    assert path.stat().st_mode & 0o137 == 0


def test_who_has_nothing_to_say_leaves_no_file_and_no_thread(path: Path) -> None:
    write(path)
    assert names(path) == []


def test_a_later_journal_goes_on_where_the_one_before_ended(path: Path) -> None:
    for number in range(3):
        write(path, (f"e{number}", NOW))
    assert [it["event"] for it in lines(path)] == ["e0", "e1", "e2"]


def test_a_field_can_take_neither_the_time_nor_the_event(path: Path) -> None:
    journal = Journal(path)
    journal.add("fired", NOW, **{"event": "resolved", "at": "never", "name": "x.y"})
    journal.close()
    assert lines(path) == [{"at": "2026-11-21T21:00:00.000000Z", "event": "fired", "name": "x.y"}]


def test_a_record_is_written_as_the_state_shows_it(path: Path) -> None:
    journal = Journal(path)
    journal.add("fired", NOW, alert=make_alert("a", NOW))
    journal.close()
    assert lines(path)[0]["alert"]["firstAt"] == "2026-11-21T21:00:00Z"


@pytest.mark.parametrize("value", ["\ud800", 2**80, {"a": "\udfff"}], ids=["half", "big", "nested"])
def test_what_no_json_can_hold_costs_the_field_and_not_the_line(path: Path, value: Any) -> None:
    journal = Journal(path)
    journal.add("fired", NOW, value=value)
    journal.add("resolved", NOW, odd=Path("/x"))
    journal.close()
    first, second = lines(path)
    assert first["event"] == "fired"
    assert "cannot be written as JSON" in first["leftOut"]
    assert second["odd"] == "/x"


def test_a_storm_is_written_whole_in_its_order(path: Path) -> None:
    journal = Journal(path)
    for number in range(2800):
        journal.add("fired", NOW, alert=number)
    journal.close()
    assert [it["alert"] for it in lines(path)] == list(range(2800))


def test_of_repeats_a_few_a_second_are_kept_and_the_rest_is_counted(path: Path) -> None:
    journal = Journal(path)
    for _ in range(REPEATS_A_SECOND + 90):
        journal.add("repeated", NOW, alert="a")
    journal.add("fired", NOW, alert="b")
    for _ in range(REPEATS_A_SECOND + 1):
        journal.add("repeated", NOW + SECOND, alert="a")
    journal.close()
    told = [(it["event"], it.get("events")) for it in lines(path)]
    kept = [("repeated", None)] * REPEATS_A_SECOND
    assert told == [*kept, ("fired", None), ("left-out", 90), *kept, ("left-out", 1)]
    assert {it["of"] for it in lines(path) if it["event"] == "left-out"} == {"repeated"}


def test_what_a_slow_disk_cannot_keep_up_with_is_counted_and_nobody_waits(path: Path) -> None:
    total = 3 * EVENTS_WAITING
    os.mkfifo(path)  # a disk that takes 64 KiB, and then nothing until somebody reads
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    journal = Journal(path)
    began = time.monotonic()
    for number in range(total):
        journal.add("fired", NOW, alert=number, text="x" * 100)
    took_s = time.monotonic() - began
    closing = threading.Thread(target=journal.close)
    closing.start()
    written = bytearray()
    is_over = False
    while not is_over:
        is_over = not closing.is_alive()
        with suppress(BlockingIOError):
            while True:
                written += os.read(pipe, 1 << 20)
        closing.join(0.01)
    os.close(pipe)
    told = [json.loads(line) for line in written.splitlines()]
    fired = [it["alert"] for it in told if it["event"] == "fired"]
    assert took_s < 3
    assert EVENTS_WAITING <= len(fired) < total
    assert fired == sorted(fired)
    assert len(fired) + sum(it["events"] for it in told if it["event"] == "left-out") == total


def test_a_full_disk_is_told_once_and_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(Path("/dev/full"))
    for number in range(3):
        journal.add("fired", NOW + number * SECOND)
        wait_for(lambda: journal._pages._missing == number + 1)  # noqa: B023 - it is asked at once
    journal.close()
    refused = [it for it in caplog.records if it.message == "journal.refused"]
    assert [it.levelname for it in refused] == ["ERROR"]
    assert refused[0].fields["error"] == "No space left on device"  # type: ignore[attr-defined]


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once the thread has come so far."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_once_there_is_room_again_it_is_said_how_much_is_missing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = path.parent / "not there yet" / path.name
    journal = Journal(path)
    for _ in range(5):
        journal.add("fired", NOW)
    wait_for(lambda: journal._pages._missing == 5)
    path.parent.mkdir()
    journal.add("resolved", NOW + SECOND)
    journal.close()
    assert [(it["event"], it.get("events")) for it in lines(path)] == [("left-out", 5), ("resolved", None)]
    assert [it.message for it in caplog.records] == ["journal.refused", "journal.resumed"]


def test_where_only_half_a_write_fits_no_half_line_is_left(path: Path) -> None:
    program = f"""
import resource
from datetime import UTC, datetime
from pathlib import Path
from daemon.watch.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
journal = Journal(Path({str(path)!r}))
for number in range(40):
    journal.add("fired", datetime(2026, 11, 21, tzinfo=UTC), alert=number)
    while journal._waiting.qsize():
        pass
journal.close()
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
    assert [it["alert"] for it in lines(path)] == list(range(len(lines(path))))
    assert 0 < len(lines(path)) < 40
    assert path.read_bytes().endswith(b"}\n")


def test_a_line_that_was_cut_off_is_left_and_the_next_one_is_whole(path: Path) -> None:
    path.write_bytes(b'{"at":"2026-11-21T20:59:59.000000Z","event":"fired"}\n{"at":"2026-11-21T20:5')
    write(path, ("resolved", NOW))
    first, cut, last = path.read_bytes().splitlines()
    assert json.loads(first)["event"] == "fired"
    assert cut == b'{"at":"2026-11-21T20:5'
    assert json.loads(last)["event"] == "resolved"


def test_a_kill_costs_only_what_was_not_written_yet(path: Path) -> None:
    program = f"""
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from daemon.watch.journal import Journal
journal, number = Journal(Path({str(path)!r})), 0
print("begun", flush=True)
while True:
    journal.add("fired", datetime(2026, 11, 21, tzinfo=UTC), alert=number)
    number += 1
    if number % 50 == 0:
        time.sleep(0.005)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        deadline = time.monotonic() + 30
        while not (path.exists() and path.stat().st_size > 100_000) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    whole = path.read_bytes().splitlines(keepends=True)
    if not whole[-1].endswith(b"\n"):
        whole.pop()
    assert [json.loads(line)["alert"] for line in whole] == list(range(len(whole)))
    write(path, ("after", NOW))
    assert json.loads(path.read_bytes().splitlines()[-1])["event"] == "after"


def test_a_new_month_begins_a_new_page(path: Path) -> None:
    ends = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    write(path, ("a", NOW), ("b", ends), ("c", ends + SECOND), ("d", ends + 32 * DAY))
    assert names(path) == ["alerts-2026-11.jsonl", "alerts-2026-12.jsonl", "alerts.jsonl"]
    pages = [[it["event"] for it in lines(path.with_name(name))] for name in names(path)]
    assert pages == [["a", "b"], ["c"], ["d"]]


def test_the_month_of_a_page_is_known_after_a_restart(path: Path) -> None:
    write(path, ("a", NOW))
    write(path, ("b", NOW + 30 * DAY))
    assert names(path) == ["alerts-2026-11.jsonl", "alerts.jsonl"]
    assert [it["event"] for it in lines(path.with_name("alerts-2026-11.jsonl"))] == ["a"]


@pytest.mark.parametrize("content", [b"garbage\n", b"[]\n", b'{"at":"noon"}\n', b"\xff"], ids=ascii)
def test_a_page_that_does_not_say_when_it_began_is_taken_by_its_own_time(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (0, datetime(2026, 9, 5, tzinfo=UTC).timestamp()))
    write(path, ("a", NOW))
    assert names(path) == ["alerts-2026-09.jsonl", "alerts.jsonl"]
    assert path.with_name("alerts-2026-09.jsonl").read_bytes() == content


def test_a_page_that_is_full_is_put_aside_under_the_next_number(path: Path) -> None:
    for number in range(4):
        write(path, (f"e{number}", NOW), largest=50)
    older = ["alerts-2026-11-2.jsonl", "alerts-2026-11-3.jsonl", "alerts-2026-11.jsonl"]
    assert names(path) == [*older, "alerts.jsonl"]
    assert [lines(path.with_name(name))[0]["event"] for name in older] == ["e1", "e2", "e0"]


def test_a_number_is_not_given_twice_when_the_pages_before_it_are_gone(path: Path) -> None:
    path.with_name("alerts-2026-11-7.jsonl").write_bytes(b"kept\n")
    write(path, ("a", NOW))
    write(path, ("b", NOW), largest=10)
    assert names(path) == ["alerts-2026-11-7.jsonl", "alerts-2026-11-8.jsonl", "alerts.jsonl"]


def test_a_clock_that_is_put_back_over_the_end_of_a_month_begins_no_page(path: Path) -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    write(path, ("a", midnight), ("b", midnight - SECOND), ("c", midnight))
    assert names(path) == ["alerts.jsonl"]
    assert [it["event"] for it in lines(path)] == ["a", "b", "c"]


def test_pages_are_kept_for_400_days_and_then_removed(path: Path) -> None:
    foreign = ("alerts-old.jsonl", "alerts-2020-01.txt", "alerts-2020-1.jsonl")
    for name in ("alerts-2025-09.jsonl", "alerts-2025-09-2.jsonl", "alerts-2025-10.jsonl", *foreign):
        path.with_name(name).write_bytes(b"{}\n")
    last = datetime(2025, 10, 1, tzinfo=UTC) + KEPT
    write(path, ("a", last - SECOND))
    assert "alerts-2025-09.jsonl" in names(path)
    write(path, ("b", last))
    assert [name for name in names(path) if name not in foreign] == [
        "alerts-2025-10.jsonl",
        "alerts-2026-11.jsonl" if last.month != 11 else "alerts.jsonl",
    ]
    assert set(foreign) <= set(names(path))


def test_a_daemon_that_runs_on_removes_what_has_become_too_old_each_day(path: Path) -> None:
    old = path.with_name("alerts-2025-10.jsonl")
    old.write_bytes(b"{}\n")
    last = datetime(2025, 11, 1, tzinfo=UTC) + KEPT
    journal = Journal(path)
    for at in (last - DAY, last - SECOND):
        journal.add("a", at)
        wait_for(lambda: journal._pages._swept == at.date())  # noqa: B023 - it is asked at once
        assert old.exists()
    journal.add("b", last)
    journal.close()
    assert not old.exists()


def test_a_file_that_somebody_moves_away_is_begun_anew(path: Path) -> None:
    journal = Journal(path)
    journal.add("a", NOW)
    wait_for(lambda: path.exists() and path.stat().st_size > 0)
    path.rename(path.with_name("moved"))
    journal.add("b", NOW)
    journal.close()
    assert [it["event"] for it in lines(path)] == ["b"]


def test_a_link_in_its_place_is_not_followed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = path.with_name("somebody else's")
    target.write_bytes(b"")
    path.symlink_to(target)
    write(path, ("a", NOW))
    assert target.read_bytes() == b""
    assert [it.message for it in caplog.records] == ["journal.refused"]


def test_what_is_added_after_the_end_is_not_written(path: Path) -> None:
    journal = Journal(path)
    journal.add("a", NOW)
    journal.close()
    journal.close()
    journal.add("b", NOW)
    assert [it["event"] for it in lines(path)] == ["a"]

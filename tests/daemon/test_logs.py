"""The log: valid lines whatever is logged, bounded whatever happens, and never in the daemon's way."""

import json
import logging
import queue
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.logs import LINES_A_SECOND, ForPeople, Hurried, JsonLines, PerEvent, writing_logs

log = logging.getLogger("tests.logs")


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().rstrip("\n").split("\n")]


def logged(path: Path, *calls: Callable[[], None]) -> list[dict[str, Any]]:
    """Make log calls with the log written to a file, and read it."""
    with writing_logs(path, to_stderr=False, environ={}):
        for call in calls:
            call()
    return written(path)


def told(event: Any, /, *args: Any, level: int = logging.INFO, **fields: Any) -> Callable[[], None]:
    return lambda: log.log(level, event, *args, extra={"fields": fields})


def test_a_line_says_when_how_grave_which_event_and_its_fields(tmp_path: Path) -> None:
    [line] = logged(tmp_path / "log", told("task.retryable", level=logging.WARNING, attempt=2, wait_s=3.5))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("at"))
    assert line == {
        "severity": "WARNING",
        "event": "task.retryable",
        "logger": "tests.logs",
        "attempt": 2,
        "wait_s": 3.5,
    }


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR", "CRITICAL"])
def test_severities_are_capitals_that_grep_finds(tmp_path: Path, level: str) -> None:
    logged(tmp_path / "log", told("x", level=getattr(logging, level)))

    assert f'"severity":"{level}"' in (tmp_path / "log").read_text()


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


@pytest.mark.parametrize(
    "value",
    [
        'quote " and \\ backslash',
        "line\nbreak\r\n and \u2028 and \x00 and \x1b[2J",
        "half a pair \ud800",
        "x" * 1_000_000,
        2**70,
        float("nan"),
        float("inf"),
        b"\xff\x00",
        datetime(2026, 11, 21, tzinfo=UTC),
        {"a": [1, {2, 3}], 4: object()},
        Path("/tmp"),
        Mute(),
        ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_hostile_values_make_one_valid_line(tmp_path: Path, value: Any) -> None:
    [line, after] = logged(tmp_path / "log", told("x", value=value, other="kept"), told("after"))

    assert line["other"] == "kept"
    assert "value" in line
    assert after["event"] == "after"
    assert len(json.dumps(line)) < 50_000


def test_a_field_cannot_take_the_place_of_what_is_always_there(tmp_path: Path) -> None:
    [line] = logged(tmp_path / "log", told("x", severity="CRITICAL", event="y", at="never", logger="z"))

    assert (line["severity"], line["event"], line["logger"]) == ("INFO", "x", "tests.logs")
    assert line["at"] != "never"


@pytest.mark.parametrize(
    ("message", "args", "event"),
    [
        ("of a library: %s of %d", ("a", 2), "of a library: a of 2"),
        ({"a": "mapping"}, (), "{'a': 'mapping'}"),
        (["a list"], (), "['a list']"),
        ("half a pair \ud800", (), "half a pair \\ud800"),
    ],
)
def test_what_libraries_log_is_kept(tmp_path: Path, message: Any, args: tuple[Any, ...], event: str) -> None:
    [line] = logged(tmp_path / "log", told(message, *args))

    assert line["event"] == event


@pytest.mark.parametrize(
    ("message", "args"), [("%d does not fit", ("x",)), ("%s %s", ("x",)), ("none", ("x",)), ("%(a)s", ({},))]
)
def test_placeholders_that_do_not_fit_cost_no_line(message: str, args: tuple[Any, ...]) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, message, args, None)

    assert json.loads(JsonLines().format(record))["event"] == f"{message} {record.args!r}"


def test_an_exception_is_kept_with_its_traceback(tmp_path: Path) -> None:
    def fail() -> None:
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("loop.failed")

    [line] = logged(tmp_path / "log", fail)

    assert line["severity"] == "ERROR"
    assert line["traceback"].startswith("Traceback")
    assert line["traceback"].endswith("ValueError: no")


def test_a_rotation_is_followed(tmp_path: Path) -> None:
    path, rotated = tmp_path / "log", tmp_path / "log.1"
    with writing_logs(path, to_stderr=False, environ={}):
        log.info("before")
        wait_until(lambda: path.exists() and "before" in path.read_text())
        path.rename(rotated)
        log.info("after")

    assert [line["event"] for line in written(rotated)] == ["before"]
    assert [line["event"] for line in written(path)] == ["after"]


def test_a_folder_that_vanishes_costs_lines_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "logs" / "log"
    path.parent.mkdir()
    with writing_logs(path, to_stderr=False, environ={}):
        log.info("before")
        wait_until(lambda: path.exists() and "before" in path.read_text())
        shutil.rmtree(path.parent)
        for _ in range(3):
            log.info("lost")

    assert capsys.readouterr().err.count("cannot write") == 1


def test_a_flood_of_one_event_is_limited_counted_and_hides_no_other(tmp_path: Path) -> None:
    calls = [told("flood")] * 1000 + [told("other")]
    records = [line["event"] for line in at_one_instant(tmp_path, calls)]

    assert records.count("flood") == LINES_A_SECOND
    assert records.count("other") == 1
    [told_of] = [line for line in written(tmp_path / "log") if line["event"] == "log.suppressed"]
    assert (told_of["of"], told_of["lines"]) == ("flood", 1000 - LINES_A_SECOND)


def test_what_is_critical_is_never_left_out(tmp_path: Path) -> None:
    records = at_one_instant(tmp_path, [told("x", level=logging.CRITICAL)] * 500)

    assert len([line for line in records if line["event"] == "x"]) == 500


def test_a_flood_of_ever_new_events_is_not_remembered_for_ever() -> None:
    limit = PerEvent(lambda record: None)
    for second in range(100):
        for n in range(50):
            record = logging.LogRecord("x", logging.INFO, "", 0, f"event {second} {n}", None, None)
            record.created = second
            limit.filter(record)

    assert len(limit._seen) == 50


def at_one_instant(tmp_path: Path, calls: list[Callable[[], None]]) -> list[dict[str, Any]]:
    """Make log calls within one second of the clock, whichever second that is."""
    while time.time() % 1 > 0.5:
        time.sleep(0.01)
    return logged(tmp_path / "log", *calls)


def test_a_writer_that_cannot_keep_up_drops_counts_and_says_so() -> None:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(2)
    hurried = Hurried(waiting)

    def hand_over(event: str) -> None:
        hurried.handle(logging.LogRecord("x", logging.INFO, "", 0, event, None, None))

    for n in range(5):
        hand_over(f"event {n}")
    assert hurried.dropped == 3
    taken = [waiting.get_nowait().msg for _ in range(2)]
    hand_over("after")

    note = waiting.queue[-1]
    assert taken == ["event 0", "event 1"]
    assert (note.msg, note.fields) == ("log.dropped", {"lines": 3})
    assert hurried.dropped == 0


def test_a_log_whose_queue_is_full_can_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.logs.LINES_WAITING", 5)
    for _ in range(20):
        logged(tmp_path / "log", *[told(f"event {n}") for n in range(200)])

    assert written(tmp_path / "log")


def test_a_full_disk_neither_raises_nor_is_kept_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")

    with writing_logs(path, to_stderr=False, environ={}):
        for n in range(2000):
            log.info("x", extra={"fields": {"n": n, "text": "y" * 1000}})

    assert capsys.readouterr().err.count("No space left on device") == 1


def test_the_log_is_put_back_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))

    logged(tmp_path / "log", told("x"))

    assert (root.level, list(root.handlers)) == before


# For people


def shown(event: Any, *, is_journal: bool = False, level: int = logging.WARNING, **fields: Any) -> str:
    record = logging.LogRecord("x", level, "", 0, event, None, None)
    record.fields = fields
    return ForPeople(is_journal=is_journal).format(record)


def test_a_person_sees_the_time_the_severity_the_event_and_its_fields() -> None:
    line = shown("task.retryable", attempt=2, reason="no room")

    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING  task\.retryable attempt=2 reason=no room", line)


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)],
)
def test_the_journal_is_told_the_priority(level: int, priority: int) -> None:
    assert shown("x", is_journal=True, level=level, n=1) == f"<{priority}>x n=1"


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r<0>b", "a\x1b[2Jb", "a\u2028b", "a\x9bb", "a\ud800b", "y" * 9999]
)
def test_neither_terminal_nor_journal_can_be_fooled(text: str) -> None:
    for line in (shown(text), shown("x", text=text), shown("x", nested={"k": [text]}, is_journal=True)):
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        assert len(line) < 400
        line.encode()


@pytest.mark.parametrize("value", [2**70, Mute(), {"a": {"b": Mute()}}], ids=["large", "mute", "inside"])
def test_what_has_no_text_costs_a_person_no_line(value: Any) -> None:
    assert shown("x", value=value).split("x", 1)[1].startswith(" value=")


def test_the_format_of_a_line_is_one_object_a_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "a\nb", None, None)

    assert json.loads(JsonLines().format(record))["event"] == "a\nb"
    assert "\n" not in JsonLines().format(record)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about in 5 s")

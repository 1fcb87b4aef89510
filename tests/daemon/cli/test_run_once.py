"""`nightdesk run-once` with handlers that put themselves off, last, break, or are cut off."""

import json
import signal
import subprocess
from typing import Any

import pytest

HANDLERS = '''
import asyncio
from pathlib import Path

from daemon.engine.handler import Done, Snooze, handler


@handler("put-off")
async def put_off(ctx):
    """Not yet."""
    return Snooze(minutes=5, reason="the data is not there yet")


@handler("first-slow")
async def first_slow(ctx):
    """Lasts, but only the first time."""
    mark = Path(ctx.task.args["mark"])
    if not mark.exists():
        mark.touch()
        await asyncio.sleep(60)
    return Done()


@handler("breaks")
async def breaks(ctx):
    """Breaks."""
    raise ValueError("two\\nlines \\x1b[31m")
'''


@pytest.fixture
def own(desk: Any) -> Any:
    """A desk with handlers of its user's."""
    (desk.folder / "own_handlers.py").write_text(HANDLERS)
    desk.config.write_text(json.dumps({"handlers": ["handlers", "own_handlers"]}))
    return desk


def test_a_handler_that_puts_itself_off_is_left_to_the_daemon(own: Any) -> None:
    ended = own.run("run-once", "put-off")
    assert ended.code == 1
    assert ended.out == "put-off: scheduled: the data is not there yet\n"
    assert "a daemon takes it up then" in ended.err


def test_a_handler_that_breaks_is_told_on_one_line_and_without_escapes(own: Any) -> None:
    ended = own.run("run-once", "breaks")
    assert (ended.code, ended.out) == (1, "breaks: discarded: ValueError: two lines \ufffd[31m\n")


@pytest.fixture
def cut_off(own: Any, until: Any) -> Any:
    """Starts `first-slow` with a key, and ends its process by a signal in the middle of it."""

    def cut(how: signal.Signals) -> tuple[int, str]:
        mark = own.folder / "mark"
        argv = ("run-once", "first-slow", "--key", "k", "--arg", f"mark={mark}")
        with own.process(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            until(mark.exists)
            process.send_signal(how)
            _, err = process.communicate(timeout=30)
        return process.returncode, err

    return cut


def test_a_run_that_was_killed_is_taken_up_by_the_same_key(own: Any, cut_off: Any) -> None:
    assert cut_off(signal.SIGKILL)[0] == -signal.SIGKILL
    again = own.run("run-once", "first-slow", "--key", "k", "--json")
    assert (again.code, again.json["state"], again.json["duplicate"]) == (0, "completed", True)


def test_a_run_that_is_interrupted_ends_without_a_traceback(own: Any, cut_off: Any) -> None:
    code, err = cut_off(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err
    assert own.run("state", "verify").code == 0

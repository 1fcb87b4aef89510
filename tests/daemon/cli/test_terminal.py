"""What is seen at a terminal, and only there: progress, colours, tables as wide as it is."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

ROOT = str(Path(__file__).parents[3])
ERASE = "\r\x1b[K"


def seen_at_a_terminal(desk: Any, *argv: str, columns: int = 60, **environ: str) -> str:
    """What a terminal of this width is sent, by stdout and stderr together."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon", *argv, "--config", str(desk.config)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"PYTHONPATH": ROOT, "TERM": "xterm", "PATH": os.environ["PATH"], **environ},
    )
    os.close(theirs)
    seen = b""
    while piece := _read(ours):
        seen += piece
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return seen.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what Linux answers once the other side is closed
        return b""


def test_progress_is_shown_and_erased_at_the_end(desk: Any) -> None:
    leads = desk.write_leads({"id": "a", "title": "A"})
    seen = seen_at_a_terminal(desk, "items", "add", str(leads))
    assert f"{ERASE}storing 1 leads" in seen
    assert seen.endswith(f"{ERASE}1 leads added\n")


def test_alerts_have_colours_at_a_terminal_and_none_with_no_color(desk: Any) -> None:
    desk.run("run-once", "nightly-batch")
    assert "\x1b[33mwarning" in seen_at_a_terminal(desk, "alerts", "list")
    assert "\x1b[" not in seen_at_a_terminal(desk, "alerts", "list", NO_COLOR="1")
    assert "\x1b[" not in desk.run("alerts", "list").out


def test_a_table_fits_the_terminal_and_is_whole_elsewhere(desk: Any) -> None:
    title = "looking for a tool " * 4
    desk.run("items", "add", str(desk.write_leads({"id": "a", "title": title})))
    table = seen_at_a_terminal(desk, "items", "list", columns=50).splitlines()[-2:]
    assert max(map(len, table)) <= 50
    assert table[1].endswith("…")
    assert title.strip() in desk.run("items", "list").out

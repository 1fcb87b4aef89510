"""The second process as it is called: it holds the standard library alone, and does its errands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.watch.beat import beating
from state.home import Home, locked
from tests.journeys.slack_stand_in import slack_stand_in

ROOT = Path(__file__).parents[3]
# What is loaded is told at the end, by the process itself.
LOADED = """
import atexit, sys
sys.argv = ["watchdog", "--test", "--config", sys.argv[1]]
from daemon.watchdog import __main__ as program
from daemon.watchdog import process
from daemon.watchdog.senders import SENDERS, open_sender
from pkgutil import resolve_name
for sender in SENDERS.values():
    resolve_name(sender)
code = program.main(sys.argv[1:], {"ALERT": "1"})
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(code, *[name for name, file in files.items() if file and "site-packages" in file])
print(*sorted(name for name in files if name.split(".")[0] in ("daemon", "state", "handlers")))
"""


def call(*argv: str, folder: Path, flags: tuple[str, ...] = (), **environ: str) -> tuple[int, str, str]:
    """Run it to its end, without any site-packages: nothing that is installed could be loaded."""
    done = subprocess.run(
        [sys.executable, "-S", "-P", *flags, "-m", "daemon.watchdog", *argv],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def write_config(folder: Path, url: str, **more: object) -> Path:
    config = {"channels": {"ops": {"type": "slack", "url": url}}, "network": {"allowPrivate": True}, **more}
    (folder / "orchestrator_config.json").write_text(json.dumps(config))
    return folder / "orchestrator_config.json"


def test_it_loads_nothing_but_the_standard_library_and_a_few_of_our_own(tmp_path: Path) -> None:
    with slack_stand_in() as slack:
        config = write_config(tmp_path, slack.url)
        done = subprocess.run(
            [sys.executable, "-P", "-c", LOADED, str(config)],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert slack.refused == []
    said, foreign, ours = done.stdout.splitlines()
    assert (said, done.stderr) == ("ops  ok  200", "")
    # Editable installs bring hooks of their own, which every Python here loads at its start.
    assert [it for it in foreign.split() if not it.startswith(("_", "distutils"))] == ["0"]
    rooms = {name for name in ours.split() if not name.startswith("daemon.watchdog")}
    assert rooms == {
        "daemon",
        "daemon.clock",
        "daemon.durations",
        "daemon.loops",
        "daemon.secret",
        "daemon.watch",
        "daemon.watch.beat",
        "daemon.watch.systemd",
        "state",
        "state.disk",
        "state.home",
    }


def test_once_says_how_it_is(tmp_path: Path) -> None:
    write_config(tmp_path, "http://127.0.0.1:9/x", watchdog={"hungAfter": "3s"})
    home = Home(tmp_path / "var", tmp_path / "var/logs")
    code, said, _ = call("--once", folder=tmp_path)
    assert (code, said) == (1, f"the daemon was never started: there is no beat in {home.folder}\n")

    with locked(home), beating(home.beat, SystemClock()):
        code, said, _ = call("--once", folder=tmp_path)
        assert (code, said.startswith(f"running, process {os.getpid()}, last beat ")) == (0, True)
    code, said, _ = call("--once", folder=tmp_path)
    assert (code, said.startswith("stopped, process")) == (0, True)

    with locked(home), pytest.raises(ZeroDivisionError), beating(home.beat, SystemClock()):
        raise ZeroDivisionError
    code, said, _ = call("--once", folder=tmp_path)
    assert (code, said.startswith("the daemon is gone: running, process")) == (1, True)


def test_it_becomes_itself_when_called_by_the_program(tmp_path: Path) -> None:
    write_config(tmp_path, "http://127.0.0.1:9/x")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    for argv in (["watchdog", "--once"], ["--json", "--home", str(tmp_path / "other"), "watchdog", "--once"]):
        done = subprocess.run(
            [sys.executable, "-m", "daemon", *argv],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        home = tmp_path / ("other" if "--home" in argv else "var")
        told = f"the daemon was never started: there is no beat in {home}"
        wanted = json.dumps({"ok": False, "detail": told}) if "--json" in argv else told
        assert (done.returncode, done.stdout, done.stderr) == (1, f"{wanted}\n", "")


def test_a_test_goes_over_every_channel_and_names_the_one_that_failed(tmp_path: Path) -> None:
    with slack_stand_in() as slack:
        channels = {
            "ops": {"type": "slack", "url": slack.url},
            "down": {"type": "slack", "url": "http://127.0.0.1:9/CANARY"},
        }
        write_config(tmp_path, slack.url, channels=channels)
        code, said, log = call("--test", folder=tmp_path)
        assert "the watchdog can be heard here" in slack.posts[0]["text"]
        rows = json.loads(call("--test", "--json", folder=tmp_path)[1])
    assert [(row["channel"], row["ok"]) for row in rows] == [("ops", True), ("down", False)]
    assert (code, said) == (1, "ops  ok  200\ndown  FAILED  127.0.0.1: no answer (ConnectionRefusedError)\n")
    assert "CANARY" not in said + log


def test_a_unit_that_failed_is_told_with_what_systemd_knows(tmp_path: Path) -> None:
    with slack_stand_in() as slack:
        write_config(tmp_path, slack.url)
        code, _, log = call(
            "--failed",
            "nightdesk.service",
            folder=tmp_path,
            MONITOR_SERVICE_RESULT="exit-code",
            MONITOR_EXIT_CODE="exited",
            MONITOR_EXIT_STATUS="78",
        )
        [post] = slack.posts
    assert code == 0, log
    assert "nightdesk.service on " in post["text"]
    for fact in ("Result: exit-code", "Exit status: 78", "the config has mistakes: nightdesk config check"):
        assert fact in post["text"]


def test_a_unit_that_failed_is_told_also_when_the_config_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "orchestrator_config.json").write_text("{")
    code, _, log = call("--failed", "nightdesk.service", folder=tmp_path)
    assert code == 1
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events == ["watchdog.config-refused", "watchdog.config-warning", "watchdog.unit-failed"]


@pytest.mark.parametrize("errand", [(), ("--once",), ("--test",)], ids=["watch", "once", "test"])
def test_a_config_that_cannot_be_used_ends_it_with_78(tmp_path: Path, errand: tuple[str, ...]) -> None:
    write_config(tmp_path, "env:NOT_SET")
    code, said, told = call(*errand, folder=tmp_path)
    assert (code, said) == (78, "")
    assert told == (
        "orchestrator_config.json: channels.ops: the environment variable NOT_SET is not set; "
        "set it where the watchdog is started\n"
    )


def test_errands_exclude_each_other(tmp_path: Path) -> None:
    code, _, told = call("--once", "--test", folder=tmp_path)
    assert (code, "not allowed with" in told) == (2, True)


def test_it_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    write_config(tmp_path, "http://127.0.0.1:9/x")
    with subprocess.Popen(
        [sys.executable, "-S", "-P", "-m", "daemon.watchdog"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["event"] == "watchdog.ready"
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began_s < 3
        assert json.loads(process.stderr.readline())["event"] == "watchdog.stopped"

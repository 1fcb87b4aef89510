"""The README's tour, typed as printed into a shell, in a folder of its own."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Where jq is not installed this answers for the filters the tour uses: a path of names and one index.
JQ = """#!{python}
import json, re, sys
value = json.load(open(sys.argv[2]))
for name, at in re.findall(r"\\.(\\w+)|\\[(-?\\d+)\\]", sys.argv[1]):
    value = value[name] if name else value[int(at)]
print(json.dumps(value))
"""


def code_under(heading: str) -> str:
    """The first shell block below a heading."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n.*?```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found.group(1)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What a fresh clone has beside the code, and a `nightdesk` on PATH."""
    shutil.copy(ROOT / "orchestrator_config.json", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "activate").write_text(f'PATH="{commands}:$PATH"\n')
    program = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m daemon "$@"\n'
    (commands / "nightdesk").write_text(program)
    if shutil.which("jq") is None:
        (commands / "jq").write_text(JQ.format(python=sys.executable))
    for command in commands.iterdir():
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
    yield tmp_path
    end_daemon(tmp_path)


def end_daemon(folder: Path) -> None:
    try:
        os.kill(json.loads((folder / "var" / "lock").read_text())["pid"], signal.SIGKILL)
    except (OSError, ValueError):
        return


def test_the_tour_works_as_printed(folder: Path) -> None:
    script = code_under("The tour, in two minutes")
    assert "kill -9" in script
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    said = ran.stdout
    assert ran.returncode == 0, said + ran.stderr
    assert "60 leads added" in said
    assert "nightly-batch: completed" in said
    assert "send-digest: completed" in said
    assert re.search(r'^"20\d\d-.*Z"$', said, re.MULTILINE), "lastDigestNotificationAt is set after the send"
    assert '"handler": "send-digest"' in said or '"handler":"send-digest"' in said
    assert '"event":"schedule.loaded"' in said, "grep cron finds the schedules"
    assert "nothing critical" in said
    assert re.search(r"^digest-20\d\d-\d\d-\d\d\.json$", said, re.MULTILINE)
    assert "daemon.unclean-stop" in said
    assert "Traceback" not in said + ran.stderr

"""Runs the shell blocks of a document as they are printed, in a folder that looks like a fresh clone."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """How a script ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """All of it, for a failure's message."""
        return f"exit {self.code}\n{self.out}\n-- stderr:\n{self.err}"


def sections(document: str) -> dict[str, str]:
    """The text below each heading of a document, by the heading."""
    parts = _HEADING.split((ROOT / document).read_text("utf-8"))
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert len(found) == len(parts) // 2, f"{document}: two headings are called the same"
    return found


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language, in their order."""
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def clone_into(folder: Path) -> None:
    """Put there what a fresh clone has beside the code: `nightdesk`, `python3` and `jq` are on PATH."""
    shutil.copy(ROOT / "orchestrator_config.json", folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "activate").write_text(f'PATH="{commands}:$PATH"\n')
    python, path = f'exec "{sys.executable}"', f'PYTHONPATH="{ROOT}"'
    programs = {"nightdesk": f"{path} {python} -m daemon", "python3": python}
    if shutil.which("jq") is None:
        programs["jq"] = f"{python} {ROOT / 'tests' / 'mini_jq.py'}"
    for name, call in programs.items():
        (commands / name).write_text(f'#!/bin/sh\n{call} "$@"\n')
        (commands / name).chmod(stat.S_IRWXU)


def run_script(
    script: str, folder: Path, environ: Mapping[str, str] | None = None, *, timeout_s: float = 90
) -> Ran:
    """Type a script into a shell that stops at the first command that fails; nothing of it stays behind."""
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own["PATH"] = f"{folder / '.venv' / 'bin'}:{own['PATH']}"
    shell = subprocess.Popen(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={**own, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = shell.communicate(timeout=timeout_s)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
    return Ran(shell.returncode, out, err)


def end_daemon(folder: Path) -> None:
    """End whatever daemon a script has left behind in the folder's home."""
    with suppress(OSError, ValueError):
        os.kill(json.loads((folder / "var" / "lock").read_text())["pid"], signal.SIGKILL)

"""What `make` says where something is missing: one clear line, and nothing half made."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
OLD = "#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.2\nexit 1\n"
WITHOUT_VENV = "#!/bin/sh\ncase $2 in *version_info*) exit 0;; esac\nexit 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a space in its name, holding what `make` reads first."""
    folder = tmp_path / "a clone"
    (folder / "requirements").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements/install.txt"):
        shutil.copy(PROJECT / name, folder / name)
    # A PATH with nothing but what make calls: above all without uv.
    (folder / "bin").mkdir()
    for tool in ("sh", "sed", "awk", "touch"):
        (folder / "bin" / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make") or pytest.fail("make is missing; run: apt install make")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environ["PATH"] = "bin"
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def python(folder: Path, script: str) -> str:
    path = folder / "bin/python-here"
    path.write_text(script)
    path.chmod(0o755)
    return "PYTHON=bin/python-here"


def test_a_python_that_is_too_old_is_refused_by_name(folder: Path) -> None:
    made = make(folder, "install", python(folder, OLD))

    assert made.returncode != 0
    assert made.stderr.startswith(
        "nightdesk needs Python 3.11 or newer, and bin/python-here is Python 3.9.2. "
        "Name another: make PYTHON=python3.12\n"
    )
    assert not (folder / ".venv").exists()


def test_a_python_without_venv_is_told_what_to_install(folder: Path) -> None:
    made = make(folder, "install", python(folder, WITHOUT_VENV))

    assert made.returncode != 0
    assert made.stderr.startswith(
        "bin/python-here has no venv module. Install it, then run make again: apt install python3-venv\n"
    )
    assert not (folder / ".venv").exists()


def test_help_lists_everything_that_can_be_made(folder: Path) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (folder / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None

    listed = re.findall(r"^  make (\S+) +\S", make(folder, "help").stdout, re.MULTILINE)

    assert sorted(listed) == sorted(phony[1].split())

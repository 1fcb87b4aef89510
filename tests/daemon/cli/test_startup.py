"""What a call costs before it does anything: which libraries are loaded, and how much work that is."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click
import pytest

from daemon.cli import COMMANDS
from daemon.cli.exits import CODE_OF

ROOT = str(Path(__file__).parents[3])
HEAVY = {"aiohttp", "asyncpg", "croniter", "prometheus_client", "pydantic", "redis", "uvloop"}
HELP_BUDGET_S = 0.120
ROUNDS = 7


def imported_by(desk: Any, *argv: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "daemon", *argv, "--config", str(desk.config)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=desk.folder, env={"PYTHONPATH": ROOT}, timeout=30
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_help_loads_no_command_and_nothing_heavy(desk: Any) -> None:
    loaded = imported_by(desk, "--help")
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
    assert not {row.command.partition(":")[0] for row in COMMANDS.values()} & loaded


def test_status_of_a_daemon_loads_nothing_heavy(desk: Any, daemon: object) -> None:
    assert not HEAVY & {name.partition(".")[0] for name in imported_by(desk, "status")}


def test_status_from_the_files_loads_nothing_heavy(
    desk: Any,
    nightdesk: Callable[..., Any],
) -> None:
    assert nightdesk("run-once", "heartbeat").code == 0
    assert not HEAVY & {name.partition(".")[0] for name in imported_by(desk, "status")}


def test_help_costs_little_more_than_the_bare_interpreter(desk: Any) -> None:
    bare = least_cpu_s([sys.executable, "-c", "pass"])
    shown = least_cpu_s([sys.executable, "-m", "daemon", "--help"], PYTHONPATH=ROOT)
    assert shown - bare < HELP_BUDGET_S


def least_cpu_s(command: list[str], **environ: str) -> float:
    """The least of several runs: what else the machine does only ever adds."""
    return min(cpu_s(command, environ) for _ in range(ROUNDS))


def cpu_s(command: list[str], environ: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environ, check=True, timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_row_of_the_table_is_a_command_of_that_name(name: str) -> None:
    loaded = resolve_name(COMMANDS[name].command)
    assert isinstance(loaded, click.Command)
    assert loaded.name == name


@pytest.mark.parametrize("name", sorted(CODE_OF))
def test_every_error_with_an_exit_code_exists(name: str) -> None:
    assert issubclass(resolve_name(name), Exception)

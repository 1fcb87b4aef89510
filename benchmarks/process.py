"""Programs as the system sees them: how soon they are ready, and what they cost."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.apart import ROOT, MeasureFailed

LIMIT_S = 30.0
NANOSECONDS = 1e9


@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A program that says READY=1 as to systemd, and how many seconds that took; ended by SIGTERM.

    Raises:
        MeasureFailed: it ended, or said nothing in time.
    """
    # A path of at most 107 bytes is all that a socket address holds.
    name = f"\0benchmarks-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, (folder / "output").open("wb") as output:
        line.bind(name)
        told = {**os.environ, **(environ or {}), "NOTIFY_SOCKET": "@" + name[1:]}
        began = time.perf_counter()
        program = subprocess.Popen(command, cwd=ROOT, env=told, stdout=output, stderr=subprocess.STDOUT)
        try:
            _await_ready(line, program, folder / "output")
            yield program, time.perf_counter() - began
        finally:
            program.send_signal(signal.SIGTERM)
            try:
                program.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(LIMIT_S)


def _await_ready(line: socket.socket, program: subprocess.Popen[bytes], output: Path) -> None:
    line.settimeout(0.5)
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in line.recv(4096):
                return
        if program.poll() is not None:
            break
    said = "\n".join(output.read_text(errors="replace").splitlines()[-15:])
    raise MeasureFailed(f"{program.args!r} was not ready: {said}")


def cpu_of_run(command: Sequence[str]) -> float:
    """Seconds of processor time, its own and the system's, that a program takes from start to end.

    Raises:
        MeasureFailed: it failed.
    """
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode != 0:
        raise MeasureFailed(f"{command} ended with exit code {program.returncode}")
    return usage.ru_utime + usage.ru_stime


def cpu_so_far(pid: int) -> float:
    """Seconds of processor time that all threads of a running program have had."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((it / "schedstat").read_text().split()[0]) for it in threads) / NANOSECONDS


def memory_mib(pid: int) -> float:
    """What a running program keeps in memory, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise MeasureFailed(f"process {pid} has no memory")


def nightdesk(*arguments: str) -> list[str]:
    """The command line of ours, as installed beside this Python."""
    script = Path(sys.executable).parent / "nightdesk"
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "daemon", *arguments]

"""Measures in a process of their own, so that none inherits the threads, garbage or caches of another."""

import json
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120.0


class MeasureFailed(Exception):
    """A measure ended without a result; the message holds the last lines it wrote."""


def apart(function: str, *, limit_s: float = LIMIT_S, is_shown: bool = False, **arguments: Any) -> Any:
    """Call "module:function" in a new process and give back its answer, which has to fit into JSON.

    `is_shown`: what it says of its progress, on its standard error, is shown as it comes.

    Raises:
        MeasureFailed: it raised, or took longer than `limit_s`.
    """
    command = [sys.executable, "-m", "benchmarks.apart", function, json.dumps(arguments)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=None if is_shown else subprocess.PIPE,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MeasureFailed(f"{function} was not done after {limit_s:.0f} s") from None
    if done.returncode != 0:
        last = "\n".join((done.stderr or "see above").splitlines()[-15:])
        raise MeasureFailed(f"{function} failed with exit code {done.returncode}:\n{last}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Be that process: the function's name and its arguments as JSON are on the command line."""
    name, arguments = sys.argv[1:]
    answer = resolve_name(name)(**json.loads(arguments))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

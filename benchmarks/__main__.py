"""`python -m benchmarks [NAME ...]`: take the figures, print the table, exit 1 if a goal is missed."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

from benchmarks.apart import ROOT, MeasureFailed
from benchmarks.machine import MEMORY_FILE_SYSTEMS, describe, file_system
from benchmarks.rounds import Effort
from benchmarks.verdicts import Verdict, table

FIGURES = {
    "tasks": "benchmarks.tasks:figures",
    "flat": "benchmarks.flat:figures",
    "fires": "benchmarks.fires:figures",
    "start": "benchmarks.start:figures",
    "http": "benchmarks.http:figures",
    "reports": "benchmarks.reports:on_sqlite",
    "reports-postgres": "benchmarks.reports:on_postgres",
}


def main() -> int:
    """Run what was named, or all of it."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    _tell(describe(options.folder))
    if file_system(options.folder) in MEMORY_FILE_SYSTEMS:
        _tell("A sync costs nothing on this file system: name a folder on a disk with --folder.")
        return 2
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as folder:
        rounds = options.rounds or (1 if options.quick else 5)
        effort = Effort(rounds=rounds, is_quick=options.quick, folder=Path(folder), tell=_tell)
        for name in options.names or FIGURES:
            take: Callable[[Effort], list[Verdict]] = resolve_name(FIGURES[name])
            _tell(f"{name}: {(sys.modules[take.__module__].__doc__ or '').strip().splitlines()[0]}")
            try:
                verdicts += take(effort)
            except MeasureFailed as error:
                verdicts.append(Verdict(figure=name, measured="no result", goal="a result", is_met=False))
                _tell(f"  {error}")
        _tell("\n" + table(verdicts))  # before half a million files are deleted
    return 1 if any(it.is_met is False for it in verdicts) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}; all where left out"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is measured (5; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="smaller counts: whether it runs, not how fast")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "bench", help="where to write; it must be on a disk"
    )
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in FIGURES]:
        parser.error(f"no figure is named {unknown[0]!r}; there are {', '.join(FIGURES)}")
    return options


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())

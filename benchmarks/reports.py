"""Reports: the daemon's reports of a day against a bare loop, and 100,000 companies against 1,000."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median

from benchmarks.apart import apart
from benchmarks.peers import postgres
from benchmarks.rounds import Contestant, Effort, Rounds, run_rounds
from benchmarks.verdicts import Verdict

FEW, MANY = 1_000, 100_000
WARM = 200  # reports before those that count: by then templates, connections and caches are ready
LEAST_SHARE, MOST_TIME, MOST_MEMORY = 0.5, 1.2, 1.3
# A large day takes minutes: for so many rounds of the other figures there is one of these, and in it the
# small ones are taken several times, before the large one and after.
ROUNDS_FOR_ONE = 5
TIMES = 3
LIMIT_S = 900.0
BEFORE, AFTER = ", before", ", after"
BARE = "bare loop: template, SQLite row, file"


def on_sqlite(effort: Effort) -> list[Verdict]:
    """Take the figures with the embedded ledger."""
    return _figures(effort, "SQLite", lambda: "sqlite")


def on_postgres(effort: Effort) -> list[Verdict]:
    """Take the figures with a ledger in PostgreSQL, each day in a database of its own."""
    folder, numbers = effort.folder / "postgres", itertools.count()
    folder.mkdir()
    with postgres.serving(folder) as url:

        def fresh() -> str:
            name = f"ledger_{next(numbers)}"
            postgres.run(f"{url}/postgres", f"CREATE DATABASE {name}")
            return f"{url}/{name}"

        return _figures(effort, "PostgreSQL", fresh)


@dataclass(slots=True)
class _Days:
    """Days of reports, each in a process and a folder of its own."""

    folders: Iterator[Path]
    ledger: Callable[[], str]
    peaks: dict[int, list[float]] = field(default_factory=dict)  # MiB, by the size of the day

    def ours(self, count: int) -> float:
        """Reports a second."""
        folder = str(self._folder())
        apart("benchmarks.reports_world:make", folder=folder, count=WARM + count)
        made = apart(
            "benchmarks.reports_run:write",
            limit_s=LIMIT_S,
            is_shown=True,
            folder=folder,
            count=count,
            warm=WARM,
            ledger=self.ledger(),
        )
        self.peaks.setdefault(count, []).append(float(made["mib"]))
        return float(made["per_s"])

    def bare(self) -> float:
        """Reports a second of the bare loop."""
        folder = str(self._folder())
        return float(apart("benchmarks.peers.bare_reports:write", folder=folder, count=FEW, warm=WARM))

    def _folder(self) -> Path:
        # Kept until the end, and not the round's own: a disk that has just deleted files is slow to make new
        # ones for a minute (ext4 passes over their inodes one by one).
        folder = next(self.folders)
        folder.mkdir()
        return folder


def _figures(effort: Effort, kind: str, ledger: Callable[[], str]) -> list[Verdict]:
    few, many = effort.scaled(FEW, 300), effort.scaled(MANY, 1_500)
    days = _Days((effort.folder / f"{kind}-{number}" for number in itertools.count()), ledger)
    times = effort.scaled(TIMES, 1)
    small, large = f"{few:,} reports, {kind}", f"{many:,} reports, {kind}"

    def several(measure: Callable[[], float]) -> Contestant:
        return lambda _folder: median(measure() for _ in range(times))

    bare, ours = several(days.bare), several(lambda: days.ours(few))
    rounds = run_rounds(
        replace(effort, rounds=max(1, effort.rounds // ROUNDS_FOR_ONE)),
        {
            BARE + BEFORE: bare,
            small + BEFORE: ours,
            large: lambda _folder: days.ours(many),
            small + AFTER: ours,
            BARE + AFTER: bare,
        },
    )
    _join(rounds, BARE, small)
    return _verdicts(rounds, kind, small, large, max(days.peaks[many]) / median(days.peaks[few]))


def _join(rounds: Rounds, *names: str) -> None:
    """Make one figure of what was taken before and after."""
    for name in names:
        pairs = zip(rounds.figures[name + BEFORE], rounds.figures[name + AFTER], strict=True)
        rounds.figures[name] = [fmean(pair) for pair in pairs]


def _verdicts(rounds: Rounds, kind: str, small: str, large: str, memory: float) -> list[Verdict]:
    share, longer = rounds.ratio(large, BARE), rounds.ratio(small, large)
    return [
        Verdict(figure=f"{BARE}/s, {kind}", measured=rounds.spread(BARE).shown()),
        Verdict(figure=f"{small}/s", measured=rounds.spread(small).shown()),
        Verdict(figure="... share of the bare loop", measured=rounds.ratio(small, BARE).shown(".2f")),
        Verdict(figure=f"{large}/s", measured=rounds.spread(large).shown()),
        Verdict(
            figure="... share of the bare loop",
            measured=share.shown(".2f"),
            goal=f">= {LEAST_SHARE}",
            is_met=share.median >= LEAST_SHARE,
        ),
        Verdict(
            figure=f"... time per report, x that of {small}",
            measured=longer.shown(".2f"),
            goal=f"<= {MOST_TIME}",
            is_met=longer.median <= MOST_TIME,
        ),
        Verdict(
            figure=f"... peak of memory, x that of {small}",
            measured=f"{memory:.2f}",
            goal=f"<= {MOST_MEMORY}",
            is_met=memory <= MOST_MEMORY,
        ),
    ]

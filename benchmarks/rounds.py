"""Rounds: every contestant once a round, in turn, so that a busy minute of the machine hits all alike."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.machine import raw_syncs_per_s

# A round in which the disk was this much slower than in the best says more about the disk than about us.
SLOWEST_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its bounds."""

    median: float
    least: float
    most: float

    def shown(self, form: str = ",.0f", unit: str = "") -> str:
        """ "22,100 [20,300..23,000]", with the unit behind the median."""
        return f"{self.median:{form}}{unit} [{self.least:{form}}..{self.most:{form}}]"


@dataclass(slots=True)
class Rounds:
    """What every contestant reached in each round that counts."""

    raw: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)

    def spread(self, name: str) -> Spread:
        """What one contestant reached."""
        return _spread(self.figures[name])

    def ratio(self, name: str, other: str) -> Spread:
        """How many times the other's figure, round by round."""
        pairs = zip(self.figures[name], self.figures[other], strict=True)
        return _spread([mine / theirs for mine, theirs in pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done: rounds, a factor on the counts, and where files are written."""

    rounds: int
    is_quick: bool
    folder: Path
    tell: Callable[[str], None]

    def scaled(self, count: int, quick: int) -> int:
        """A count, or the smaller one of a quick run."""
        return quick if self.is_quick else count


# Given an empty folder, it gives back its figure.
Contestant = Callable[[Path], float]


def run_rounds(effort: Effort, contestants: Mapping[str, Contestant], form: str = ",.0f") -> Rounds:
    """Let all of them run so many times, one after the other; drop the rounds that a sick disk spoiled.

    What is dropped is made up for, as long as it is no more than was wanted in the first place.
    """
    raw: list[float] = []
    figures: list[dict[str, float]] = []
    kept: list[int] = []
    while len(kept) < effort.rounds and len(raw) < 2 * effort.rounds:
        raw.append(raw_syncs_per_s(effort.folder))
        effort.tell(f"  round {len(raw)}: append+fdatasync {raw[-1]:,.0f}/s")
        figures.append({})
        for name, contestant in contestants.items():
            with tempfile.TemporaryDirectory(dir=effort.folder, prefix="round-") as folder:
                figures[-1][name] = contestant(Path(folder))
            effort.tell(f"    {name:<44} {figures[-1][name]:{form}}")
        kept = [index for index, rate in enumerate(raw) if rate >= max(raw) * SLOWEST_SHARE]
    if dropped := len(raw) - len(kept):
        effort.tell(f"  dropped {dropped}: the disk was at less than a third of its best")
    return Rounds(
        raw=[raw[index] for index in kept],
        figures={name: [figures[index][name] for index in kept] for name in contestants},
    )


def _spread(values: list[float]) -> Spread:
    return Spread(median(values), min(values), max(values))

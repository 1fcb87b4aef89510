"""What was wanted, what was reached, and the table that says so."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of the table. Without a goal it only informs."""

    figure: str
    measured: str
    goal: str = ""
    is_met: bool | None = None

    @property
    def word(self) -> str:
        return {None: "", True: "met", False: "MISSED"}[self.is_met]


def table(verdicts: Sequence[Verdict]) -> str:
    """All of them, in columns."""
    rows = [("figure", "measured", "goal", "verdict")]
    rows += [(it.figure, it.measured, it.goal, it.word) for it in verdicts]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:]))

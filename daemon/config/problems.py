"""What is wrong with a config, said so that an operator can mend it: file, line, key, what was meant."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# A place in the config: ("schedules", "nightly-dump", "command", 0).
Place = tuple[str | int, ...]

ENVIRONMENT = "environment"  # stands where the file name would, for what came in by a variable
LONGEST_SHOWN = 60  # characters of a value that a message repeats
_PLAIN_KEY = re.compile(r"[$A-Za-z0-9_-]+")
_ADDRESS = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_TOKEN = re.compile(r"\s*(xox[a-z]|xapp|sk|pk|ghp|glpat|SG|key|Bearer)[-_. ]\S{8,}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, or one thing worth a warning. `line` counts from 1; None where there is no line."""

    file: str
    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.text}" if self.key else f"{where}: {self.text}"


class ConfigError(Exception):
    """The config cannot be used. `problems` holds every mistake found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_file_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort by line, what came in by the environment last."""
    return sorted(problems, key=lambda problem: (problem.file == ENVIRONMENT, problem.line or 0))


@dataclass(slots=True)
class Findings:
    """Gathers mistakes and warnings by their place in the config, over all phases of the check.

    Nothing more is said of a place marked broken: what follows from a mistake would only hide it.
    """

    file: str
    lines: Mapping[Place, int] = field(default_factory=dict)
    variables: dict[Place, str] = field(default_factory=dict)  # what an environment variable stands in for
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)
    misspelt: set[Place] = field(default_factory=set)  # where a key would be, had it been spelt rightly
    said_at: dict[Place, Place] = field(
        default_factory=dict
    )  # where what stands at a place was really written

    def problem(self, place: Place, text: str) -> None:
        """Record a mistake at `place`, unless that place or one around it is known to be broken."""
        if not self.is_broken(place):
            self.problems.append(self._at(place, text))

    def missing(self, place: Place, text: str) -> None:
        """Record that `place` lacks something, unless it is there under a misspelt name."""
        if place not in self.misspelt:
            self.problem(place, text)

    def warn(self, place: Place, text: str) -> None:
        """Record something that works, though perhaps not as it was meant."""
        if not self.is_broken(place):
            self.warnings.append(self._at(place, text))

    def is_broken(self, place: Place) -> bool:
        return any(place[:length] in self.broken for length in range(1, len(place) + 1))

    def mark_broken(self, place: Place) -> None:
        """Expect nothing of `place`: a mistake that explains its absence has been recorded already."""
        self.broken.add(place)

    def _at(self, place: Place, text: str) -> Problem:
        prefixes = [place[:length] for length in range(len(place), -1, -1)]
        if (elsewhere := next((it for it in prefixes if it in self.said_at), None)) is not None:
            return self._at(self.said_at[elsewhere], text)
        variable = next((self.variables[it] for it in prefixes if it in self.variables), None)
        if variable is not None:
            return Problem(ENVIRONMENT, None, variable, text)
        line = next((self.lines[it] for it in prefixes if it in self.lines), None)
        return Problem(self.file, line, key_text(place), text)


def key_text(place: Place) -> str:
    """Write a place as people do: `alerts.routes[0].receiver`."""
    written = ""
    for part in place:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            name = part if _PLAIN_KEY.fullmatch(part) else quoted(part)
            written += f".{name}" if written else name
    return written


def quoted(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Write text in quotes, cut, with nothing in it that could move a terminal's cursor."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return json.dumps(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut), ensure_ascii=False
    )


def shown(value: object) -> str:
    """Write a value for a message: what it is, cut, and never anything that may be a secret."""
    if isinstance(value, str):
        if address := _ADDRESS.match(value):
            return f"an address ({address.group(1).lower()}://…)"
        return "what looks like a token" if _TOKEN.match(value) else quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value) if abs(value) < 1e18 else "a number that large"
    return kind_of(value)


def kind_of(value: object) -> str:
    """Name the JSON kind of a value: "a list", "null"."""
    kinds: tuple[tuple[Any, str], ...] = (
        (str, "text"),
        (bool, "true or false"),
        (int | float, "a number"),
        (Mapping, "an object"),
        (list | tuple, "a list"),
    )
    if value is None:
        return "null"
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")


def meant(name: str, known: Iterable[str]) -> str:
    """Say what was probably meant by `name`: `did you mean "cron"?`, else the known names."""
    names = sorted(known)
    if (near := nearest(name, names)) is not None:
        return f"did you mean {quoted(near)}?"
    if not names:
        return "there is none"
    listed = ", ".join(names[:12])
    return f"known: {listed}" + (", …" if len(names) > 12 else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that `name` was probably meant to be; case, dashes and underscores do not count."""
    folded = {_folded(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_folded(name)[:100], folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).casefold()

"""The questions a source is asked: their text, the parameters in it, and whom one asking answers for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.config.problems import Place
from handlers.reporting.base import Misfit

FACTS: Final = "facts"  # the name of the question for the facts; tables go by their titles
PARAMETERS = ("date", "company", "companies")

# What may hold a "$" that is no parameter: comments, strings, quoted names, strings between two $tag$.
_SKIPPED = (
    r"--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`"
    r"|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)"
)
SQL = re.compile(rf"(?P<skipped>{_SKIPPED})|(?<![\w$])\$(?P<name>[A-Za-z_]\w*)", re.DOTALL)
ADDRESS = re.compile(r"\$(?P<name>[A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One query as the config has it."""

    name: str  # "facts", or the title of a table
    text: str
    parameters: frozenset[str]
    is_facts: bool = False

    @property
    def is_for_each(self) -> bool:
        """Whether it is asked company by company; else one asking answers for a whole batch."""
        return "company" in self.parameters

    @property
    def place(self) -> Place:
        """Where it stands below `reports` in the config."""
        return ("source", "facts") if self.is_facts else ("source", "tables", self.name)

    @property
    def label(self) -> str:
        """How messages name it: by its key in the config."""
        return "source.facts" if self.is_facts else f'source.tables["{self.name[:80]}"]'


def questions(facts: str, tables: Mapping[str, str], parts: re.Pattern[str] = SQL) -> tuple[Question, ...]:
    """Read all questions of a source, the one for the facts first; `parts` tells its language.

    Raises:
        Misfit: one has a parameter that there is not, or both $company and $companies.
    """
    made = [
        Question(name=FACTS, text=facts, parameters=_parameters(facts, parts), is_facts=True),
        *(
            Question(name=title, text=text, parameters=_parameters(text, parts))
            for title, text in tables.items()
        ),
    ]
    for question in made:
        _check(question)
    return tuple(made)


def replaced(text: str, by: Callable[[str], str], parts: re.Pattern[str] = SQL) -> str:
    """The text with every parameter replaced by what `by` makes of its name."""

    def one(found: re.Match[str]) -> str:
        name = found["name"]
        return found[0] if name is None else by(name)

    return parts.sub(one, text)


def _parameters(text: str, parts: re.Pattern[str]) -> frozenset[str]:
    return frozenset(name for found in parts.finditer(text) if (name := found["name"]))


def _check(question: Question) -> None:
    if unknown := sorted(question.parameters - set(PARAMETERS)):
        raise Misfit(
            question.place, f"${unknown[0]} is no parameter; there are $date, $company and $companies"
        )
    if {"company", "companies"} <= question.parameters:
        raise Misfit(
            question.place, "$company asks for one company and $companies for a batch; use one of them"
        )

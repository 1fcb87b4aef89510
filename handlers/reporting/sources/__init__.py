"""The sources: where the facts of a report come from. A new one is a file of its own and a line here."""

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from handlers.reporting.base import Misfit

if TYPE_CHECKING:
    from daemon.clock import Clock
    from daemon.config.reporting import SourceSection
    from handlers.reporting.base import Source

SOURCES = {
    "files": "handlers.reporting.sources.files:Files",
    "http": "handlers.reporting.sources.http:Http",
    "postgres": "handlers.reporting.sources.postgres:Postgres",
    "sqlite": "handlers.reporting.sources.sqlite:Sqlite",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a source is given beside its section of the config."""

    clock: "Clock"
    folder: Path  # the config's own: paths start there
    allow_private: bool = False  # `network.allowPrivate`


def open_source(section: "SourceSection", around: Surroundings) -> "Source":
    """Make the source that the section describes, and load whatever it leans on; nothing is asked yet.

    Raises:
        Misfit: the section lacks what this type needs, or holds a question that cannot be asked; it names
            the key and the next step.
    """
    if section.type not in SOURCES:
        known = ", ".join(sorted(SOURCES))
        raise Misfit(("source", "type"), f'"{section.type}" is no type of source; there are: {known}')
    kind: Any = resolve_name(SOURCES[section.type])  # how a source is made is not part of what it promises
    made: Source = kind(section, around)
    return made
